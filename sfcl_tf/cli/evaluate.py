"""Score splits of data sets with a trained model, or compare two.

Gives AUC with 95 % intervals by video, verdicts by the run's calibration, and the
difference to a baseline where one that was trained alike lies beside. Several data
sets are also pooled. Whatever is looked at is noted in RUN/evaluations.jsonl. Nothing
is calibrated, and a part of the run's data (--methods, --frames, ...) or other data
goes to files of its own: see docs/evaluation.md.

  sfcl evaluate runs/NAME
  sfcl evaluate runs/NAME --methods Deepfakes
  sfcl evaluate runs/NAME --dataset celebdf_v2 dfdc --data-root /data --frames 50
  sfcl evaluate runs/NAME runs/OTHER --paired
  sfcl evaluate s3://bucket/runs/NAME --records s3://bucket/records
"""

import dataclasses
import functools

from sfcl_tf.cli import options
from sfcl_tf.cli.console import console, say


def add_arguments(parser):
    """Adds the subcommand's arguments."""
    parser.add_argument(
        "run_dir",
        metavar="RUN",
        nargs="+",
        help="a run's directory, or its URL; two with --paired",
    )
    parser.add_argument(
        "--dataset",
        metavar="CARD",
        nargs="+",
        action="extend",
        help="data sets (default: the run's own)",
    )
    parser.add_argument("--split", choices=("train", "val", "test"), default="test")
    parser.add_argument(
        "--paired",
        action="store_true",
        help="compare the two runs on the same faces",
    )
    parser.add_argument(
        "--fpr",
        type=float,
        metavar="R",
        help="tell the threshold that calls a share R of the validation split's reals "
        "fake, and what it does here",
    )
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
    if args.fpr is not None and not 0 <= args.fpr <= 1:
        raise UsageError(f"Expected --fpr in 0..1. Received: {args.fpr:g}.")
    if len(args.run_dir) != 1 + args.paired:
        raise UsageError(
            "Expected one RUN, or two with --paired. Received: "
            f"{len(args.run_dir)}{' with --paired' if args.paired else ''}. Evaluate "
            "several runs one after another; `sfcl runs` puts them side by side."
        )
    first, *other = args.run_dir
    with open_run(first) as (place, run_dir, _):
        if not other:
            return _evaluate(args, place, run_dir)
        with open_run(other[0]) as (other_place, other_dir, _):
            return _compare(args, place, run_dir, other_place, other_dir)


def _evaluate(args, place, run_dir):
    """Evaluates on each data set; one that cannot be read does not stop the others."""
    from sfcl_tf.errors import SfclError

    validation = None if args.fpr is None else _validation(args, place, run_dir)
    scored, failed = {}, []
    for dataset in args.dataset or [None]:
        try:
            name, predictions = _score(args, place, run_dir, dataset)
            scored[name] = predictions
            if validation is not None:
                _say_threshold(run_dir, validation, predictions, args.fpr)
        except SfclError as error:
            if len(args.dataset or ()) < 2:
                raise
            failed.append(error)
            say(f"{dataset}: {error}")
    if len(scored) > 1:
        _pool(place, run_dir, scored)
    if failed:
        say(
            f"Not evaluated: {len(failed)} of {len(args.dataset)} data sets, see above."
        )
        return failed[0].exit_code
    return 0


def _score(args, place, run_dir, dataset):
    from sfcl_tf.cli.run_dir import read_history

    config, predictor = _load(run_dir)
    data = _data(args, config.data, dataset)

    from sfcl_tf.cli import show
    from sfcl_tf.cli.data import prepare_data
    from sfcl_tf.cli.steps import evaluate_run
    from sfcl_tf.data.pipeline import InputPipeline
    from sfcl_tf.evaluation import calibrate, write_report
    from sfcl_tf.evaluation.scoring import result_name

    pipeline = InputPipeline(prepare_data(args, data, (args.split,)), config)
    predictions, results = evaluate_run(
        predictor, pipeline, run_dir, args.split, history=read_history(run_dir)
    )
    show.results(results)
    if not (run_dir / calibrate.FILE).is_file():
        say(
            "Not calibrated: verdicts are by a threshold of 0.5. Find the run's own on "
            f"its validation split: sfcl calibrate {place}"
        )
    name = result_name(pipeline, args.split)
    report = place / write_report(run_dir).name
    say(f"Predictions {place / f'predictions_{name}.csv'}")
    if name == "test":
        say(f"Report      {report}")
    else:
        say(f"Plots       {place / f'plots_{name}'}")
    return name, predictions


