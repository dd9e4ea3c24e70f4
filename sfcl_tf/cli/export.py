"""Export a run as a SavedModel for TensorFlow Serving.

The SavedModel takes JPEG or PNG face crops as bytes and gives logit and score. It
is compared with Keras on the run's test frames where their records are at hand.

  sfcl export runs/NAME
  sfcl export runs/NAME --to /models/sfcl
  sfcl export s3://bucket/runs/NAME --to s3://bucket/models/sfcl
"""

from sfcl_tf.cli import options


def add_arguments(parser):
    """Adds the subcommand's arguments."""
    parser.add_argument("run_dir", metavar="RUN", help="a run's directory, or its URL")
    parser.add_argument(
        "--to",
        metavar="DIR",
        help="model's base path, or s3://BUCKET/PREFIX (default: RUN/savedmodel)",
    )
    parser.add_argument(
        "--version", type=int, metavar="N", help="number of the model's version"
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
    from sfcl_tf.errors import UsageError

    if args.version is not None and args.version < 1:
        raise UsageError(f"Expected --version of at least 1. Received: {args.version}.")
    with open_run(args.run_dir) as (place, run_dir, _):
        _export(args, place, run_dir)


def _export(args, place, run_dir):
    from sfcl_tf.cli.run_dir import load_run

    config, model = load_run(run_dir)

    from sfcl_tf.cli.console import say
    from sfcl_tf.cli.steps import export_run
    from sfcl_tf.data.cards import load_card
    from sfcl_tf.data.manifest import Settings, read_manifest, records_folder
    from sfcl_tf.data.pipeline import InputPipeline
    from sfcl_tf.evaluation import Predictions
    from sfcl_tf.serving import export_savedmodel
    from sfcl_tf.storage import at_hand, location

    version = str(args.version or config.export.version)
    base = location(args.to) if args.to else run_dir / "savedmodel"
    told = (base if args.to else place / "savedmodel") / version
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
    with at_hand(base / version) as (path, _):
        if not len(logits) or len(logits) != records:
            export_savedmodel(model, config, path)
            compared = (
                f". Not compared with Keras: {len(logits)} test frames were scored, "
                f"and {records} are at hand as records."
            )
        else:
            pipeline = InputPipeline(manifest, config)
            result = export_run(model, config, pipeline, logits, path)
            compared = (
                f", which differs from Keras by at most "
                f"{result['max_abs_difference']:.1e} in the logit on "
                f"{result['frames']} frames."
            )
    say(f"SavedModel {told}{compared}")
