"""Open a page in the browser of this machine: drop a video, see what is found.

Shows the verdict, the scores over time, and for each moment the face with its heat
map, attention, band charts and spectrum; a report can be downloaded. Everything stays
on this machine, and nothing is kept: uploads are deleted once they were looked at,
results when their page is closed. Needs pip install "sfcl_tf[app]".

  sfcl app
  sfcl app --model runs/NAME --port 8000 --fps 4
"""

import contextlib
import os
import signal
import sys
import tempfile
import threading

from sfcl_tf.cli import options


def add_arguments(parser):
    """Adds the subcommand's arguments."""
    options.add_model(parser)
    parser.add_argument(
        "--fps",
        type=float,
        metavar="N",
        help="pictures of a video that are looked at a second (default: 2)",
    )
    parser.add_argument(
        "--max-size",
        type=float,
        default=500,
        metavar="MB",
        help="largest file (default: %(default)g)",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at (default: %(default)s, this machine alone)",
    )
    parser.add_argument(
        "--port", type=int, default=7860, help="of the page (default: %(default)s)"
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME[:PORT]",
        help="a name that the page is asked for by, such as that of a proxy before it; "
        "may be repeated (default: its own address alone)",
    )


def run(args):
    """Runs the subcommand until SIGTERM or Ctrl-C."""
    from sfcl_tf.app.serve import PageSettings, needs_app, serving
    from sfcl_tf.cli.console import say
    from sfcl_tf.faces.sampling import SamplingOptions
    from sfcl_tf.system.quiet import import_tensorflow

    needs_app()
    settings = PageSettings(
        args.host,
        args.port,
        round(args.max_size * (1 << 20)),
        SamplingOptions(args.fps),
        tuple(args.allow_host),
    )
    import_tensorflow()
    from sfcl_tf.detect.detector import Detector

    model = options.model(args)
    signal.signal(signal.SIGTERM, _terminate)
    code, ended = 0, threading.Event()
    try:
        with (
            _temporary_files(),
            Detector.load(
                model,
                args.engine,
                args.precision,
                isolated=True,
                say=say,
                trust=args.trust,
            ) as detector,
            serving(detector, settings) as address,
        ):
            try:
                if not options.is_loopback(args.host):
                    say(
                        f"Warning: {args.host} may be reached by others, and nobody "
                        "is asked for a password."
                    )
                say(f"{detector.model.name}, {detector.model.engine}, at {address}")
                say("Open it in a browser. Ctrl-C ends it.")
                # A signal that another thread gets does not wake this one.
                while not ended.wait(1.0):
                    pass
            finally:
                for each in (signal.SIGINT, signal.SIGTERM):
                    signal.signal(each, signal.SIG_IGN)  # uploads are deleted now
    except _Terminated:
        pass
    except KeyboardInterrupt:
        code = 130
    # A picture that is being scored can be neither stopped nor waited for.
    sys.stdout.flush()
    os._exit(code)


@contextlib.contextmanager
def _temporary_files():
    """Has temporary files in one folder: TensorFlow's stay when this ends at once."""
    from sfcl_tf.app.folder import own_folder

    with own_folder() as folder:
        tempfile.tempdir = str(folder)
        yield


class _Terminated(BaseException):
    """SIGTERM was received."""


def _terminate(*_):
    raise _Terminated
