"""Arguments that several subcommands share."""

import ipaddress
import os
from pathlib import Path

from sfcl_tf.config.presets import PRESETS
from sfcl_tf.detect.load import newest_run
from sfcl_tf.system.errors import UsageError
from sfcl_tf.system.storage import is_remote, parse_location
from sfcl_tf.workflow.configure import configure
from sfcl_tf.workflow.sources import Sources, not_local

# `--address` is Ray's; `--server` says by itself that it takes HOST:PORT.
_MAY_BE_URLS = ("records", "runs", "run_dir", "to", "address", "server")


def add_data(parser):
    """Adds where data lies and where records go."""
    group = parser.add_argument_group("data")
    group.add_argument(
        "--data-root",
        action="append",
        default=[],
        metavar="DIR",
        help="the collection, or a folder that holds it; `card=DIR` for one data set "
        "alone; may be repeated (default: $SFCL_DATA)",
    )
    group.add_argument(
        "--records",
        metavar="DIR",
        help="folder for prepared records, or s3://BUCKET/PREFIX (default: "
        "$SFCL_RECORDS or ./records)",
    )
    group.add_argument(
        "--demo-dir",
        default="demo_data",
        metavar="DIR",
        help="where the demo's clips are made (default: ./demo_data)",
    )


def add_workers(parser, timeout=6 * 3600):
    """Adds who makes records, and how long one may take; returns the group."""
    group = parser.add_argument_group("preparation")
    group.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes that read videos here (default: one a core)",
    )
    group.add_argument(
        "--timeout",
        type=float,
        default=timeout,
        metavar="S",
        help="give a video up after so many seconds (default: %(default)s)",
    )
    return group


def add_preparation(parser, timeout=6 * 3600):
    """Adds how records are made; `timeout` is the default of that option."""
    group = add_workers(parser, timeout)
    group.add_argument(
        "--faces",
        choices=("largest", "all", "full"),
        help="follow the largest face, or all; full: the picture is a face crop "
        "already (default: largest)",
    )
    add_detector(group, "hog, as in the paper")
    group.add_argument(
        "--boxes", metavar="JSON", help="face boxes to take instead of detecting them"
    )
    group.add_argument(
        "--methods",
        metavar="A,B",
        help="manipulation methods to take, such as Deepfakes,FaceShifter (default: "
        "those of the card)",
    )


def add_detector(group, default):
    """Adds what finds faces; `default` tells which one does if none is named."""
    group.add_argument(
        "--detector",
        choices=("hog", "yunet"),
        help="what finds faces; yunet sees those turned away, tilted, covered or small "
        f"too (default: {default})",
    )


def add_engine(parser):
    """Adds which machines make records."""
    group = parser.add_argument_group("machines")
    group.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="prepare on this machine, or on a Ray cluster (default: local)",
    )
    group.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="the Ray cluster; `local` starts one here, of --workers CPUs (default: "
        "$RAY_ADDRESS, or one that runs here)",
    )


def add_config(parser):
    """Adds what changes the configuration."""
    group = parser.add_argument_group("configuration")
    group.add_argument(
        "--preset",
        default="paper",
        help=f"{', '.join(PRESETS)} (default: paper)",
    )
    group.add_argument("--config", metavar="TOML", help="a run's config.toml, or part")
    group.add_argument("--frames", type=int, metavar="N", help="frames per video")
    group.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="A.B=C",
        help="set one value, such as train.batch_size=8; may be repeated",
    )


def add_runs(parser):
    """Adds where runs lie."""
    parser.add_argument(
        "--runs",
        metavar="DIR",
        help="folder for runs, or s3://BUCKET/PREFIX (default: $SFCL_RUNS or ./runs)",
    )


def add_model(parser):
    """Adds which model scores, and what computes it."""
    parser.add_argument(
        "--model",
        metavar="RUN",
        help="a run, a SavedModel or an engine's folder (default: the newest run)",
    )
    add_runs(parser)
    parser.add_argument(
        "--engine",
        choices=("auto", "openvino", "onnx", "tensorflow"),
        default="auto",
        help="what computes it (default: the fastest installed)",
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "bf16", "int8"),
        default="float32",
        help="bf16 and int8 are faster and less exact (default: float32)",
    )
    add_trust(parser)


def add_trust(parser):
    """Adds whether a SavedModel is taken as it is."""
    parser.add_argument(
        "--trust",
        action="store_true",
        help="load a SavedModel that may read and write files too: it is a program, "
        "and refused if it has operations that do more than compute",
    )


def model(args) -> Path:
    """Returns the path of the model that was given, or the newest run.

    Raises:
        ModelError: If there is none; it tells how to make one.
        UsageError: If runs lie elsewhere.
    """
    if args.model:
        return Path(args.model).expanduser()
    folder = runs(args)
    if is_remote(folder):
        raise UsageError(
            f"Expected runs in a folder of this machine. Received: {folder}. Copy the "
            "run here and give it by --model."
        )
    return newest_run(folder)


def config(args, *more):
    """Merges preset, card, file, `--set` and flags; `more` are (key, value) pairs."""
    flags = [(k, v) for k, v in (*more, *prepared(args)) if v is not None]
    return configure(
        args.dataset,
        preset=args.preset,
        file=args.config,
        overrides=[*args.overrides, *flags],
    )


def prepared(args) -> list[tuple[str, object]]:
    """Returns (key, value) pairs of the flags that say what is prepared."""
    return [
        ("data.frames", args.frames),
        ("data.faces", args.faces),
        ("data.boxes", args.boxes),
        ("data.detector", args.detector),
        ("data.methods", methods(args)),
    ]


def methods(args) -> list[str] | None:
    """Returns the manipulation methods given."""
    return [m.strip() for m in (args.methods or "").split(",") if m.strip()] or None


def sources(args) -> Sources:
    """Returns where data lies, and what prepares it, as far as the command asks.

    Raises:
        UsageError: If an option is out of range.
    """
    names = {
        "data_root": "roots",
        "records": "records",
        "demo_dir": "demo",
        "workers": "workers",
        "timeout": "timeout",
        "engine": "engine",
        "address": "address",
    }
    given = {
        field: value
        for name, field in names.items()
        if (value := getattr(args, name, None)) not in (None, [], "")
    }
    return Sources(**given)


def refuse_urls(args) -> None:
    """Raises where an option is a URL and cannot be one.

    Raises:
        UsageError: Before a folder `s3:` is made.
    """
    for name, value in vars(args).items():
        given = value if isinstance(value, list) else [value]
        for text in given:
            if name not in _MAY_BE_URLS and isinstance(text, str) and is_remote(text):
                option = {"overrides": "set"}.get(name, name.replace("_", "-"))
                raise not_local(f"--{option}", text)


def is_loopback(host: str) -> bool:
    """Tells whether nobody but this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def new_file(text: str, option: str, ending: str = "") -> Path:
    """Returns the path of a file that is to be written.

    Raises:
        UsageError: If its folder is not there, or its ending is another one.
    """
    path = Path(text)
    if not path.parent.is_dir():
        raise UsageError(
            f"Expected {option} in a folder that is there. Received: {path}. Make "
            f"{path.parent} first."
        )
    if ending and path.suffix.lower() != ending:
        raise UsageError(f"Expected {option} to end in {ending}. Received: {path}.")
    return path


def runs(args):
    """Returns the folder for runs; see `sfcl_tf.system.storage.parse_location`."""
    return parse_location(args.runs or os.environ.get("SFCL_RUNS") or "runs")
