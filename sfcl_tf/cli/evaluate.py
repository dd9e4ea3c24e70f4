"""Score splits of data sets with a trained model, or compare two.

Gives AUC with 95 % intervals by video, verdicts by the run's calibration, and the
difference to a baseline where one that was trained alike lies beside. Several data
sets are also pooled. Whatever is looked at is noted in RUN/evaluations.jsonl. Nothing
is calibrated, and a part of the run's data (--methods, --frames, ...) or other data
goes to files of its own: see docs/evaluation.md.

  sfcl evaluate runs/NAME
  sfcl evaluate runs/NAME --methods Deepfakes
  sfcl evaluate runs/NAME --dataset celebdf_v2 dfdc --data-root /data --frames 50
  sfcl evaluate runs/NAME --degrade jpeg=50 --degrade blur=1
  sfcl evaluate runs/NAME runs/OTHER --paired
  sfcl evaluate s3://bucket/runs/NAME --records s3://bucket/records
"""

import sfcl_tf
from sfcl_tf.cli import options, show
from sfcl_tf.cli.console import console, percent, say
from sfcl_tf.cli.progress import ConsoleProgress
from sfcl_tf.runs import Run, files
from sfcl_tf.system.errors import SfclError, UsageError
from sfcl_tf.system.quiet import import_tensorflow


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
    parser.add_argument(
        "--degrade",
        action="append",
        default=[],
        metavar="KIND=LEVEL",
        help="degrade each face before it is scored, such as jpeg=50 (quality), blur=2 "
        "(sigma in pixels), noise=8 (grey levels) or resize=0.5; may be repeated with "
        "another kind",
    )
    options.add_data(parser)
    options.add_preparation(parser)
    options.add_engine(parser)


def run(args):
    """Runs the subcommand."""
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
    sources = options.sources(args)
    with Run.open(args.run_dir[0]) as first:
        if args.paired:
            with Run.open(args.run_dir[1]) as second:
                return _compare(args, first, second, sources)
        return _evaluate(args, first, sources)


def _evaluate(args, run, sources):
    """Evaluates on each data set; one that cannot be read does not stop the others."""
    import_tensorflow()
    from sfcl_tf.workflow.evaluate import pool, threshold_at, validation_scores

    # What it lacks is told before anything is scored.
    validation = None if args.fpr is None else validation_scores(run, sources)
    scored, failed = [], []
    for choice in _choices(args):
        try:
            evaluation = sfcl_tf.evaluate(
                run,
                split=args.split,
                sources=sources,
                progress=ConsoleProgress(),
                **choice,
            )
            scored.append(evaluation)
            if validation is not None:
                at = threshold_at(run, evaluation, validation, args.fpr)
                _print_threshold(at, args.fpr)
        except SfclError as error:
            if len(args.dataset or ()) < 2:
                raise
            failed.append(error)
            say(f"{choice['dataset']}: {error}")
    if len(scored) > 1:
        show.results(pool(run, scored))
        say(f"Pooled      {run.location / files.results('pooled')}")
    if failed:
        say(
            f"Not evaluated: {len(failed)} of {len(args.dataset)} data sets, see above."
        )
        return failed[0].exit_code
    return 0


def _choices(args):
    """Which data is scored, as `sfcl_tf.evaluate` takes it."""
    common = {
        "frames": args.frames,
        "faces": args.faces,
        "boxes": args.boxes,
        "detector": args.detector,
        "methods": options.methods(args),
        "degrade": tuple(args.degrade),
    }
    return [{"dataset": name, **common} for name in args.dataset or [None]]


def _print_threshold(point, rate):
    for level in ("frame", "video"):
        say(
            f"Threshold   by {level} {point[level]['threshold']:.4f} (calibrated "
            f"score) reaches {percent(rate)} % of the validation split's reals; "
            f"here {percent(point[level]['tpr'])} % of the fakes and "
            f"{percent(point[level]['fpr'])} % of the reals."
        )


def _compare(args, first, second, sources):
    comparison = sfcl_tf.compare(
        first,
        second,
        choices=[sfcl_tf.Choice(**choice) for choice in _choices(args)],
        split=args.split,
        sources=sources,
        progress=ConsoleProgress(),
    )
    console.print(show.comparison(comparison.data, comparison.one, comparison.two))
    say(f"Comparison  {comparison.file}, {comparison.plot}")
