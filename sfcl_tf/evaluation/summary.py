"""All figures of a split: by frame and video, as a whole and in groups."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
from scipy import special

from sfcl_tf.evaluation import metrics
from sfcl_tf.evaluation.intervals import AreaByVideo, accuracy_intervals
from sfcl_tf.evaluation.predictions import Predictions
from sfcl_tf.system.output import write_text

_HEIGHTS = (480, 720, 1080)  # lines
_FACES = (64, 128, 256)  # pixels


def summarize(predictions: Predictions) -> dict:
    """All figures by frame, by video and in groups, ready for JSON.

    Frames are ranked by logit, which is the order of their scores without the
    sigmoid's ties near 0 and 1; videos by their mean score. The threshold is P = 0.5.

    Args:
        predictions: Rows of one split.

    Returns:
        `{"frame": figures, "video": figures}`, and the same by name under `methods`
        (each one's fakes against all reals), `compressions`, `resolutions` and
        `face_sizes` (both classes of the group; left out where there is one group).
        `figures` has `auc`, `ap`, `eer`, `acc`, `balanced_acc`, `log_loss`, `ece`,
        `balanced_ece`, `tpr_at_fpr_1`, `tpr_at_fpr_5` (floats, `None` where
        undefined), the counts `n`, `n_real`, `n_fake`, `videos_real`, `videos_fake`,
        and `intervals`: `{figure: [low, high]}` at 95 % for `auc`, `acc` and
        `balanced_acc`, without those of too few videos (`intervals.LEAST_VIDEOS` of a
        class).
    """
    fake = predictions.label == 1
    methods = {
        method: _levels(predictions.select(~fake | (predictions.method == method)))
        for method in predictions.methods()
    }
    groups = {
        "compressions": _compression(predictions),
        "resolutions": _binned(predictions.frame_height, _HEIGHTS, "lines"),
        "face_sizes": _binned(predictions.face_size, _FACES, "px"),
    }
    return {
        **_levels(predictions),
        "methods": methods,
        **{
            name: _grouped(predictions, keys)
            for name, keys in groups.items()
            if len(set(keys.tolist())) > 1
        },
    }


def write_results(path: Path, results: dict) -> None:
    """Writes results as JSON, under a temporary name first."""
    write_text(path, json.dumps(results, indent=2))


def figures(label, ranking, logit) -> dict:
    """Returns the figures of samples, without intervals.

    Args:
        label: `(N,)` of 1 = fake, 0 = real.
        ranking: `(N,)` numbers by which samples are ranked.
        logit: `(N,)` log-odds of fake.
    """
    values = {
        "auc": metrics.roc_auc(label, ranking),
        "ap": metrics.average_precision(label, ranking),
        "eer": metrics.equal_error_rate(label, ranking),
        "acc": metrics.accuracy(label, logit, threshold=0),
        "balanced_acc": metrics.balanced_accuracy(label, logit, threshold=0),
        "log_loss": metrics.log_loss(label, logit),
        "ece": metrics.calibration_error(label, special.expit(logit)),
        "balanced_ece": metrics.balanced_ece(label, special.expit(logit)),
        "tpr_at_fpr_1": metrics.tpr_at_fpr(label, ranking, 0.01),
        "tpr_at_fpr_5": metrics.tpr_at_fpr(label, ranking, 0.05),
    }
    fakes, reals = metrics.count_classes(label)
    return {
        **{k: v if math.isfinite(v) else None for k, v in values.items()},
        "n": len(label),
        "n_real": reals,
        "n_fake": fakes,
    }


def to_logit(score: np.ndarray) -> np.ndarray:
    """Returns log-odds of P(fake), finite where it is 0 or 1."""
    eps = np.finfo(np.float64).eps
    return special.logit(np.clip(score, eps, 1 - eps))


def _grouped(predictions, keys):
    return {
        key: _levels(predictions.select(keys == key))
        for key in sorted(set(keys.tolist()), key=_natural)
    }


def _natural(text):
    digits = "".join(c if c.isdigit() else " " for c in text).split()
    return [int(d) for d in digits], text


def _compression(predictions):
    facts = zip(predictions.crf.tolist(), predictions.pixel_format, strict=True)
    return np.array(
        [f"crf {crf:g}" if crf == crf else text or "unknown" for crf, text in facts],
        object,
    )


def _binned(values, borders, unit):
    names = [f"up to {borders[0]} {unit}"]
    names += [
        f"{low + 1} to {high} {unit}" for low, high in itertools.pairwise(borders)
    ]
    names.append(f"over {borders[-1]} {unit}")
    labels = np.array(names, object)[np.searchsorted(borders, values)]
    labels[values == 0] = "unknown"
    return labels


def _levels(predictions: Predictions) -> dict:
    _, codes = predictions.video_codes()
    videos = predictions.per_video()
    each = np.arange(len(videos))
    return {
        "frame": _with_intervals(
            predictions.label, predictions.logit, predictions.logit, codes
        ),
        "video": _with_intervals(
            videos.label, videos.score, to_logit(videos.score), each
        ),
    }


def _with_intervals(label, ranking, logit, video):
    result = figures(label, ranking, logit)
    right = (logit >= 0) == (label == 1)
    intervals = accuracy_intervals(label, right, ranking, video)
    if result["auc"] is not None:
        area = AreaByVideo(label, ranking, video)
        if area.interval:
            intervals["auc"] = area.interval
    result["intervals"] = {name: list(pair) for name, pair in intervals.items()}
    for kind, name in ((0, "videos_real"), (1, "videos_fake")):
        result[name] = len(np.unique(video[label == kind]))
    return result
