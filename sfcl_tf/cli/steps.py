"""Steps that `train` takes and that stand as subcommands too."""

import numpy as np

from sfcl_tf.cli.console import progress, say

# Of the training split, to tell what its faces look like.
_MEASURED_VIDEOS, _MEASURED_FRAMES = 200, 8


def evaluate_run(predictor, pipeline, run_dir, split, **options):
    """Scores a split with a progress bar; returns predictions and results.

    Further options are those of `sfcl_tf.evaluation.evaluate`.
    """
    from sfcl_tf.evaluation import evaluate

    frames = sum(video["records"] for video in pipeline.manifest.split(split))
    with progress() as bar:
        task = bar.add_task(f"scoring {split}", total=frames, note="")
        return evaluate(
            predictor,
            pipeline,
            run_dir,
            split=split,
            **options,
            on_batch=lambda done: bar.update(task, completed=done),
        )


def calibrate_run(predictor, pipeline, run_dir):
    """Finds temperature and thresholds on the validation split, and says them."""
    evaluate_run(predictor, pipeline, run_dir, "val", drawn=False)
    from sfcl_tf.evaluation import Calibration

    found = Calibration.read(run_dir)
    if found.calibrated:
        say(
            f"Calibrated on the validation split: T {found.temperature:.3f}, ECE "
            f"{found.ece_before:.3f} -> {found.ece_after:.3f}; real up to "
            f"{found.real_to:.3f}, fake from {found.fake_from:.3f}."
        )
    else:
        say(
            "Not calibrated: the validation split has one class alone. The threshold "
            "is 0.5."
        )


def complete_run(predictor, config, args, run_dir):
    """Calibrates a run and measures its training faces, if that was never done.

    Its own records must be at hand for that.
    """
    from sfcl_tf.evaluation import calibrate, reference

    if not (run_dir / calibrate.FILE).is_file():
        if own := _own_records(config, args, "val"):
            calibrate_run(predictor, own, run_dir)
        else:
            say(
                "Not calibrated: the records of the run's validation split are not at "
                "hand. The threshold is 0.5."
            )
    if not (run_dir / reference.FILE).is_file() and (
        own := _own_records(config, args, "train")
    ):
        measure_run(own, run_dir)


def _own_records(config, args, split):
    """Returns the pipeline of a run's own records, if those of a split are at hand."""
    from sfcl_tf.cli import options
    from sfcl_tf.data.cards import load_card
    from sfcl_tf.data.manifest import Settings, read_manifest, records_folder
    from sfcl_tf.data.pipeline import InputPipeline

    card = load_card(config.data.dataset)
    folder = records_folder(card, Settings.of(config.data), options.records(args))
    manifest = read_manifest(folder)
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
