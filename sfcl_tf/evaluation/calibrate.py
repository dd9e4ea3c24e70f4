"""From raw logits to probabilities and verdicts, by the validation split alone."""

import dataclasses
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy import optimize, special

from sfcl_tf.evaluation import metrics
from sfcl_tf.evaluation.predictions import Predictions
from sfcl_tf.evaluation.summary import to_logit
from sfcl_tf.evaluation.thresholds import Thresholds, fit_levels, threshold_at_fpr
from sfcl_tf.runs import files
from sfcl_tf.runs.schemas import CALIBRATION
from sfcl_tf.system.errors import ModelError
from sfcl_tf.system.output import write_text

PRIOR = 0.5
"""Share of fakes at which a calibrated score is the probability of a fake."""
VERDICTS = ("real", "uncertain", "fake")
_SLOPES = (np.exp(-5.0), np.exp(5.0))  # 1/150 to 150
_WORSE = 0.01
"""By how much the calibration error may rise before a fit is refused."""


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What turns a model's logit into a score and a verdict.

    Without a calibration the score is the sigmoid of the logit, and as nothing is
    known of how often a verdict would err, there is none but `uncertain`.

    Attributes:
        slope: The score is sigmoid(slope * logit + bias).
        bias: See there.
        levels: Thresholds by the number of pictures that a score is the mean of, the
            first for one picture.
        calibrated: Whether a validation split gave these numbers; if not, slope and
            bias are 1 and 0 and all thresholds are 0.5.
        reason: Why it is not calibrated; else empty.
        prior: The share of fakes at which the score is a probability, whatever the
            share was in the validation split; `None` if it is not known.
        frames: On how many frames.
        ece_before: Calibration error there of the raw scores; `None` if unknown.
        ece_after: Of the calibrated ones.
        balanced_ece_before: The same with as many fakes as reals.
        balanced_ece_after: Likewise.
        date: When.
    """

    slope: float = 1.0
    bias: float = 0.0
    levels: tuple[Thresholds, ...] = (Thresholds(),)
    calibrated: bool = False
    reason: str = ""
    prior: float | None = None
    frames: int = 0
    ece_before: float | None = None
    ece_after: float | None = None
    balanced_ece_before: float | None = None
    balanced_ece_after: float | None = None
    date: str = ""

    @property
    def frame(self) -> Thresholds:
        """Thresholds of one picture's score."""
        return self.levels[0]

    @property
    def video(self) -> Thresholds:
        """Thresholds of the mean over a video."""
        return self.levels[-1]

    @property
    def why(self) -> str:
        """Why it is not calibrated; empty if it is."""
        if self.calibrated:
            return ""
        return self.reason or "this was never done"

    def level(self, pictures: int) -> Thresholds:
        """Returns the thresholds of a mean over some pictures.

        They are those of the largest level that has no more of them: means over fewer
        pictures vary more, so that these err on the side of `uncertain`.
        """
        held = [level for level in self.levels if level.pictures <= pictures]
        return held[-1] if held else self.levels[0]

    def log_odds(self, logit: np.ndarray) -> np.ndarray:
        """Returns calibrated log-odds of fake, of the logits' shape."""
        return self.slope * np.asarray(logit, float) + self.bias

    def score(self, logit: np.ndarray, prior: float | None = None) -> np.ndarray:
        """Returns the calibrated P(fake) of logits, of the same shape.

        Args:
            logit: The model's.
            prior: The share of fakes, in (0, 1), where the face comes from; without
                it that of `self.prior`. Thresholds are for scores without it.
        """
        log_odds = self.log_odds(logit)
        if prior is not None and self.prior is not None:
            log_odds = log_odds + special.logit(prior) - special.logit(self.prior)
        return special.expit(log_odds)

    def verdict(
        self, score: np.ndarray | float, pictures: int = 1, faces: int = 1
    ) -> np.ndarray:
        """Returns `real`, `uncertain` or `fake` for calibrated scores.

        Args:
            score: Each the mean over as many pictures of a face.
            pictures: How many.
            faces: How many faces of the file are judged.
        """
        score = np.asarray(score)
        level = self.level(pictures)
        fake_from = level.fake_among(faces)
        index = np.where(score <= level.real_to, 0, 1)
        if fake_from is not None:
            index = np.where(score >= fake_from, 2, index)
        return np.array(VERDICTS)[index if self.calibrated else np.ones_like(index)]

    def to_json(self, indent: int | None = None) -> str:
        """Returns it as JSON, which `from_dict` understands."""
        between = (",", ":") if indent is None else None
        return json.dumps(dataclasses.asdict(self), indent=indent, separators=between)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Calibration":
        """Reads what `dataclasses.asdict` or `calibration.json` gives.

        One with a temperature was fitted without regard to the share of fakes, and
        has one pair of thresholds, found on frames.

        Raises:
            ValueError: If it is no calibration, or one that cannot be: a slope that
                turns scores around, thresholds outside 0..1 or in the wrong order.
            TypeError: Likewise.
        """
        return cls._of(dict(values))._sound()

    @classmethod
    def _of(cls, values):
        if "temperature" in values:
            temperature = values.pop("temperature")
            if not temperature > 0:
                raise ValueError(f"a temperature of {temperature}")
            level = Thresholds(values.pop("real_to"), values.pop("fake_from"))
            return cls(slope=1 / temperature, levels=(level,), **values)
        levels = tuple(
            Thresholds(**{**each, "among": tuple(map(tuple, each["among"]))})
            for each in values.pop("levels")
        )
        if not levels:
            raise ValueError("no thresholds")
        return cls(levels=levels, **values)

    def _sound(self):
        counts = [level.pictures for level in self.levels]
        wrong = {
            f"slope {self.slope}": not 0 < self.slope < math.inf,
            f"bias {self.bias}": not math.isfinite(self.bias),
            f"prior {self.prior}": self.prior is not None and not 0 < self.prior < 1,
            f"calibrated {self.calibrated!r}": not isinstance(self.calibrated, bool),
            f"thresholds for {counts} pictures": counts != sorted({*counts} - {0}),
        }
        for level in self.levels:
            starts = [level.real_to, level.fake_from, *(s for _, s in level.among)]
            faces = [count for count, _ in level.among]
            wrong |= {
                f"{starts} as thresholds, which do not ascend in 0..1": not (
                    all(0 <= one <= 1 for one in starts) and starts == sorted(starts)
                ),
                f"thresholds among {faces} faces": faces != sorted({*faces} - {0, 1}),
            }
        if found := [what for what, is_wrong in wrong.items() if is_wrong]:
            raise ValueError(found[0])
        return self

    def write(self, run_dir: str | Path) -> None:
        """Writes `calibration.json` beside the model."""
        write_text(Path(run_dir) / files.CALIBRATION, self.to_json(indent=1))

    @classmethod
    def read(cls, run_dir: str | Path) -> "Calibration":
        """Reads what `write` wrote; without a file, an uncalibrated one.

        Raises:
            ModelError: If the file is damaged.
        """
        path = Path(run_dir) / files.CALIBRATION
        return cls.parse(path.read_bytes(), path) if CALIBRATION.is_at(path) else cls()

    @classmethod
    def parse(cls, content: bytes | str, source) -> "Calibration":
        """Returns what JSON says.

        Args:
            content: The JSON.
            source: Where it is from, as errors name it.

        Raises:
            ModelError: If it is damaged, or cannot be.
        """
        values = CALIBRATION.parse(content, source)
        try:
            return cls.from_dict(values)
        except (KeyError, ValueError, TypeError) as error:
            raise ModelError(
                f"Expected a calibration in {source}. Received: {error!r}. "
                f"{CALIBRATION.hint}"
            ) from error


