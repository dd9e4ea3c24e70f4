"""From a run to what serves it: a SavedModel, or another engine's file."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from sfcl_tf.evaluation.calibrate import Calibration
from sfcl_tf.evaluation.predictions import Predictions
from sfcl_tf.runs import Run, files
from sfcl_tf.serving import export_savedmodel, extra_files, verify_savedmodel
from sfcl_tf.serving.names import MOST_VERSION, WARMUP
from sfcl_tf.serving.trust import read_savedmodel
from sfcl_tf.system.errors import ModelError, UsageError
from sfcl_tf.system.storage import local_copy, parse_location
from sfcl_tf.workflow.export_engine import write_engine
from sfcl_tf.workflow.progress import Progress
from sfcl_tf.workflow.sources import Sources


@dataclasses.dataclass(frozen=True)
class Export:
    """What was written.

    Attributes:
        path: The folder of a SavedModel's version, or of an engine.
        record: For a SavedModel `max_abs_difference` from Keras in the logit, and on
            how many `frames`; for an engine what `engine.json` says.
        note: In a sentence, without its subject.
    """

    path: Path
    record: dict[str, Any]
    note: str


def export(
    run: Run | str | Path,
    *,
    to: str | Path | None = None,
    format: str = "savedmodel",
    precision: str = "float32",
    version: int | None = None,
    sources: Sources | None = None,
    progress: Progress | None = None,
) -> Export:
    """Exports a run's model, and compares what was written with Keras.

    Args:
        run: The run.
        to: The base path of a SavedModel, or an engine's folder; may be
            `s3://BUCKET/PREFIX`. By default inside the run.
        format: `"savedmodel"`, `"openvino"` or `"onnx"`.
        precision: `"float32"`; of an engine also `"bf16"` or `"int8"`.
        version: Number of the SavedModel's version; by default `export.version`.
        sources: Where the run's records lie, on which it is compared.
        progress: Is told how it goes.

    Returns:
        What was written, and how it compares.

    Raises:
        UsageError: If these do not fit each other.
        ModelError: If there is no finished run, or what was written differs.
        DataError: If int8 is asked for without records to calibrate on.
    """
    sources, progress = sources or Sources(), progress or Progress()
    if version is not None and not 1 <= version <= MOST_VERSION:
        raise UsageError(
            f"Expected --version of 1 to {MOST_VERSION}. Received: {version}."
        )
    if format == "savedmodel" and precision != "float32":
        raise UsageError(
            "Expected --precision with --format openvino or onnx. Received: "
            f"{precision} for a SavedModel, which keeps the model's own."
        )
    base = None if to is None else parse_location(to) if isinstance(to, str) else to
    with Run.open(run) as run:
        if format == "savedmodel":
            return _export_savedmodel(run, base, version, sources, progress)
        folder, record, note = write_engine(
            run, base, format, precision, sources, progress
        )
        return Export(folder, record, note)


def _export_savedmodel(
    run: Run,
    base: Path | None,
    version: int | None,
    sources: Sources,
    progress: Progress,
) -> Export:
    config = run.config
    number = str(version or config.export.version)
    inside = run.path(files.SAVED_MODELS)
    shown = (base or run.location / files.SAVED_MODELS) / number
    scored = run.path(files.predictions(files.OWN_TEST))
    logits = Predictions.read_csv(scored).logit if scored.is_file() else np.zeros(0)
    pipeline = sources.pipeline(config)
    videos = pipeline.manifest.split("test") if pipeline else ()
    records = sum(video["records"] for video in videos)
    comparable = bool(len(logits)) and len(logits) == records
    with local_copy((base or inside) / number) as (path, _):
        if path.exists():
            progress.say(
                f"Version {number} is there and is replaced. A server that has loaded "
                "it keeps what it has; to roll out, take a new --version."
            )
        record = save_and_verify(
            run,
            path,
            run.results,
            pipeline if comparable else None,
            logits,
            progress,
        )
    if comparable:
        note = (
            f", which differs from Keras by at most {record['max_abs_difference']:.1e} "
            f"in the logit on {record['frames']} frames."
        )
    else:
        note = (
            f". Not compared with Keras: {len(logits)} test frames were scored, and "
            f"{records} are at hand as records."
        )
    return Export(shown, record, note)


def save_and_verify(
    run: Run,
    path: Path,
    results: dict[str, Any],
    pipeline,
    logits: np.ndarray,
    progress: Progress,
) -> dict[str, Any]:
    """Writes a SavedModel; with records, held against Keras before it is there.

    Args:
        run: The run.
        path: The SavedModel's directory, its last part a version number.
        results: Figures of its test split, for the model card; may be empty.
        pipeline: Gives test crops to compare on; `None` for no comparison.
        logits: Keras's logits `(N,)` of all of the test split's crops.
        progress: Is told how it goes.

    Returns:
        `path`, `max_abs_difference` and `frames` for `results.json`.
    """
    config, model, compared = run.config, run.model, pipeline is not None
    progress.say(
        f"Exporting the SavedModel{' and comparing it with Keras' * compared}."
    )
    logits = logits if compared else logits[:0]
    count = min(config.export.verify_frames, len(logits))
    rows = np.unique(np.linspace(0, len(logits) - 1, count).astype(int))
    chosen = set(rows.tolist())

    def check(temporary):
        crops = (
            crop
            for row, (crop, _, _) in enumerate(pipeline.crops("test"))
            if row in chosen
        )
        return verify_savedmodel(
            temporary, crops, logits[rows], config.evaluate.batch_size
        )

    extra = extra_files(run.folder, config, results)
    if WARMUP not in extra:
        progress.say(
            "Without warm-up requests: tensorflow-serving-api is not installed "
            '(pip install "sfcl_tf[serve]"). The first requests to a server will be '
            "slow."
        )
    difference = export_savedmodel(
        model,
        config,
        path,
        check if compared else None,
        calibration=Calibration.read(run.folder),
        extra=extra,
    )
    try:
        read_savedmodel(path)
    except ModelError as error:  # of a model that somebody added
        progress.say(f"It is loaded and served with --trust alone. {error}")
    return {
        "path": str(path),
        "max_abs_difference": difference,
        "frames": len(rows),
    }
