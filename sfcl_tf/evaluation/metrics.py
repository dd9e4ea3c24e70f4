"""Figures of a binary detector, exact, over whole data sets.

Labels are 1 = fake, 0 = real; a higher score means more likely fake. A metric that
needs both classes is NaN where one is absent.
"""

import math

import numpy as np
from scipy import stats

BINS = 15
"""Of calibration error and reliability diagram."""


def roc_auc(label: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve: P(fake's score > real's), a tie counting half.

    Args:
        label: `(N,)` of 1 = fake, 0 = real.
        score: `(N,)` finite or infinite numbers; only their order matters.

    Returns:
        The Mann-Whitney statistic in [0, 1], from ranks with ties averaged.

    Example:
        >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        0.75
    """
    label, score = _checked(label, score)
    fakes, reals = count_classes(label)
    if not fakes or not reals:
        return math.nan
    ranks = stats.rankdata(score)[label == 1]
    return float((ranks.sum() - fakes * (fakes + 1) / 2) / (fakes * reals))


def roc_curve(
    label: np.ndarray, score: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ROC curve with a point for every distinct score.

    Args:
        label: `(N,)` of 1 = fake, 0 = real.
        score: `(N,)` numbers.

    Returns:
        Three `(T + 1,)` arrays for T distinct scores: false positive rate, true
        positive rate (both rising from 0 to 1, NaN if the class they are a share
        of is absent), and the falling thresholds (`score >= threshold` is called
        fake), the first of them infinite.
    """
    label, score = _checked(label, score)
    true, false, thresholds = _cumulative(label, score)
    fakes, reals = count_classes(label)
    return (
        np.r_[0, false] / (reals or math.nan),
        np.r_[0, true] / (fakes or math.nan),
        np.r_[math.inf, thresholds],
    )


def average_precision(label: np.ndarray, score: np.ndarray) -> float:
    """Average precision: sum over distinct scores of (R_i - R_{i-1}) P_i.

    R is the recall of fakes and P the precision at the i-th highest score, without
    interpolation. Its value under chance is the share of fakes, not 0.5.

    Args:
        label: `(N,)` of 1 = fake, 0 = real.
        score: `(N,)` numbers.

    Returns:
        A number in (0, 1].
    """
    label, score = _checked(label, score)
    fakes, reals = count_classes(label)
    if not fakes or not reals:
        return math.nan
    true, false, _ = _cumulative(label, score)
    return float(np.sum(np.diff(true, prepend=0) / fakes * true / (true + false)))


def equal_error_rate(label: np.ndarray, score: np.ndarray) -> float:
    """Error rate where misses and false alarms are equally frequent.

    The point where the ROC curve, linear between its points, meets FPR = 1 - TPR.

    Args:
        label: `(N,)` of 1 = fake, 0 = real.
        score: `(N,)` numbers.

    Returns:
        A number in [0, 1]; 0 is perfect, 0.5 chance.
    """
    false_rate, true_rate, _ = roc_curve(label, score)
    if np.isnan(false_rate).any() or np.isnan(true_rate).any():
        return math.nan
    return float(np.interp(0, false_rate + true_rate - 1, false_rate))


def accuracy(label: np.ndarray, score: np.ndarray, threshold: float = 0.5) -> float:
    """Share of right answers when `score >= threshold` is called fake.

    Args:
        label: `(N,)` of 1 = fake, 0 = real.
        score: `(N,)` numbers.
        threshold: On the scale of `score`. Defaults to 0.5.

    Returns:
        A number in [0, 1]; NaN without samples.
    """
    label, score = _checked(label, score)
    right = (score >= threshold) == (label == 1)
    return float(right.mean()) if right.size else math.nan


def balanced_accuracy(
    label: np.ndarray, score: np.ndarray, threshold: float = 0.5
) -> float:
    """Mean of the accuracy on fakes and the accuracy on reals.

    Args:
        label: `(N,)` of 1 = fake, 0 = real.
        score: `(N,)` numbers.
        threshold: On the scale of `score`. Defaults to 0.5.

    Returns:
        A number in [0, 1]; 0.5 is chance however unequal the classes.
    """
    label, score = _checked(label, score)
    each = [accuracy(label[label == c], score[label == c], threshold) for c in (0, 1)]
    return sum(each) / 2


def log_loss(label: np.ndarray, logit: np.ndarray) -> float:
    """Mean binary cross-entropy in nats, from logits so that it never saturates.

    Args:
        label: `(N,)` of 1 = fake, 0 = real; one class is enough.
        logit: `(N,)` log-odds of fake.

    Returns:
        `mean(log(1 + exp(-z)))`, z the logit of the true class; NaN without samples.
    """
    label, logit = _checked(label, logit, name="logit")
    loss = np.logaddexp(0, np.where(label == 1, -logit, logit))
    return float(loss.mean()) if loss.size else math.nan


def tpr_at_fpr(label: np.ndarray, score: np.ndarray, rate: float) -> float:
    """Share of fakes found by the best threshold with few enough false alarms.

    Args:
        label: `(N,)` of 1 = fake, 0 = real.
        score: `(N,)` numbers.
        rate: The false positive rate allowed, in [0, 1].

    Returns:
        The largest true positive rate of a point of the ROC curve whose false
        positive rate is at most `rate`; nothing is interpolated, so that a threshold
        that does it exists.
    """
    false_rate, true_rate, _ = roc_curve(label, score)
    if np.isnan(false_rate).any() or np.isnan(true_rate).any():
        return math.nan
    return float(true_rate[false_rate <= rate].max())


def calibration_error(label: np.ndarray, score: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error (ECE): how far scores are from frequencies.

    Args:
        label: `(N,)` of 1 = fake, 0 = real; one class is enough.
        score: `(N,)` P(fake) in [0, 1].
        bins: Equal parts of [0, 1]; a score on a border belongs to the upper one,
            1 to the last.

    Returns:
        The mean over samples of |share of fakes - mean score| of their bin, in
        [0, 1]; NaN without samples.

    Reference:
        Guo et al., 2017, arXiv:1706.04599, Eq. 3, for P(fake) instead of confidence.
    """
    return _mean_gap(*reliability(label, score, bins))


def balanced_ece(label: np.ndarray, score: np.ndarray, bins: int = BINS) -> float:
    """Calibration error where each class weighs a half, however many there are.

    The plain one asks for scores that follow the share of fakes in this very data.
    This one asks for P(fake) of a face that is as likely real as fake before one
    looks, and stays the same if more fakes of the same kind are added.

    Args:
        label: `(N,)` of 1 = fake, 0 = real.
        score: `(N,)` P(fake) in [0, 1].
        bins: As for `calibration_error`.

    Returns:
        A number in [0, 1]; NaN where a class is absent.
    """
    if not all(count_classes(np.asarray(label))):
        return math.nan
    return _mean_gap(*reliability(label, score, bins, balanced=True))


def _mean_gap(weight, share, mean):
    filled = weight > 0
    total = weight.sum()
    gap = np.abs(share[filled] - mean[filled])
    return float((weight[filled] * gap).sum() / total) if total else math.nan


def reliability(
    label: np.ndarray, score: np.ndarray, bins: int = BINS, *, balanced: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points of the reliability diagram.

    Args:
        label: `(N,)` of 1 = fake, 0 = real.
        score: `(N,)` P(fake) in [0, 1].
        bins: As for `calibration_error`.
        balanced: Whether samples weigh such that each class weighs as much as the
            other, N / 2, instead of each sample 1.

    Returns:
        Three `(bins,)` arrays: weight of the samples, share of fakes and mean score
        of each bin, NaN where it is empty.
    """
    label, score = _checked(label, score)
    weight = np.ones(len(label))
    if balanced:
        fakes, reals = count_classes(label)
        weight = len(label) / 2 / np.where(label == 1, fakes, reals)
    index = np.minimum((score * bins).astype(int), bins - 1)
    count, labels, scores = (
        np.bincount(index, weight * each, bins) for each in (1, label, score)
    )
    known = np.where(count > 0, count, math.nan)
    return count, labels / known, scores / known


def _checked(label, score, name="score"):
    label, score = np.asarray(label), np.asarray(score, dtype=np.float64)
    if label.ndim != 1 or label.shape != score.shape:
        raise ValueError(
            f"Expected 1-D `label` and `{name}` of one length. "
            f"Received: shapes {label.shape} and {score.shape}."
        )
    if not np.isin(label, (0, 1)).all():
        raise ValueError(
            "Expected labels of 1 (fake) or 0 (real). "
            f"Received: {np.unique(label).tolist()}."
        )
    if np.isnan(score).any():
        raise ValueError(
            f"Expected `{name}` without NaN. Received: {np.isnan(score).sum()} NaN "
            f"of {score.size}."
        )
    return label, score


def count_classes(label) -> tuple[int, int]:
    """Returns the numbers of fakes and of reals."""
    fakes = int(np.sum(label == 1))
    return fakes, len(label) - fakes


def _cumulative(label, score):
    """Counts of fakes and reals at or above each distinct score, highest first."""
    thresholds, inverse = np.unique(-score, return_inverse=True)
    count = len(thresholds)
    true = np.cumsum(np.bincount(inverse, weights=label, minlength=count))
    false = np.cumsum(np.bincount(inverse, weights=1 - label, minlength=count))
    return true, false, -thresholds
