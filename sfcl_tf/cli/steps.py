"""Steps that `train` takes and that stand as subcommands too."""

import numpy as np

from sfcl_tf.cli.console import progress, say


def evaluate_run(predictor, pipeline, run_dir, split, selection=None, history=None):
    """Scores a split with a progress bar; returns predictions and results."""
    from sfcl_tf.evaluation import evaluate

    frames = sum(video["records"] for video in pipeline.manifest.split(split))
    with progress() as bar:
        task = bar.add_task(f"scoring {split}", total=frames, note="")
        return evaluate(
            predictor,
            pipeline,
            run_dir,
            split=split,
            selection=selection,
            history=history,
            on_batch=lambda done: bar.update(task, completed=done),
        )


def export_run(model, config, pipeline, logits, path):
    """Exports a model, held against Keras's logits on test crops before it is there.

    Returns:
        `path`, `max_abs_difference` and `frames` for `results.json`.
    """
    from sfcl_tf.serving import export_savedmodel, verify_savedmodel

    say("Exporting the SavedModel and comparing it with Keras.")
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

    difference = export_savedmodel(model, config, path, check)
    return {
        "path": str(path),
        "max_abs_difference": difference,
        "frames": len(rows),
    }
