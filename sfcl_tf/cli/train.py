"""Train, evaluate and export a model, from videos to a SavedModel.

Prepares what is not prepared yet, trains, selects the epoch on the validation
split, scores the test split once, draws, writes a report and exports.

  sfcl train --dataset demo --preset tiny --frames 6 --epochs 3
  sfcl train --dataset ff_c40 --data-root /data
  sfcl train --dataset ff_c23 --set train.batch_size=8 --set model.sida=false
"""

import os
import time

from sfcl_tf.cli import options
from sfcl_tf.quiet import import_tensorflow
from sfcl_tf.storage import at_hand, is_remote, reached, require_writable


def add_arguments(parser):
    """Adds the subcommand's arguments."""
    parser.add_argument("--dataset", metavar="CARD", help="data set, such as ff_c40")
    options.add_data(parser)
    options.add_preparation(parser)
    options.add_engine(parser)
    options.add_config(parser)
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
        type=int,
        default=0,
        metavar="N",
        help="replicas: GPUs, or logical CPUs where there are fewer (default: all "
        "GPUs, else one CPU)",
    )
    parser.add_argument(
        "--name", help="the run's name (default: data set, preset and time)"
    )
    options.add_runs(parser)


def run(args):
    """Runs the subcommand."""
    from sfcl_tf.errors import UsageError

    if not args.dataset and not args.config:
        raise UsageError(
            "Expected --dataset CARD, or --config with data.dataset. Received: "
            "neither. "
            "Without data, try --dataset demo --preset tiny."
        )
    config = options.config(
        args,
        ("train.epochs", args.epochs),
        ("model.spatial_weights", args.spatial_weights),
    )
    place = _new_place(args, config)
    started = time.perf_counter()
    with at_hand(place) as (run_dir, save):
        try:
            _train(args, config, place, run_dir, save, started)
        finally:
            if run_dir.is_dir() and not any(run_dir.iterdir()):
                run_dir.rmdir()  # nothing was begun


def _train(args, config, place, run_dir, save, started):
    from sfcl_tf.cli.data import check_data, prepare_data
    from sfcl_tf.models import load_model
    from sfcl_tf.models.weights import resolve_weights

    # All that can be missing is told before hours of preparation.
    check_data(args, config.data)

    for choice, network in (
        (config.model.spatial_weights, config.model.spatial),
        (config.model.frequency_weights, "xception"),
    ):
        resolve_weights(choice, network, download=args.download)
    import_tensorflow()
    from sfcl_tf.training import make_strategy, train

    strategy = make_strategy(args.devices, config.train.batch_size)
    manifest = prepare_data(args, config.data)

    from sfcl_tf.cli import show
    from sfcl_tf.cli.console import console, progress, say
    from sfcl_tf.cli.steps import evaluate_run, export_run
    from sfcl_tf.config import to_toml
    from sfcl_tf.data.pipeline import InputPipeline
    from sfcl_tf.errors import DataError
    from sfcl_tf.evaluation import write_report
    from sfcl_tf.evaluation.evaluate import write_results
    from sfcl_tf.training.environment import write_environment

    (run_dir / "config.toml").write_text(to_toml(config), "utf-8")
    write_environment(run_dir / "env.json", manifest, config, strategy)
    pipeline = InputPipeline(manifest, config)
    steps = pipeline.steps_per_epoch()
    say(
        f"Training {config.model.name} ({config.model.preset}) on "
        f"{pipeline.training_examples()} examples an epoch (reals "
        f"{pipeline.real_repeat()}x), epochs: {config.train.epochs}, in {place}; "
        "the first step is traced, which takes a while."
    )
    examples = sum(video["records"] for video in manifest.split("train"))
    with progress() as bar:
        pass_over = bar.add_task("band statistics", total=examples, note="")
        task = bar.add_task(
            "training", total=steps * config.train.epochs, note="tracing"
        )

        def on_batch(epoch, batch, logs):
            bar.update(
                task,
                completed=(epoch - 1) * steps + batch,
                note=f"epoch {epoch}  loss {logs['loss']:.4f}  AUC {logs['auc']:.3f}",
            )

        def on_epoch(row):
            say(show.epoch(row))
            try:
                save()
            except DataError as error:  # the next epoch tries again
                say(f"Not saved yet: {error}")

        training = train(
            config,
            pipeline,
            run_dir,
            strategy=strategy,
            on_statistics=lambda done: bar.update(pass_over, completed=done),
            on_batch=on_batch,
            on_epoch=on_epoch,
        )
    say(f"Selected epoch {training.selected_epoch} on the validation split.")
    selection = {
        "selected_epoch": training.selected_epoch,
        "selection": "highest frame AUC on the validation split",
    }
    predictions, results = evaluate_run(
        training.predictor, pipeline, run_dir, "test", selection, training.history
    )
    exported = f"savedmodel/{config.export.version}"
    results["export"] = export_run(
        load_model(run_dir), config, pipeline, predictions.logit, run_dir / exported
    ) | {"path": str(place / exported)}
    write_results(run_dir / "results.json", results)
    report = write_report(run_dir)
    console.print(show.results(results))
    show.paths(place, place / report.name, results)
    say(f"Done in {time.perf_counter() - started:.0f} s.")


def _new_place(args, config):
    from sfcl_tf.data.cards import load_card
    from sfcl_tf.errors import UsageError

    stamp = time.strftime("%Y%m%d-%H%M%S")
    dataset = load_card(config.data.dataset).name
    name = args.name or f"{dataset}-{config.model.preset}-{stamp}"
    if name != os.path.basename(name) or name in ("", ".", ".."):  # noqa: PTH119
        raise UsageError(
            f"Expected --name to be a plain name. Received: {name!r}. Give the folder "
            "by --runs."
        )
    path = options.runs(args) / name
    if is_remote(path):
        with reached(path):
            exists = path.exists()
        if exists:
            raise _is_there(path, " and is a run")
        require_writable(path)
        return path
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
    return path


def _is_there(path, what):
    from sfcl_tf.errors import UsageError

    return UsageError(
        f"Expected a new run. Received: {path}, which exists{what}. Choose another "
        "--name, or remove it."
    )
