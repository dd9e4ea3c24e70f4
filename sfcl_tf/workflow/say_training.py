"""What is said before training begins."""

from sfcl_tf.config import Config
from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.workflow.progress import Progress


def what_is_trained(
    config: Config, pipeline: InputPipeline, replicas: int, location, progress: Progress
) -> None:
    """Says what an epoch is, of what it is made, and what is odd about it.

    Args:
        config: The run's configuration.
        pipeline: Its data.
        replicas: Devices that share a batch.
        location: Where the run lies.
        progress: Is told.
    """
    options, steps = config.train, pipeline.steps_per_epoch()
    shared = f", shared by {replicas} devices" if replicas > 1 else ""
    progress.say(f"Training {config.model.name} ({config.model.preset}) in {location}.")
    progress.say(
        f"An epoch is {pipeline.training_examples():,} examples in {steps:,} batches "
        f"of {options.batch_size}{shared}; {options.epochs:,} epochs are "
        f"{steps * options.epochs:,} steps. The first is traced, which takes a while."
    )
    _balance(pipeline, progress)
    if config.model.name == "sfcl_hcmf":
        _initial_weights(config, progress)
    for split, use in (
        ("train", "A model learns nothing from that."),
        ("val", "There is no AUC to select by: the epoch of least loss is taken."),
    ):
        videos = pipeline.manifest.split(split)
        if len({video["label"] for video in videos}) == 1:
            kind = "fake" if videos[0]["label"] else "real"
            progress.say(f"Warning: the split {split} has {kind} faces alone. {use}")


def _initial_weights(config, progress):
    started = {"none": "random weights", "imagenet": "ImageNet weights"}
    parts = (
        (config.model.spatial, "spatial_weights"),
        ("CNN-F", "frequency_weights"),
    )
    phrases = (
        f"{part} from {started.get(choice, choice)}"
        for part, choice in ((p, getattr(config.model, key)) for p, key in parts)
    )
    progress.say(f"{' and '.join(phrases)}.")


def _balance(pipeline, progress):
    """Tells how many of each class there are, and how often an epoch sees them."""
    passes = pipeline.order.passes()
    counts = {0: [0, 0], 1: [0, 0]}
    for video in pipeline.manifest.split("train"):
        counts[video["label"]][0] += 1
        counts[video["label"]][1] += video["records"]
    phrases = (
        f"{counts[label][1]:,} {name} faces of {counts[label][0]:,} videos, each seen "
        f"{times:.3g}x an epoch"
        for label, name in ((0, "real"), (1, "fake"))
        if (times := passes.get(label))
    )
    both = "; half of each batch is real and half fake" if len(passes) == 2 else ""
    progress.say(f"{' and '.join(phrases)}{both}.")
