"""Train, evaluate and export a model, from videos to a SavedModel.

Prepares what is not prepared yet, trains, selects the epoch on the validation
split, scores the test split once, draws, writes a report and exports.

  sfcl train --dataset demo --preset tiny --frames 6 --epochs 3
  sfcl train --dataset ff_c40 --data-root /data
  sfcl train --dataset ff_c23 --set train.batch_size=8 --set model.sida=false
  sfcl train --resume runs/NAME
  sfcl train --resume runs/NAME --epochs 40
"""

import sfcl_tf
from sfcl_tf.cli import options
from sfcl_tf.cli.progress import ConsoleProgress
from sfcl_tf.models.registry import DETECTORS
from sfcl_tf.system.errors import UsageError


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
        choices=tuple(DETECTORS),
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
    common = {
        "sources": options.sources(args),
        "devices": args.devices,
        "export": not args.no_export,
        "download": args.download,
        "cluster_timeout": args.cluster_timeout,
        "progress": ConsoleProgress(),
    }
    if args.resume:
        _resume(args, common)
    else:
        _begin(args, common)


def _begin(args, common):
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
    common["sources"].require(config.data)  # told before TensorFlow is loaded
    sfcl_tf.train(config, runs=options.runs(args), name=args.name, **common)


def _resume(args, common):
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
    sfcl_tf.resume(args.resume, epochs=args.epochs, overrides=args.overrides, **common)
