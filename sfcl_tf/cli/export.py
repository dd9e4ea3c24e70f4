"""Export a run: a SavedModel for TensorFlow Serving, an engine's file, a kit.

The SavedModel takes face crops or whole frames as bytes and gives score and verdict;
it needs no Python of this package. It is compared with Keras on the run's test frames
where their records are at hand. OpenVINO and ONNX files hold the network alone.

  sfcl export runs/NAME
  sfcl export runs/NAME --to /models/sfcl
  sfcl export runs/NAME --kit deploy        # and what serves it: cd deploy
  sfcl export runs/NAME --format openvino --precision bf16
  sfcl export s3://bucket/runs/NAME --to s3://bucket/models/sfcl
"""

from sfcl_tf.cli import options

MOST_VERSION = 10**18


def add_arguments(parser):
    """Adds the subcommand's arguments."""
    parser.add_argument(
        "run_dir", metavar="RUN", nargs="?", help="a run's directory, or its URL"
    )
    parser.add_argument(
        "--to",
        metavar="DIR",
        help="model's base path, or s3://BUCKET/PREFIX (default: RUN/savedmodel)",
    )
    parser.add_argument(
        "--version", type=int, metavar="N", help="number of the model's version"
    )
    parser.add_argument(
        "--kit",
        metavar="DIR",
        help="write what serves it there: compose, Kubernetes, batching, monitoring; "
        "with RUN the SavedModel too",
    )
    parser.add_argument(
        "--format",
        choices=("savedmodel", "openvino", "onnx"),
        default="savedmodel",
        help="what to write (default: savedmodel)",
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "bf16", "int8"),
        default="float32",
        help="of an OpenVINO or ONNX file (default: float32)",
    )
    parser.add_argument(
        "--records",
        metavar="DIR",
        help="folder of prepared records, or s3://BUCKET/PREFIX (default: "
        "$SFCL_RECORDS or ./records)",
    )


def run(args):
    """Runs the subcommand."""
    from sfcl_tf.cli.run_dir import open_run

    _check(args)
    if args.kit:
        _write_kit(args)
    if not args.run_dir:
        return
    with open_run(args.run_dir) as (place, run_dir, _):
        from sfcl_tf.cli.run_dir import load_run

        config, model = load_run(run_dir)
        if args.format == "savedmodel":
            _export(args, config, model, place, run_dir)
        else:
            from sfcl_tf.cli.export_engine import run as export_engine

            export_engine(args, config, model, place, run_dir)


def _check(args):
    from sfcl_tf.errors import UsageError

    if args.version is not None and not 1 <= args.version <= MOST_VERSION:
        raise UsageError(
            f"Expected --version of 1 to {MOST_VERSION}. Received: {args.version}."
        )
    if not args.run_dir and not args.kit:
        raise UsageError(
            "Expected a run's directory. Received none. `sfcl runs` lists them."
        )
    engine = args.format != "savedmodel"
    if engine and (args.kit or args.version is not None):
        raise UsageError(
            f"Expected --kit and --version with a SavedModel. Received: --format "
            f"{args.format}. An engine's file is one folder; see --to."
        )
    if not engine and args.precision != "float32":
        raise UsageError(
            "Expected --precision with --format openvino or onnx. Received: "
            f"{args.precision} for a SavedModel, which keeps the model's own."
        )
    if args.kit and args.to:
        raise UsageError(
            "Expected --kit or --to. Received both. --kit puts the SavedModel into "
            "its own folder, where its files look for it."
        )


def _write_kit(args):
    from pathlib import Path

    from sfcl_tf.cli.console import say
    from sfcl_tf.serving.kit import write_kit

    files = write_kit(Path(args.kit))
    say(f"Kit {args.kit}: {len(files)} files. Begin with {args.kit}/README.md.")


def _export(args, config, model, place, run_dir):
    from sfcl_tf.cli.console import say
    from sfcl_tf.cli.run_dir import read_results
    from sfcl_tf.cli.steps import export_run
    from sfcl_tf.data.cards import load_card
    from sfcl_tf.data.manifest import Settings, read_manifest, records_folder
    from sfcl_tf.data.pipeline import InputPipeline
    from sfcl_tf.evaluation import Predictions
    from sfcl_tf.serving.names import MODEL_NAME
    from sfcl_tf.storage import at_hand, location

    version = str(args.version or config.export.version)
    to = f"{args.kit}/models/{MODEL_NAME}" if args.kit else args.to
    base = location(to) if to else run_dir / "savedmodel"
    told = (base if to else place / "savedmodel") / version
    card = load_card(config.data.dataset)
    manifest = read_manifest(
        records_folder(card, Settings.of(config.data), options.records(args))
    )
    scored = run_dir / "predictions_test.csv"
    logits = Predictions.read_csv(scored).logit if scored.is_file() else ()
    if manifest:
        manifest = manifest.of_methods(config.data.methods)
    videos = manifest.split("test") if manifest else ()
    records = sum(video["records"] for video in videos)
    comparable = bool(len(logits)) and len(logits) == records
    compare = (InputPipeline(manifest, config), logits) if comparable else ()
    with at_hand(base / version) as (path, _):
        if path.exists():
            say(
                f"Version {version} is there and is replaced. A server that has loaded "
                "it keeps what it has; to roll out, take a new --version."
            )
        result = export_run(
            model, config, run_dir, path, read_results(run_dir), *compare
        )
    if comparable:
        compared = (
            f", which differs from Keras by at most {result['max_abs_difference']:.1e} "
            f"in the logit on {result['frames']} frames."
        )
    else:
        compared = (
            f". Not compared with Keras: {len(logits)} test frames were scored, and "
            f"{records} are at hand as records."
        )
    say(f"SavedModel {told}{compared}")
