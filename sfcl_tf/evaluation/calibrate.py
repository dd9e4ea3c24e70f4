"""From raw logits to probabilities and verdicts, by the validation split alone."""

import dataclasses
import json
import time
from pathlib import Path

import numpy as np
from scipy import optimize, special

from sfcl_tf.errors import ModelError
from sfcl_tf.evaluation import metrics
from sfcl_tf.evaluation.predictions import Predictions, write_text
from sfcl_tf.evaluation.summary import to_logit

FILE = "calibration.json"
RATE = 0.05
"""Share of reals called fake, and of fakes called real, that verdicts may err by."""
_LOG_TEMPERATURE = 5.0  # 1/150 to 150
VERDICTS = ("real", "uncertain", "fake")


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What turns a model's logit into a score and a verdict.

    Attributes:
        temperature: T; the score is sigmoid(logit / T).
        real_to: Scores at or below it are called real.
        fake_from: Scores at or above it are called fake.
        calibrated: Whether a validation split with both classes gave these numbers;
            if not, T is 1 and both thresholds are 0.5.
        frames: On how many frames.
        ece_before: Calibration error there of the raw scores; NaN if unknown.
        ece_after: Of the calibrated ones.
        date: When.
    """

    temperature: float = 1.0
    real_to: float = 0.5
    fake_from: float = 0.5
    calibrated: bool = False
    frames: int = 0
    ece_before: float | None = None
    ece_after: float | None = None
    date: str = ""

    def score(self, logit: np.ndarray) -> np.ndarray:
        """Returns the calibrated P(fake) of logits, of the same shape."""
        return special.expit(np.asarray(logit, float) / self.temperature)

    def verdict(self, score: np.ndarray) -> np.ndarray:
        """Returns `real`, `uncertain` or `fake` for calibrated scores."""
        score = np.asarray(score)
        place = np.where(score <= self.real_to, 0, 1)
        return np.array(VERDICTS)[np.where(score >= self.fake_from, 2, place)]

    def write(self, run_dir: str | Path) -> None:
        """Writes `calibration.json` beside the model."""
        text = json.dumps(dataclasses.asdict(self), indent=1)
        write_text(Path(run_dir) / FILE, text)

    @classmethod
    def read(cls, run_dir: str | Path) -> "Calibration":
        """Reads what `write` wrote; without a file, an uncalibrated one.

        Raises:
            ModelError: If the file is damaged.
        """
        path = Path(run_dir) / FILE
        if not path.is_file():
            return cls()
        try:
            return cls(**json.loads(path.read_text("utf-8")))
        except (ValueError, TypeError) as error:
            raise ModelError(
                f"Expected a calibration in {path}. Received: {error}. Remove it, and "
                "run `sfcl calibrate RUN` to write it anew."
            ) from error


def calibrate(predictions: Predictions) -> Calibration:
    """Finds temperature and thresholds on validation predictions.

    The temperature minimises the log-loss of sigmoid(logit / T), which is convex in
    1/T, against Platt's targets: (F + 1) / (F + 2) for each of F fakes and 1 / (R + 2)
    for each of R reals instead of 1 and 0, since a small split that happens to be
    separated would else ask for infinite confidence. Then `fake_from` is the lowest
    score that at most 5 % of the reals reach, `real_to` the highest that at most 5 %
    of the fakes do not exceed. Where they cross, both become their mean, and nothing
    is uncertain.

    Args:
        predictions: Of the validation split.

    Reference:
        Guo et al., 2017, arXiv:1706.04599, Sec. 4.2; Platt, 1999, Sec. 2.2.
    """
    label, logit = predictions.label, predictions.logit
    date = time.strftime("%Y-%m-%d")
    if not all(metrics.count_classes(label)):
        return Calibration(frames=len(label), date=date)
    temperature = _temperature(label, logit)
    # On logits: scores near 1 would be rounded together.
    fake_from = special.expit(threshold_at_fpr(label, logit / temperature, RATE))
    # The mirror image: fakes that are as low as reals are high.
    mirrored = threshold_at_fpr(1 - label, -logit / temperature, RATE)
    real_to = special.expit(-mirrored)
    if real_to >= fake_from:
        real_to = fake_from = (real_to + fake_from) / 2
    score = special.expit(logit / temperature)
    return Calibration(
        temperature,
        float(real_to),
        float(fake_from),
        True,
        len(label),
        metrics.calibration_error(label, special.expit(logit)),
        metrics.calibration_error(label, score),
        date,
    )


def _temperature(label, logit):
    fakes, reals = metrics.count_classes(label)
    target = np.where(label == 1, (fakes + 1) / (fakes + 2), 1 / (reals + 2))

    def loss(log_t):
        z = logit * np.exp(-log_t)
        return np.mean(np.logaddexp(0, z) - target * z)

    found = optimize.minimize_scalar(
        loss,
        bounds=(-_LOG_TEMPERATURE, _LOG_TEMPERATURE),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return float(np.exp(found.x))


def threshold_at_fpr(label: np.ndarray, score: np.ndarray, rate: float) -> float:
    """Returns the lowest threshold that at most a share `rate` of reals reaches.

    Args:
        label: `(N,)` of 1 = fake, 0 = real, some of them real.
        score: `(N,)` numbers; `score >= threshold` is called fake.
        rate: In [0, 1].

    Returns:
        One of the scores, or the next number above the highest.
    """
    candidates = np.unique(score)
    candidates = np.r_[candidates, np.nextafter(candidates[-1], np.inf)]
    reals = np.sort(score[label == 0])
    reached = len(reals) - np.searchsorted(reals, candidates, "left")
    return float(candidates[np.argmax(reached <= rate * len(reals))])


def judge(predictions: Predictions, calibration: Calibration) -> dict:
    """Tells what calibrated scores and verdicts are worth, by frame and by video.

    Returns:
        `{"frame": ..., "video": ...}`, each with `uncertain`, the share of verdicts
        left open, `error`, the share of wrong ones among the others (`None` without
        any), `ece` and `log_loss` of the calibrated scores.
    """
    score = calibration.score(predictions.logit)
    _, codes = predictions.video_codes()
    videos = predictions.per_video()
    means = np.bincount(codes, score) / np.bincount(codes)
    return {
        "frame": _judged(predictions.label, score, calibration),
        "video": _judged(videos.label, means, calibration),
    }


def operating_point(
    validation: Predictions,
    predictions: Predictions,
    calibration: Calibration,
    rate: float,
) -> dict:
    """Tells what a threshold with a chosen false positive rate does elsewhere.

    Args:
        validation: Of the validation split, some of them real: the threshold is
            the lowest calibrated score that at most a share `rate` of its real
            frames reaches.
        predictions: On which it is tried.
        calibration: Of the run.
        rate: The false positive rate chosen, in [0, 1].

    Returns:
        `fpr`, the rate chosen, `threshold`, and by `frame` and by `video` the
        `fpr` and `tpr` found; `None` where a class is missing.
    """
    score = calibration.score(validation.logit)
    threshold = threshold_at_fpr(validation.label, score, rate)
    score = calibration.score(predictions.logit)
    _, codes = predictions.video_codes()
    means = np.bincount(codes, score) / np.bincount(codes)
    levels = {
        "frame": (predictions.label, score),
        "video": (predictions.per_video().label, means),
    }
    found = {"fpr": rate, "threshold": threshold}
    for level, (label, values) in levels.items():
        rates = [
            float((values[label == kind] >= threshold).mean())
            if (label == kind).any()
            else None
            for kind in (0, 1)
        ]
        found[level] = dict(zip(("fpr", "tpr"), rates, strict=True))
    return found


def _judged(label, score, calibration):
    verdict = calibration.verdict(score)
    decided = verdict != "uncertain"
    wrong = (verdict == "fake") != (label == 1)
    return {
        "uncertain": float(1 - decided.mean()) if len(label) else None,
        "error": float(wrong[decided].mean()) if decided.any() else None,
        "ece": metrics.calibration_error(label, score),
        "log_loss": metrics.log_loss(label, to_logit(score)),
    }
