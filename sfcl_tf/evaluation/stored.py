"""Scores that a run directory holds already."""

from pathlib import Path

from sfcl_tf.config import DataConfig
from sfcl_tf.evaluation.predictions import Predictions
from sfcl_tf.records.manifest import Manifest
from sfcl_tf.runs import files
from sfcl_tf.runs.selection import logged_digest


def stored(
    run_dir: Path,
    name: str,
    manifest: Manifest,
    split: str,
    *,
    data: DataConfig | None = None,
    run: str = "",
) -> Predictions | None:
    """Returns `predictions_<name>.csv`, if it is of the same records as a manifest's.

    Further arguments are those of `sfcl_tf.runs.selection.logged_digest`.
    """
    path = Path(run_dir) / files.predictions(name)
    noted = logged_digest(run_dir, name, data, run)
    if not path.is_file() or noted != manifest.digest(split):
        return None
    predictions = Predictions.read_csv(path)
    records = sum(video["records"] for video in manifest.split(split))
    return predictions if len(predictions) == records else None
