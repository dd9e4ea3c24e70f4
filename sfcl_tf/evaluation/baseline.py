"""The EfficientNet-B4 that a result is to be read beside, where there is one."""

import json
from pathlib import Path

from sfcl_tf.config import read_config
from sfcl_tf.data.pipeline import InputPipeline
from sfcl_tf.errors import SfclError
from sfcl_tf.evaluation.predictions import Predictions
from sfcl_tf.evaluation.predictor import Predictor

BASELINE = "efficientnet_b4"


def find_baseline(run_dir: Path, pipeline: InputPipeline) -> Path | None:
    """Returns the newest finished run of the baseline on the same training data.

    It lies beside `run_dir`, was trained on the same records (by `env.json`), and
    is another model than the run's own.
    """
    if pipeline.config.model.name == BASELINE:
        return None
    records = _records(run_dir)
    found = [
        path.parent
        for path in Path(run_dir).resolve().parent.glob("*/model.keras")
        if records and _records(path.parent) == records and _is_baseline(path.parent)
    ]
    return max(found, key=lambda p: (p / "model.keras").stat().st_mtime, default=None)


def baseline_predictions(
    baseline: Path, run_dir: Path, pipeline: InputPipeline, split: str, name: str
) -> Predictions:
    """Returns the baseline's scores of a split, its own if it has been evaluated.

    Otherwise it is scored, and `predictions_<name>_<baseline>.csv` is written into
    `run_dir`.
    """
    frames = sum(video["records"] for video in pipeline.manifest.split(split))
    for path in (
        baseline / f"predictions_{name}.csv",
        run_dir / f"predictions_{name}_{BASELINE}.csv",
    ):
        if path.is_file():
            predictions = Predictions.read_csv(path)
            if len(predictions) == frames:
                return predictions
    from sfcl_tf.models import load_model

    own = InputPipeline(pipeline.manifest, read_config(baseline / "config.toml"))
    predictions = Predictor(load_model(baseline)).predictions(
        own.evaluation(split), name=pipeline.manifest.card, split=split
    )
    predictions.write_csv(path)
    return predictions


def _is_baseline(run_dir):
    try:
        return read_config(run_dir / "config.toml").model.name == BASELINE
    except SfclError:
        return False


def _records(run_dir):
    try:
        values = json.loads((Path(run_dir) / "env.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return values.get("dataset"), values.get("fingerprint"), values.get("records")
