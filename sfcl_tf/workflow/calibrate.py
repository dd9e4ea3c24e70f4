"""From validation scores to what a run's logits are worth."""

from pathlib import Path

from sfcl_tf.evaluation.calibrate import Calibration
from sfcl_tf.evaluation.calibrate import calibrate as fit
from sfcl_tf.evaluation.predictions import Predictions
from sfcl_tf.evaluation.predictor import Predictor
from sfcl_tf.evaluation.reference import measure_training_data
from sfcl_tf.evaluation.report import write_report
from sfcl_tf.evaluation.scoring import score, write_figures
from sfcl_tf.evaluation.stored import stored
from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.records.manifest import Manifest
from sfcl_tf.runs import Run, files
from sfcl_tf.system.errors import ModelError
from sfcl_tf.workflow.evaluate import scoring
from sfcl_tf.workflow.prepare import ready_records
from sfcl_tf.workflow.progress import Progress
from sfcl_tf.workflow.sources import Sources

# Of the training split, to tell what its faces look like.
_MEASURED_VIDEOS, _MEASURED_FRAMES = 200, 8


def calibrate(
    run: Run | str | Path,
    *,
    sources: Sources | None = None,
    progress: Progress | None = None,
) -> Calibration:
    """Calibrates a run on its validation split, for scores and verdicts.

    The whole split of the run's own data is taken, as it was scored before or scored
    now. Training faces are measured too, if that was never done.

    Args:
        run: The run.
        sources: Where its data lies.
        progress: Is told how it goes.

    Returns:
        What is written to `calibration.json`.

    Raises:
        ModelError: If there is no finished run.
        DataError: If its validation data is not to be found.
    """
    sources, progress = sources or Sources(), progress or Progress()
    with Run.open(run) as run:
        config, model = run.config, run.model
        manifest = ready_records(config.data, sources, progress, ("val",))
        _compare_records(run, manifest, progress)
        scores = stored(run.folder, "val", manifest, "val", data=config.data)
        if scores is not None:
            progress.say(
                f"Scores of {len(scores)} faces are taken from predictions_val.csv."
            )
        _report_previous(run, progress)
        calibration = calibrate_on(
            Predictor(model), InputPipeline(manifest, config), run, progress, scores
        )
        if not run.has(files.REFERENCE):
            measure_training_faces(sources.pipeline(config, "train"), run, progress)
        write_report(run.folder)
        return calibration


def calibrate_on(
    predictor: Predictor,
    pipeline: InputPipeline,
    run: Run,
    progress: Progress,
    predictions: Predictions | None = None,
) -> Calibration:
    """Writes `calibration.json` by the run's own validation split.

    Args:
        predictor: The model's forward pass; not called where there are predictions.
        pipeline: The run's own data.
        run: The run.
        progress: Is told how it goes.
        predictions: Of its whole validation split, if it was scored before.
    """
    if predictions is None:
        with scoring(pipeline, "val", progress) as on_batch:
            predictions = score(predictor, pipeline, run.folder, "val", on_batch)
    calibration = fit(predictions)
    calibration.write(run.folder)
    write_figures(predictions, pipeline, run.folder, "val")
    if calibration.calibrated:
        progress.say(f"Calibrated on the validation split: {in_words(calibration)}.")
    else:
        progress.say(f"Not calibrated: {calibration.why}. Every verdict is uncertain.")
    return calibration


def measure_training_faces(
    pipeline: InputPipeline | None, run: Run, progress: Progress
) -> None:
    """Measures training faces, for `detect` to tell what is unlike them.

    Args:
        pipeline: The run's own data; nothing is measured without.
        run: The run, in which `reference.json` is written.
        progress: Is told how it goes.
    """
    if pipeline is None:
        return
    if not any(video["records"] for video in pipeline.manifest.split("train")):
        return
    with progress.counting("measuring training faces") as count:
        done = 0

        def on_crop():
            nonlocal done
            done += 1
            count(done)

        reference = measure_training_data(
            pipeline.spread_crops("train", _MEASURED_VIDEOS, _MEASURED_FRAMES),
            pipeline.config.data.margin,
            on_crop,
        )
    reference.write(run.folder)


def in_words(calibration: Calibration) -> str:
    """Returns a calibration in words, without a full stop."""
    if not calibration.calibrated:
        return f"not calibrated: {calibration.why}"
    frame, video = calibration.frame, calibration.video
    errors = ""
    if None not in (calibration.balanced_ece_before, calibration.ece_before):
        errors = (
            f"balanced ECE {calibration.balanced_ece_before:.3f} -> "
            f"{calibration.balanced_ece_after:.3f} (as it is "
            f"{calibration.ece_before:.3f} -> {calibration.ece_after:.3f}); "
        )
    prior = "an unknown prior"
    if calibration.prior is not None:
        prior = f"a prior of {calibration.prior:g}"
    return (
        f"slope {calibration.slope:.3f}, bias {calibration.bias:+.3f}, for {prior}; "
        f"{errors}by frame real up to {frame.real_to:.3f}, fake from "
        f"{frame.fake_from:.3f}, by video {video.real_to:.3f} and "
        f"{video.fake_from:.3f}"
    )


def _compare_records(run: Run, manifest: Manifest, progress: Progress) -> None:
    """Says where the validation split is not what the epoch was chosen by."""
    known = run.environment.get("records", {}).get("val")
    if known not in (None, manifest.digest("val")):
        progress.say(
            f"Warning: the validation split in {manifest.folder} is not the one that "
            "the run's epoch was chosen by: files were added or removed, or prepared "
            "anew. The run is calibrated on what is there."
        )


def _report_previous(run: Run, progress: Progress) -> None:
    try:
        progress.say(f"Before: {in_words(Calibration.read(run.folder))}.")
    except ModelError:
        progress.say("Before: calibration.json was damaged.")
