"""Train, evaluate and export a model, from videos to a SavedModel.

Prepares what is not prepared yet, trains, selects the epoch on the validation
split, scores the test split once, draws, writes a report and exports.

  sfcl train --dataset demo --preset tiny --frames 6 --epochs 3
  sfcl train --dataset ff_c40 --data-root /data
  sfcl train --dataset ff_c23 --set train.batch_size=8 --set model.sida=false
  sfcl train --resume runs/NAME
  sfcl train --resume runs/NAME --epochs 40
"""

import dataclasses
import os
import shutil
import time

from sfcl_tf.cli import options
from sfcl_tf.quiet import import_tensorflow
from sfcl_tf.storage import at_hand, is_remote, reached, require_writable


def add_arguments(parser):
    """Adds the subcommand's arguments."""
    parser.add_argument("--dataset", metavar="CARD", help="data set, such as ff_c40")
    parser.add_argument(
        "--resume",
        metavar="RUN",
        help="go on with a run that was ended, at its next batch; with --epochs "
        "beyond its own, with a finished one too",
    )
    options.add_data(parser)
    options.add_preparation(parser)
    options.add_engine(parser)
    options.add_config(parser)
    parser.add_argument(
        "--model",
        choices=("sfcl_hcmf", "efficientnet_b4", "xception", "meso4"),
        help="what to train; the others are baselines (default: sfcl_hcmf)",
    )
    parser.add_argument("--epochs", type=int, metavar="N")
    parser.add_argument(
        "--spatial-weights",
        metavar="W",
        help="imagenet, none, or an .h5 file (default: imagenet; none for tiny)",
    )
    parser.add_argument(
        "--download", action="store_true", help="fetch ImageNet weights if absent"
    )
    parser.add_argument(
        "--devices",
        default="",
        metavar="N",
        help="replicas: 2 takes GPUs, or logical CPUs where there are fewer; gpu:2 and "
        "cpu:2 insist (default: all GPUs, else one CPU)",
    )
    parser.add_argument(
        "--deterministic",
        action="store_true",
        default=None,
        help="the same bits for the same seed, on one device; slower",
    )
    parser.add_argument(
        "--cluster-timeout",
        type=float,
        default=300,
        metavar="S",
        help="seconds to wait for the other workers of TF_CONFIG (default: 300)",
    )
    parser.add_argument("--no-export", action="store_true", help="write no SavedModel")
    parser.add_argument(
        "--name", help="the run's name (default: data set, preset and time)"
    )
    options.add_runs(parser)


def run(args):
    """Runs the subcommand."""
    from sfcl_tf.cluster import read_cluster

    started = time.perf_counter()
    cluster = read_cluster()
    if args.resume:
        _resume(args, cluster, started)
    else:
        _begin(args, cluster, started)


def _begin(args, cluster, started):
    from sfcl_tf.errors import SfclError, UsageError

    if not args.dataset and not args.config:
        raise UsageError(
            "Expected --dataset CARD, --config with data.dataset, or --resume RUN. "
            "Received: none of them. "
            "Without data, try --dataset demo --preset tiny."
        )
    config = options.config(
        args,
        ("model.name", args.model),
        ("train.epochs", args.epochs),
        ("model.spatial_weights", args.spatial_weights),
        ("train.deterministic", args.deterministic),
    )
    if len(cluster) > 1 and not args.name:
        raise UsageError(
            "Expected --name with TF_CONFIG: all workers must mean the same run. "
            "Received: none."
        )
    place = _place(args, config)
    _require_shared(place, cluster)
    if not cluster.is_chief:
        _train(args, cluster, config, place, place, lambda: None, started)
        return
    _require_new(place)
    with at_hand(place) as (run_dir, save):
        try:
            _train(args, cluster, config, place, run_dir, save, started)
        except SfclError:
            if not (run_dir / "checkpoints/state.json").is_file():
                shutil.rmtree(run_dir)  # nothing was begun: the name is free again
            raise
        finally:
            if run_dir.is_dir() and not any(run_dir.iterdir()):
                run_dir.rmdir()


def _resume(args, cluster, started):
    from sfcl_tf.cli.console import say
    from sfcl_tf.cli.run_dir import open_run, read_results
    from sfcl_tf.config import override, read_config
    from sfcl_tf.errors import UsageError

    given = {
        "--dataset": args.dataset,
        "--config": args.config,
        "--model": args.model,
        "--spatial-weights": args.spatial_weights,
        "--name": args.name,
        "--frames": args.frames,
    }
    if wrong := [name for name, value in given.items() if value is not None]:
        raise UsageError(
            f"Expected --resume without {' and '.join(wrong)}: a run goes on with its "
            "own settings. To train with others, start a new one with "
            f"--config {args.resume}/config.toml."
        )
    with open_run(args.resume) as (place, run_dir, save):
        _require_shared(place, cluster)
        before = read_config(run_dir / "config.toml")
        config = override(before, args.overrides)
        if args.epochs is not None:
            config = _prolonged(config, args.epochs, before.train.epochs, place)
        elif _is_finished(read_results(run_dir), before, args):
            if args.overrides:
                raise UsageError(
                    f"Expected a run that is under way for --set. Received: {place}, "
                    f"which is finished, with --set {' --set '.join(args.overrides)}. "
                    f"Train it longer with --epochs above {before.train.epochs}, or a "
                    f"new one with --config {place}/config.toml and --set."
                )
            say(f"{place} is finished: trained and evaluated.")
            return
        _train(args, cluster, config, place, run_dir, save, started)


