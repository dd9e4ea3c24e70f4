"""Steps that `train` takes and that stand as subcommands too."""

import numpy as np

from sfcl_tf.cli.console import progress, say


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


def require_calibration(predictor, config, args, run_dir):
    """Calibrates a run that never was, where its validation records are at hand."""
    from sfcl_tf.cli import options
    from sfcl_tf.data.cards import load_card
    from sfcl_tf.data.manifest import Settings, read_manifest, records_folder
    from sfcl_tf.data.pipeline import InputPipeline
    from sfcl_tf.evaluation.calibrate import FILE

    if (run_dir / FILE).is_file():
        return
    card = load_card(config.data.dataset)
    folder = records_folder(card, Settings.of(config.data), options.records(args))
    manifest = read_manifest(folder)
    manifest = manifest and manifest.of_methods(config.data.methods)
    if manifest and manifest.split("val"):
        calibrate_run(predictor, InputPipeline(manifest, config), run_dir)
    else:
        say(
            "Not calibrated: the records of the run's validation split are not at "
            "hand. The threshold is 0.5."
        )


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
