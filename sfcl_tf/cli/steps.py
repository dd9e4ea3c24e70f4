"""Steps that `train` takes and that stand as subcommands too."""

import contextlib

import numpy as np

from sfcl_tf.cli.console import progress, say

# Of the training split, to tell what its faces look like.
_MEASURED_VIDEOS, _MEASURED_FRAMES = 200, 8


@contextlib.contextmanager
def _scoring(pipeline, split):
    """Gives what is to be called with the number of frames scored so far."""
    frames = sum(video["records"] for video in pipeline.manifest.split(split))
    with progress() as bar:
        task = bar.add_task(f"scoring {split}", total=frames, note="")
        yield lambda done: bar.update(task, completed=done)


def evaluate_run(predictor, pipeline, run_dir, split, **options):
    """Scores a split with a progress bar; returns predictions and results.

    Further options are those of `sfcl_tf.evaluation.evaluate`.
    """
    from sfcl_tf.evaluation import evaluate

    with _scoring(pipeline, split) as on_batch:
        return evaluate(
            predictor, pipeline, run_dir, split=split, **options, on_batch=on_batch
        )


def calibrate_run(predictor, pipeline, run_dir, predictions=None):
    """Writes `calibration.json` by the run's own validation split, and says it.

    Args:
        predictor: The model's forward pass; not called where there are predictions.
        pipeline: The run's own data.
        run_dir: The run's directory.
        predictions: Of its whole validation split, if it was scored before.
    """
    from sfcl_tf.evaluation.calibrate import calibrate
    from sfcl_tf.evaluation.scoring import score, write_figures

    if predictions is None:
        with _scoring(pipeline, "val") as on_batch:
            predictions = score(predictor, pipeline, run_dir, "val", on_batch)
    found = calibrate(predictions)
    found.write(run_dir)
    write_figures(predictions, pipeline, run_dir, "val")
    if found.calibrated:
        say(f"Calibrated on the validation split: {told(found)}.")
    else:
        say(f"Not calibrated: {found.why}. Every verdict is uncertain.")


def told(calibration) -> str:
    """Returns a calibration in words, without a full stop."""
    found = calibration
    if not found.calibrated:
        return f"not calibrated: {found.why}"
    frame, video = found.frame, found.video
    errors = ""
    if None not in (found.balanced_ece_before, found.ece_before):
        errors = (
            f"balanced ECE {found.balanced_ece_before:.3f} -> "
            f"{found.balanced_ece_after:.3f} (as it is {found.ece_before:.3f} -> "
            f"{found.ece_after:.3f}); "
        )
    prior = "an unknown prior" if found.prior is None else f"a prior of {found.prior:g}"
    return (
        f"slope {found.slope:.3f}, bias {found.bias:+.3f}, for {prior}; "
        f"{errors}by frame real up to {frame.real_to:.3f}, fake from "
        f"{frame.fake_from:.3f}, by video {video.real_to:.3f} and "
        f"{video.fake_from:.3f}"
    )


def own_records(config, args, split):
    """Returns the pipeline of a run's own records, if those of a split are at hand."""
    from sfcl_tf.cli import options
    from sfcl_tf.data.cards import load_card
    from sfcl_tf.data.manifest import Settings, read_manifest, records_folder
    from sfcl_tf.data.pipeline import InputPipeline
    from sfcl_tf.errors import DataError

    try:
        card, settings = load_card(config.data.dataset), Settings.of(config.data)
    except DataError:
        return None  # its path, or its file of boxes, is gone
    manifest = read_manifest(records_folder(card, settings, options.records(args)))
    manifest = manifest and manifest.of_methods(config.data.methods)
    if not manifest or not manifest.split(split):
        return None
    return InputPipeline(manifest, config)


def measure_run(pipeline, run_dir):
    """Measures training faces, for `sfcl detect` to tell what is unlike them."""
    from sfcl_tf.evaluation.reference import measure_training_data

    videos = [v for v in pipeline.manifest.split("train") if v["records"]]
    if not videos:
        return
    with progress() as bar:
        task = bar.add_task("measuring training faces", total=None, note="")
        found = measure_training_data(
            pipeline.spread_crops("train", _MEASURED_VIDEOS, _MEASURED_FRAMES),
            pipeline.config.data.margin,
            lambda: bar.advance(task),
        )
    found.write(run_dir)


def export_run(model, config, run_dir, path, results, pipeline=None, logits=()):
    """Exports a run's model; with records, held against Keras before it is there.

    Args:
        model: The run's model.
        config: Its configuration.
        run_dir: Its directory.
        path: The SavedModel's directory, its last part a version number.
        results: Figures of its test split, for the model card; may be empty.
        pipeline: Gives test crops to compare on; `None` for no comparison.
        logits: Keras's logits of all of the test split's crops.

    Returns:
        `path`, `max_abs_difference` and `frames` for `results.json`.
    """
    from sfcl_tf.evaluation import Calibration
    from sfcl_tf.serving import export_savedmodel, extra_files, verify_savedmodel
    from sfcl_tf.serving.names import WARMUP

    compared = pipeline is not None
    say(f"Exporting the SavedModel{' and comparing it with Keras' * compared}.")
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

    extra = extra_files(run_dir, config, results)
    if WARMUP not in extra:
        say(
            "Without warm-up requests: tensorflow-serving-api is not installed "
            '(pip install "sfcl_tf[serve]"). The first requests to a server will be '
            "slow."
        )
    difference = export_savedmodel(
        model,
        config,
        path,
        check if compared else None,
        calibration=Calibration.read(run_dir),
        extra=extra,
    )
    return {
        "path": str(path),
        "max_abs_difference": difference,
        "frames": len(rows),
    }