@functools.cache
def _load(run_dir):
    """A run's configuration and its forward pass, traced once for all data sets."""
    from sfcl_tf.cli.run_dir import load_run

    config, model = load_run(run_dir)
    from sfcl_tf.evaluation import Predictor

    return config, Predictor(model)


def _validation(args, place, run_dir):
    """Returns the scores of the run's own whole validation split.

    Raises:
        DataError: If they are not there, are of other records, or have no reals.
    """
    from sfcl_tf.cli.run_dir import stored_scores
    from sfcl_tf.errors import DataError

    found = stored_scores(args, run_dir, "val")
    if found is None:
        raise DataError(
            "Expected scores of the run's whole validation split, of which --fpr is a "
            "share. Received: none, or of other records. Write them: sfcl calibrate "
            f"{place}"
        )
    if not (found.label == 0).any():
        raise DataError(
            "Expected real faces in the validation split, of which --fpr is a share. "
            "Received: none. Add real videos to it."
        )
    return found


def _say_threshold(run_dir, validation, predictions, rate):
    from sfcl_tf.cli.console import percent
    from sfcl_tf.evaluation import Calibration
    from sfcl_tf.evaluation.calibrate import operating_point

    found = operating_point(validation, predictions, Calibration.read(run_dir), rate)
    for level in ("frame", "video"):
        say(
            f"Threshold   by {level} {found[level]['threshold']:.4f} (calibrated "
            f"score) reaches {percent(rate)} % of the validation split's reals; "
            f"here {percent(found[level]['tpr'])} % of the fakes and "
            f"{percent(found[level]['fpr'])} % of the reals."
        )


def _pool(place, run_dir, scored):
    from sfcl_tf.cli import show
    from sfcl_tf.evaluation import Calibration, Predictions, write_report
    from sfcl_tf.evaluation.scoring import describe, draw
    from sfcl_tf.evaluation.summary import write_results

    pooled = Predictions.pooled(scored.values())
    results = {
        "dataset": " + ".join(scored),
        "split": "pooled",
        **describe(pooled, Calibration.read(run_dir)),
    }
    write_results(run_dir / "results_pooled.json", results)
    draw(pooled, results, [], run_dir / "plots_pooled")
    show.results(results)
    say(f"Pooled      {place / 'results_pooled.json'}")
    write_report(run_dir)


def _compare(args, place, run_dir, other_place, other_dir):
    from sfcl_tf.cli import show
    from sfcl_tf.evaluation import plots
    from sfcl_tf.evaluation.compare import compare
    from sfcl_tf.evaluation.plots_groups import plot_differences
    from sfcl_tf.evaluation.summary import write_results

    found = {}
    for dataset in args.dataset or [None]:
        name, mine = _stored_or_scored(args, place, run_dir, dataset)
        _, theirs = _stored_or_scored(args, other_place, other_dir, dataset)
        found[name] = compare(mine, theirs)
    one, two = place.name, other_place.name
    # The plain names are for the whole of the run's own test split.
    others = "" if [*found] == ["test"] else f"_{'+'.join(found)}"
    path, folder = f"paired_{two}{others}.json", f"plots{others}"
    write_results(run_dir / path, {"one": one, "two": two, "data": found})
    (run_dir / folder).mkdir(exist_ok=True)
    plot = f"{folder}/paired_{two}"
    plots.save(plot_differences(found, one, two), run_dir / plot)
    console.print(show.comparison(found, one, two))
    say(f"Comparison  {place / path}, {place / f'{plot}.png'}")


def _stored_or_scored(args, place, run_dir, dataset):
    """A run's own whole split is scored once; other data is where asked for."""
    from sfcl_tf.cli.run_dir import stored_scores

    changed = (args.frames, args.faces, args.boxes, args.methods)
    if dataset is None and changed == (None,) * 4:
        found = stored_scores(args, run_dir, args.split)
        if found is not None:
            return args.split, found
    return _score(args, place, run_dir, dataset)


def _data(args, own, dataset):
    """Returns the run's `DataConfig`, changed by what the flags say."""
    from sfcl_tf.data.cards import dataset_path

    flags = {
        key.removeprefix("data."): value
        for key, value in options.preparation(args)
        if value is not None
    }
    dataset = dataset and dataset_path(dataset)
    if dataset and dataset != own.dataset:
        # Boxes and methods are those of the data set trained on.
        flags = {"dataset": dataset, "boxes": "", "methods": (), **flags}
    if "methods" in flags:
        flags["methods"] = tuple(flags["methods"])
    return dataclasses.replace(own, **flags)
