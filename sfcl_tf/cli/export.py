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

from pathlib import Path

import sfcl_tf
from sfcl_tf.cli import options
from sfcl_tf.cli.console import say
from sfcl_tf.cli.progress import ConsoleProgress
from sfcl_tf.serving.kit import write_kit
from sfcl_tf.serving.names import MODEL_NAME, MOST_VERSION
from sfcl_tf.system.errors import UsageError


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
    _check(args)
    if args.kit:
        files = write_kit(Path(args.kit))
        say(f"Kit {args.kit}: {len(files)} files. Begin with {args.kit}/README.md.")
    if not args.run_dir:
        return
    export = sfcl_tf.export(
        args.run_dir,
        to=f"{args.kit}/models/{MODEL_NAME}" if args.kit else args.to,
        format=args.format,
        precision=args.precision or "float32",
        version=args.version,
        sources=options.sources(args),
        progress=ConsoleProgress(),
    )
    kind = "SavedModel" if args.format == "savedmodel" else "Engine"
    say(f"{kind} {export.path}{export.note}")


def _check(args):
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
