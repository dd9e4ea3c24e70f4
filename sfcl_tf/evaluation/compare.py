"""Two detectors on the same faces: the difference, and how sure it is."""

import numpy as np

from sfcl_tf.evaluation import metrics
from sfcl_tf.evaluation.intervals import AreaByVideo
from sfcl_tf.evaluation.predictions import Predictions
from sfcl_tf.system.errors import DataError


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


def compare(one: Predictions, two: Predictions) -> dict:
    """Compares AUC by frame and by video, on the same videos.

    Args:
        one: A detector's scores.
        two: Another's; rows are matched by video, frame and track.

    Returns:
        `{"frame": ..., "video": ...}`, each with `one`, `two` (AUCs), `difference`
        (one - two) and `interval` (95 %), `None` where a class is missing, the
        interval also where there are too few videos; `n`, the rows compared, and
        `left_out`, those that one of them has alone.

    Raises:
        DataError: If they have no rows in common.
    """
    first, second = aligned(one, two)
    _, codes = first.video_codes()
    videos = first.per_video(), second.per_video()
    each = np.arange(len(videos[0]))
    return {
        "frame": _difference(first.label, first.logit, second.logit, codes),
        "video": _difference(videos[0].label, videos[0].score, videos[1].score, each),
        "n": len(first),
        "left_out": len(one) + len(two) - 2 * len(first),
    }


def _difference(label, one, two, video):
    aucs = metrics.roc_auc(label, one), metrics.roc_auc(label, two)
    if np.isnan(aucs).any():
        return {"one": None, "two": None, "difference": None, "interval": None}
    interval = AreaByVideo(label, one, video).difference(AreaByVideo(label, two, video))
    return {
        "one": aucs[0],
        "two": aucs[1],
        "difference": aucs[0] - aucs[1],
        "interval": list(interval) if interval else None,
    }