def calibrate(predictions: Predictions) -> Calibration:
    """Finds slope, bias and thresholds on validation predictions.

    Slope and bias minimise the log-loss of sigmoid(slope * logit + bias), which is
    convex in both, against Platt's targets: (F + 1) / (F + 2) for each of F fakes and
    1 / (R + 2) for each of R reals instead of 1 and 0, since a small split that
    happens to be separated would else ask for infinite confidence. Each class weighs
    a half, so that the share of fakes in the split does not enter the score: it is
    P(fake) of a face that is as likely real as fake before one looks.

    Then the thresholds are found, see `fit_levels`: `fake_from` is reached by at most
    5 % of the reals, and at most 5 % of the fakes stay under `real_to`. Where they
    cross, both become their mean, and nothing is uncertain.

    It is not calibrated if there are fewer than two videos of a class, if the slope
    lies at its bound (the scores do not tell fakes from reals, or tell them the wrong
    way round), or if the calibration error rises.

    Args:
        predictions: Of the validation split.

    Reference:
        Platt, 1999, Sec. 2.2; Guo et al., 2017, arXiv:1706.04599, Sec. 4.2.
    """
    label, logit = predictions.label, predictions.logit
    known: dict[str, Any] = {"frames": len(label), "date": time.strftime("%Y-%m-%d")}
    _, video = predictions.video_codes()
    if reason := _missing(label, video):
        return Calibration(reason=reason, **known)
    slope, bias = _fit(label, logit)
    raw, score = special.expit(logit), special.expit(slope * logit + bias)
    known |= {
        "ece_before": metrics.calibration_error(label, raw),
        "ece_after": metrics.calibration_error(label, score),
        "balanced_ece_before": metrics.balanced_ece(label, raw),
        "balanced_ece_after": metrics.balanced_ece(label, score),
    }
    if reason := _refused(slope, logit, label, known):
        return Calibration(reason=reason, **known)
    levels = fit_levels(label, score, video, predictions.frame_index)
    return Calibration(slope, bias, levels, True, prior=PRIOR, **known)


def _missing(label, video):
    """Says which class has too few videos for how they vary to be seen."""
    for kind, name in ((0, "real"), (1, "fake")):
        count = len(set(video[label == kind].tolist()))
        if count < 2:
            return (
                f"the validation split has {count or 'no'} {name} video"
                f"{'s' * (not count)}, and two are the fewest"
            )
    return ""