def _is_finished(results, config, args):
    """Tells whether a run's results are there, and those of its last epoch."""
    trained = results.get("trained_epochs", config.train.epochs)
    return (
        "summary" in results
        and trained == config.train.epochs
        and (args.no_export or "export" in results)
    )


def _prolonged(config, epochs, before, place):
    """Returns the configuration of a run that is to be trained for more epochs."""
    from sfcl_tf.cli.console import say
    from sfcl_tf.config import override
    from sfcl_tf.errors import UsageError

    if epochs <= before:
        raise UsageError(
            f"Expected --epochs above the {before} that {place} has. Received: "
            f"{epochs}. Leave it out to go on with what is left of them."
        )
    if config.train.schedule != "constant":
        say(
            f"The {config.train.schedule} schedule is that of {epochs} epochs now: the "
            "learning rate goes on where that would be, above what it had come to."
        )
    return override(config, [("train.epochs", epochs)])


def _train(args, cluster, config, place, run_dir, save, started):
    from sfcl_tf.cli.data import check_data, find_records, prepare_data
    from sfcl_tf.models import load_model, with_found_weights

    # All that can be missing is told before hours of preparation.
    check_data(args, config.data)

    found = with_found_weights(config.model, download=args.download)
    config = dataclasses.replace(config, model=found)
    import_tensorflow()
    from sfcl_tf.training import make_strategy

    strategy = make_strategy(
        args.devices, config.train.batch_size, cluster, args.cluster_timeout
    )
    prepare = prepare_data if len(cluster) == 1 else find_records
    manifest = prepare(args, config.data)

    from sfcl_tf.cli import show
    from sfcl_tf.cli.console import say
    from sfcl_tf.cli.steps import (
        calibrate_run,
        evaluate_run,
        export_run,
        measure_run,
    )
    from sfcl_tf.data.pipeline import InputPipeline
    from sfcl_tf.evaluation import write_report
    from sfcl_tf.evaluation.summary import write_results

    pipeline = InputPipeline(manifest, config)
    if cluster.is_chief:
        _write_settings(args, config, run_dir, manifest, strategy)
    _say_what_is_trained(config, pipeline, strategy, place)
    try:
        training = _fit(config, pipeline, run_dir, strategy, cluster, save)
    except KeyboardInterrupt:
        say(f"Go on with: sfcl train --resume {place}")
        raise
    if not cluster.is_chief:
        say(f"Worker {cluster.index} is done; worker 0 evaluates and exports.")
        return
    say(f"Selected epoch {training.selected_epoch} on the validation split.")
    measure_run(pipeline, run_dir)
    calibrate_run(training.predictor, pipeline, run_dir)
    facts = {
        "selected_epoch": training.selected_epoch,
        "selection": "highest frame AUC on the validation split",
        "trained_epochs": config.train.epochs,
    }
    predictions, results = evaluate_run(
        training.predictor,
        pipeline,
        run_dir,
        "test",
        facts=facts,
        history=training.history,
    )
    if args.no_export:
        results.pop("export", None)  # of what was trained before
    else:
        exported = f"savedmodel/{config.export.version}"
        results["export"] = export_run(
            load_model(run_dir),
            config,
            run_dir,
            run_dir / exported,
            results,
            pipeline,
            predictions.logit,
        ) | {"path": str(place / exported)}
    write_results(run_dir / "results.json", results)
    report = write_report(run_dir)
    show.results(results)
    show.paths(place, place / report.name, results)
    say(f"Done in {time.perf_counter() - started:.0f} s.")


def _write_settings(args, config, run_dir, manifest, strategy):
    from sfcl_tf.cli.run_dir import read_results
    from sfcl_tf.config import read_config, to_toml
    from sfcl_tf.evaluation.predictions import write_text
    from sfcl_tf.evaluation.summary import write_results
    from sfcl_tf.training.checkpoint import read_progress, require_settings
    from sfcl_tf.training.environment import note_resumed, write_environment

    if args.resume and (run_dir / "env.json").is_file():
        require_settings(run_dir / "checkpoints", config)
        step = read_progress(run_dir / "checkpoints").get("step", 0)
        note_resumed(run_dir / "env.json", manifest, strategy, step)
        # Results that are there are of what was trained so far.
        if "summary" in (results := read_results(run_dir)):
            epochs = read_config(run_dir / "config.toml").train.epochs
            write_results(
                run_dir / "results.json", {"trained_epochs": epochs, **results}
            )
    else:
        write_environment(run_dir / "env.json", manifest, config, strategy)
    write_text(run_dir / "config.toml", to_toml(config))


