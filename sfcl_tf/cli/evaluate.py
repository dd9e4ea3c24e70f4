"""Score a split of a data set with a trained model.

sfcl evaluate runs/NAME
sfcl evaluate runs/NAME --dataset ff_c40 --data-root /data --frames 50
sfcl evaluate s3://bucket/runs/NAME --records s3://bucket/records
"""

import dataclasses

from sfcl_tf.cli import options

_KEPT = ("selected_epoch", "selection", "export")


def add_arguments(parser):
    """Adds the subcommand's arguments."""
    parser.add_argument("run_dir", metavar="RUN", help="a run's directory, or its URL")
    parser.add_argument(
        "--dataset", metavar="CARD", help="data set (default: the run's own)"
    )
    parser.add_argument("--split", choices=("train", "val", "test"), default="test")
    parser.add_argument(
        "--frames", type=int, metavar="N", help="frames per video (default: the run's)"
    )
    options.add_data(parser)
    options.add_preparation(parser)
    options.add_engine(parser)


def run(args):
    """Runs the subcommand."""
    from sfcl_tf.cli.run_dir import open_run
    from sfcl_tf.errors import UsageError

    if args.frames is not None and args.frames < 1:
        raise UsageError(f"Expected --frames of at least 1. Received: {args.frames}.")
    with open_run(args.run_dir) as (place, run_dir, _):
        _evaluate(args, place, run_dir)


def _evaluate(args, place, run_dir):
    from sfcl_tf.cli.run_dir import load_run, read_history, read_results

    config, model = load_run(run_dir)
    data = _data(args, config.data)

    from sfcl_tf.cli import show
    from sfcl_tf.cli.console import console, say
    from sfcl_tf.cli.data import prepare_data
    from sfcl_tf.cli.steps import evaluate_run
    from sfcl_tf.data.pipeline import InputPipeline
    from sfcl_tf.evaluation import Predictor, write_report
    from sfcl_tf.evaluation.evaluate import result_name

    manifest = prepare_data(args, data, (args.split,))
    own = data == config.data and args.split == "test"
    earlier = read_results(run_dir) if own else {}
    pipeline = InputPipeline(manifest, config)
    _, results = evaluate_run(
        Predictor(model),
        pipeline,
        run_dir,
        args.split,
        {key: earlier[key] for key in _KEPT if key in earlier},
        read_history(run_dir),
    )
    console.print(show.results(results))
    name = result_name(pipeline, args.split)
    say(f"Predictions {place / f'predictions_{name}.csv'}")
    if own:
        say(f"Report {place / write_report(run_dir).name}")


def _data(args, own):
    """Returns the run's `DataConfig`, changed by what the flags say."""
    flags = {
        key.removeprefix("data."): value
        for key, value in options.preparation(args)
        if value is not None
    }
    if args.dataset and args.dataset != own.dataset:
        # Boxes and methods are those of the data set trained on.
        flags = {"dataset": args.dataset, "boxes": "", "methods": (), **flags}
    if "methods" in flags:
        flags["methods"] = tuple(flags["methods"])
    return dataclasses.replace(own, **flags)
