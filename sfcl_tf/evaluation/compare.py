"""Two detectors on the same faces: the difference, and how sure it is."""

import numpy as np

from sfcl_tf.errors import DataError
from sfcl_tf.evaluation import metrics
from sfcl_tf.evaluation.bootstrap import RESAMPLES, WeightedAUC, resample
from sfcl_tf.evaluation.predictions import Predictions


def aligned(one: Predictions, two: Predictions) -> tuple[Predictions, Predictions]:
    """Returns the rows that both have, in the same order.

    Raises:
        DataError: If they have none in common, or their labels differ.
    """
    rows = two.rows()
    pairs = [(i, rows[key]) for key, i in one.rows().items() if key in rows]
    if not pairs:
        raise DataError(
            "Expected predictions on the same faces. Received: none in common. Score "
            "both runs on the same records: `sfcl evaluate RUN --dataset CARD "
            "--frames N` for each."
        )
    first, second = np.array(pairs).T
    one, two = one.select(first), two.select(second)
    if (one.label != two.label).any():
        raise DataError(
            "Expected the same labels in both predictions. Received others for "
            f"{one.video_id[one.label != two.label][0]}. Score both runs again."
        )
    return one, two


def compare(one: Predictions, two: Predictions, resamples: int = RESAMPLES) -> dict:
    """Compares AUC by frame and by video; both see the same draws of videos.

    Args:
        one: A detector's scores.
        two: Another's; rows are matched by video, frame and track.
        resamples: Draws of the bootstrap.

    Returns:
        `{"frame": ..., "video": ...}`, each with `one`, `two` (AUCs), `difference`
        (one - two), `interval` (95 %) and, as JSON has no infinity, `None` where
        a class is missing; `n`, the rows compared, and `left_out`, those that one
        of them has alone.

    Raises:
        DataError: If they have no rows in common.
    """
    first, second = aligned(one, two)
    _, codes = first.video_codes()
    videos = first.per_video(), second.per_video()
    each = np.arange(len(videos[0]))
    return {
        "frame": _difference(first.label, first.logit, second.logit, codes, resamples),
        "video": _difference(
            videos[0].label, videos[0].score, videos[1].score, each, resamples
        ),
        "n": len(first),
        "left_out": len(one) + len(two) - 2 * len(first),
    }


def _difference(label, one, two, video, resamples):
    aucs = metrics.roc_auc(label, one), metrics.roc_auc(label, two)
    if np.isnan(aucs).any():
        return {"one": None, "two": None, "difference": None, "interval": None}
    areas = [WeightedAUC(label, score, video) for score in (one, two)]
    found = resample(
        lambda counts: areas[0](counts) - areas[1](counts),
        int(video.max()) + 1,
        resamples,
    )
    return {
        "one": aucs[0],
        "two": aucs[1],
        "difference": aucs[0] - aucs[1],
        "interval": list(found.interval) if found.interval else None,
    }