def _say_what_is_trained(config, pipeline, strategy, place):
    from sfcl_tf.cli.console import say

    replicas, options = strategy.num_replicas_in_sync, config.train
    shared = f", shared by {replicas} devices" if replicas > 1 else ""
    steps = pipeline.steps_per_epoch()
    say(f"Training {config.model.name} ({config.model.preset}) in {place}.")
    say(
        f"An epoch is {pipeline.training_examples():,} examples in {steps:,} batches "
        f"of {options.batch_size}{shared}; {options.epochs:,} epochs are "
        f"{steps * options.epochs:,} steps. The first is traced, which takes a while."
    )
    _say_balance(pipeline)
    if config.model.name == "sfcl_hcmf":
        started = {"none": "random weights", "imagenet": "ImageNet weights"}
        parts = (("EfficientNet", "spatial_weights"), ("CNN-F", "frequency_weights"))
        told = (
            f"{part} from {started.get(choice, choice)}"
            for part, choice in ((p, getattr(config.model, key)) for p, key in parts)
        )
        say(f"{' and '.join(told)}.")
    for split, use in (
        ("train", "A model learns nothing from that."),
        ("val", "There is no AUC to select by: the epoch of least loss is taken."),
    ):
        videos = pipeline.manifest.split(split)
        if len({video["label"] for video in videos}) == 1:
            kind = "fake" if videos[0]["label"] else "real"
            say(f"Warning: the split {split} has {kind} faces alone. {use}")


def _say_balance(pipeline):
    """Tells how many of each class there are, and how often an epoch sees them."""
    from sfcl_tf.cli.console import say

    passes = pipeline.order.passes()
    counts = {0: [0, 0], 1: [0, 0]}
    for video in pipeline.manifest.split("train"):
        counts[video["label"]][0] += 1
        counts[video["label"]][1] += video["records"]
    told = (
        f"{counts[label][1]:,} {name} faces of {counts[label][0]:,} videos, each seen "
        f"{times:.3g}x an epoch"
        for label, name in ((0, "real"), (1, "fake"))
        if (times := passes.get(label))
    )
    both = "; half of each batch is real and half fake" if len(passes) == 2 else ""
    say(f"{' and '.join(told)}{both}.")


def _fit(config, pipeline, run_dir, strategy, cluster, save):
    from sfcl_tf.cli.console import say
    from sfcl_tf.cli.show_training import TrainingDisplay
    from sfcl_tf.training import train
    from sfcl_tf.training.checkpoint import read_progress
    from sfcl_tf.training.standardize import MOST

    steps = pipeline.steps_per_epoch()
    done = read_progress(run_dir / "checkpoints").get("step", 0)
    if done:
        epoch, step = divmod(done, steps)
        say(f"Going on after step {step} of epoch {epoch + 1}.")
    records = sum(video["records"] for video in pipeline.manifest.split("train"))
    examples = min(records, MOST)
    with TrainingDisplay(config.train.epochs, steps, examples, done, save) as display:
        return train(
            config,
            pipeline,
            run_dir,
            strategy=strategy,
            is_chief=cluster.is_chief,
            on_statistics=display.on_statistics,
            on_batch=display.on_batch,
            on_epoch=display.on_epoch,
            on_interrupt=display.on_interrupt,
        )


def _require_shared(place, cluster):
    """Several workers need one run directory, which s3:// cannot give them."""
    from sfcl_tf.errors import UsageError

    if len(cluster) > 1 and is_remote(place):
        raise UsageError(
            f"Expected a folder that all workers share. Received: {place}. Runs on "
            "s3:// are made in a folder of one machine: give a shared one by --runs."
        )


def _place(args, config):
    from sfcl_tf.data.cards import load_card
    from sfcl_tf.errors import UsageError

    stamp = time.strftime("%Y%m%d-%H%M%S")
    dataset = load_card(config.data.dataset).name
    model = "" if config.model.name == "sfcl_hcmf" else f"{config.model.name}-"
    name = args.name or f"{dataset}-{model}{config.model.preset}-{stamp}"
    if name != os.path.basename(name) or name in ("", ".", ".."):  # noqa: PTH119
        raise UsageError(
            f"Expected --name to be a plain name. Received: {name!r}. Give the folder "
            "by --runs."
        )
    return options.runs(args) / name


def _require_new(path):
    from sfcl_tf.errors import UsageError

    if is_remote(path):
        with reached(path):
            exists = path.exists()
        if exists:
            raise _is_there(path, " and is a run")
        require_writable(path)
        return
    try:
        path.mkdir(parents=True)
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except FileExistsError as error:
        raise _is_there(path, " and is a run" if path.is_dir() else "") from error
    except OSError as error:
        raise UsageError(
            f"Expected a folder in which runs can be written. Received: {path} "
            f"({os.strerror(error.errno)}). Give another one by --runs or SFCL_RUNS."
        ) from error


def _is_there(path, what):
    from sfcl_tf.errors import UsageError

    return UsageError(
        f"Expected a new run. Received: {path}, which exists{what}. Choose another "
        f"--name, go on with it by --resume {path}, or remove it."
    )
