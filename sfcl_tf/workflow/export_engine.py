"""A run's model for another engine: OpenVINO or ONNX Runtime."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sfcl_tf.config import Config
from sfcl_tf.engines import export_engine, verify_engine
from sfcl_tf.engines.export import require_exportable
from sfcl_tf.engines.graph import in_float32
from sfcl_tf.evaluation.metrics import roc_auc
from sfcl_tf.evaluation.predictor import Predictor
from sfcl_tf.inputs.preprocess import Preprocessor
from sfcl_tf.records.reading import readable
from sfcl_tf.runs import Run, files
from sfcl_tf.system.errors import DataError
from sfcl_tf.system.storage import local_copy
from sfcl_tf.workflow.progress import Progress
from sfcl_tf.workflow.sources import Sources

_CALIBRATION_CROPS = 256
_AUC_CROPS = 4096
_BATCH = 16


def write_engine(
    run: Run,
    base: Path | None,
    format: str,
    precision: str,
    sources: Sources,
    progress: Progress,
) -> tuple[Path, dict[str, Any], str]:
    """Exports a run's model for an engine.

    Args:
        run: The run.
        base: The engine's folder; by default inside the run.
        format: `"openvino"` or `"onnx"`.
        precision: `"float32"`, `"bf16"` or `"int8"`.
        sources: Where the run's records lie.
        progress: Is told how it goes.

    Returns:
        The folder, what `engine.json` says, and how it compares in words.

    Raises:
        UsageError: If there is no such engine, or the folder holds something else.
        DataError: If int8 is asked for without records to calibrate on.
        ModelError: If a package is missing, or the engine differs from Keras.
    """
    require_exportable(format, precision)
    model, inside = run.model, f"{files.ENGINES}/{format}-{precision}"
    crops = _Crops(sources, run.config)
    if precision == "int8":
        crops.require_calibration()
    with local_copy(base or run.path(inside)) as (path, _):
        require_exportable(format, precision, path)
        progress.say(f"Converting the model for {format} in {precision}.")
        record = export_engine(
            model,
            path,
            format,
            precision,
            calibration=crops.batches("train", _CALIBRATION_CROPS),
            check=lambda engine: _compare(engine, model, crops, progress),
            run_dir=run.folder,
        )
    return base or run.location / inside, record, _describe(record)


def _compare(engine, model, crops, progress):
    """Holds an engine against Keras, as far as records are at hand."""
    keras = Predictor(in_float32(model))

    def compared(split, most):
        """The largest difference, the labels, Keras's logits and the engine's."""
        labels, logits, outputs, largest = [], [], [], 0.0
        total = crops.count(split, most)
        with progress.counting(f"comparing on {split}", total) as count:
            done = 0
            for batch in crops.batches(split, most):
                labels.append(batch["label"])
                logits.append(keras({n: x for n, x in batch.items() if n != "label"}))
                difference, scores = verify_engine(engine, [batch], logits[-1])
                outputs.append(scores)
                largest = max(largest, difference)
                count(done := done + len(scores))
        return largest, *map(np.concatenate, (labels, logits, outputs))

    record: dict[str, Any] = {}
    if count := crops.count("test", crops.config.export.verify_frames):
        largest, *_ = compared("test", crops.config.export.verify_frames)
        record |= {"crops_compared": count, "max_abs_difference": largest}
    if engine.precision != "float32" and crops.count("val", _AUC_CROPS):
        _, labels, logits, outputs = compared("val", _AUC_CROPS)
        if len(set(labels.tolist())) == 2:
            record["validation"] = {
                "crops": len(labels),
                "auc_keras": roc_auc(labels, logits),
                "auc_engine": roc_auc(labels, outputs),
            }
    return record


def _describe(record):
    if "crops_compared" in record:
        text = (
            f", which differs from Keras by at most "
            f"{record['max_abs_difference']:.1e} in the logit on "
            f"{record['crops_compared']} test crops."
        )
    else:
        text = (
            ". Not compared with Keras: no records of the run's test split are at hand."
        )
    if record["precision"] == "float32":
        return text
    if "validation" not in record:
        return f"{text} AUC not measured: the validation split has no two classes here."
    auc = record["validation"]
    before, after = auc["auc_keras"], auc["auc_engine"]
    return (
        f"{text} AUC on {auc['crops']} crops of the validation split: {before:.4f} -> "
        f"{after:.4f} ({after - before:+.4f})."
    )


class _Crops:
    """The model's inputs from a run's records, as many as are at hand."""

    def __init__(self, sources: Sources, config: Config):
        self.config = config
        self._sources = sources
        self._pipeline = sources.pipeline(config)

    def require_calibration(self):
        """Raises where there is nothing to calibrate int8 on."""
        if not self.count("train", 1):
            folder = self._sources.folder(self.config.data)
            raise DataError(
                "Expected records of the run's training split, on which int8 is "
                f"calibrated. Received: none in {folder}. Prepare them (sfcl "
                "prepare), or name their folder with --records."
            )

    def _step(self, split, most):
        """Returns how many records of a split there are, and which are taken."""
        if self._pipeline is None:
            return 0, 1
        videos = self._pipeline.manifest.split(split)
        total = sum(video["records"] for video in videos)
        return total, max(1, math.ceil(total / most))

    def count(self, split, most):
        """Returns how many crops `batches` gives."""
        total, every = self._step(split, most)
        return math.ceil(total / every)

    def batches(self, split, most) -> Iterator[dict[str, np.ndarray]]:
        """Yields `{image, sida, label}` of at most so many crops, evenly spread."""
        if self._pipeline is None or not self.count(split, most):
            return
        preprocess = Preprocessor(self.config)

        def example(crop, label, _):
            return {**preprocess.inputs(crop), "label": label}

        _, every = self._step(split, most)
        dataset = self._pipeline.crops(split, every).map(example).batch(_BATCH)
        for batch in readable(dataset, f"the split {split}"):
            yield {name: np.asarray(value) for name, value in batch.items()}