def _fit(label, logit):
    fakes, reals = metrics.count_classes(label)
    target = np.where(label == 1, (fakes + 1) / (fakes + 2), 1 / (reals + 2))
    weight = 0.5 / np.where(label == 1, fakes, reals)
    scale = float(logit.std()) or 1.0
    z = logit / scale

    def loss(parameters):
        log_odds = parameters[0] * z + parameters[1]
        value = weight @ (np.logaddexp(0, log_odds) - target * log_odds)
        gradient = weight * (special.expit(log_odds) - target)
        return value, np.array([gradient @ z, gradient.sum()])

    bounds = tuple(bound * scale for bound in _SLOPES)
    result = optimize.minimize(
        loss,
        (np.clip(1.0, *bounds), 0.0),
        jac=True,
        method="L-BFGS-B",
        bounds=(bounds, (None, None)),
        options={"ftol": 1e-15, "gtol": 1e-10},
    )
    return float(result.x[0] / scale), float(result.x[1])


def _refused(slope, logit, label, errors):
    """Says why a fit is none; empty if it is one."""
    low, high = _SLOPES
    if slope <= low * (1 + 1e-6) or not np.ptp(logit):
        return "the scores do not tell fakes from reals in the validation split"
    if slope >= high * (1 - 1e-6):
        return "the logits are so close together that the slope is at its bound"
    before, after = (errors[f"balanced_ece_{when}"] for when in ("before", "after"))
    # Platt's targets keep scores off 0 and 1 by so much even where that is right.
    kept_off = 1 / (min(metrics.count_classes(label)) + 2)
    if after > before + _WORSE + kept_off:
        return f"the fit worsens the balanced ECE, from {before:.3f} to {after:.3f}"
    return ""


def judge(predictions: Predictions, calibration: Calibration) -> dict:
    """Tells what calibrated scores and verdicts are worth, by frame and by video.

    A video's mean is judged as one over as many pictures as it has.

    Returns:
        `{"frame": ..., "video": ...}`, each with `uncertain`, the share of verdicts
        left open, `error`, the share of wrong ones among the others (`None` without
        any), `reals_called_fake` and `fakes_called_real`, shares of their classes,
        `ece`, `balanced_ece` and `log_loss` of the calibrated scores.
    """
    score = calibration.score(predictions.logit)
    means, size = _means(predictions, score)
    verdict = np.empty(len(means), object)
    for pictures in np.unique(size):
        rows = size == pictures
        verdict[rows] = calibration.verdict(means[rows], int(pictures))
    return {
        "frame": _judged(predictions.label, score, calibration.verdict(score)),
        "video": _judged(predictions.per_video().label, means, verdict),
    }


def operating_point(
    validation: Predictions,
    predictions: Predictions,
    calibration: Calibration,
    rate: float,
) -> dict:
    """Tells what thresholds with a chosen false positive rate do elsewhere.

    Args:
        validation: Of the validation split, some of them real: a threshold is the
            lowest calibrated score that at most a share `rate` of its real frames,
            or of its real videos, reaches.
        predictions: On which they are tried.
        calibration: Of the run.
        rate: The false positive rate chosen, in [0, 1].

    Returns:
        The rate chosen, `fpr`; and by `frame` and by `video` the `threshold`, and
        the `fpr` and `tpr` found; `None` where a class is missing.
    """
    point: dict[str, Any] = {"fpr": rate}
    theirs = _by_level(predictions, calibration)
    for level, (label, values) in _by_level(validation, calibration).items():
        threshold = threshold_at_fpr(label, values, rate)
        label, values = theirs[level]
        point[level] = {
            "threshold": threshold,
            "fpr": _share(values[label == 0] >= threshold),
            "tpr": _share(values[label == 1] >= threshold),
        }
    return point


def _by_level(predictions, calibration):
    score = calibration.score(predictions.logit)
    means, _ = _means(predictions, score)
    return {
        "frame": (predictions.label, score),
        "video": (predictions.per_video().label, means),
    }


def _means(predictions, score):
    """Returns `(V,)` mean scores of the videos, and of how many frames they are."""
    _, codes = predictions.video_codes()
    size = np.bincount(codes)
    return np.bincount(codes, score) / size, size


def _judged(label, score, verdict):
    decided = verdict != "uncertain"
    wrong = (verdict == "fake") != (label == 1)
    both = all(metrics.count_classes(label))
    return {
        "uncertain": _share(~decided),
        "error": _share(wrong[decided]),
        "reals_called_fake": _share(verdict[label == 0] == "fake"),
        "fakes_called_real": _share(verdict[label == 1] == "real"),
        "ece": metrics.calibration_error(label, score),
        "balanced_ece": metrics.balanced_ece(label, score) if both else None,
        "log_loss": metrics.log_loss(label, to_logit(score)),
    }


def _share(holds):
    return float(np.mean(holds)) if len(holds) else None
