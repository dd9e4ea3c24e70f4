"""Serve an export on this machine by TensorFlow Serving's protocol.

gRPC and REST as TensorFlow Serving has them, for development, tests and small
deployments. Any client of one works with the other; for production take TensorFlow
Serving itself: sfcl export RUN --kit DIR. The newest version below DIR is served, and
exchanged without a dropped request when a newer one appears.

  sfcl serve runs/NAME
  sfcl serve served --port 8500 --rest-port 8501
  sfcl serve served --tls-key key.pem --tls-cert cert.pem --client-ca ca.pem
"""

import gc
import os
import sys
from pathlib import Path

from sfcl_tf.cli.options import add_trust, is_loopback
from sfcl_tf.runs import files
from sfcl_tf.serving.names import MODEL_NAME

_MOST_REQUEST = 2047  # MB


def add_arguments(parser):
    """Adds the subcommand's arguments."""
    parser.add_argument(
        "folder",
        metavar="DIR",
        help="a run, or the folder of versions that `sfcl export --to` makes",
    )
    parser.add_argument(
        "--name", default=MODEL_NAME, help="the model's name (default: %(default)s)"
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at (default: %(default)s, this machine alone)",
    )
    parser.add_argument(
        "--port", type=int, default=8500, help="of gRPC (default: %(default)s)"
    )
    parser.add_argument(
        "--rest-port",
        type=int,
        default=8501,
        metavar="PORT",
        help="of REST, -1 for none (default: %(default)s)",
    )
    parser.add_argument(
        "--poll",
        type=float,
        default=2.0,
        metavar="S",
        help="seconds between looks for a newer version (default: %(default)g)",
    )
    add_trust(parser)
    group = parser.add_argument_group("load")
    group.add_argument(
        "--max-batch",
        type=int,
        default=16,
        metavar="N",
        help="faces computed together, 1 for no batching (default: %(default)s)",
    )
    group.add_argument(
        "--batch-timeout",
        type=float,
        default=2.0,
        metavar="MS",
        help="how long a call waits for others (default: %(default)g)",
    )
    group.add_argument(
        "--max-concurrent",
        type=int,
        default=128,
        metavar="N",
        help="calls worked on at a time; one more is refused (default: %(default)s)",
    )
    group.add_argument(
        "--max-faces",
        type=int,
        default=1024,
        metavar="N",
        help="faces worked on at a time, of all calls, a large picture for several; "
        "more are refused (default: %(default)s)",
    )
    group.add_argument(
        "--max-request",
        type=float,
        default=32.0,
        metavar="MB",
        help="largest request (default: %(default)g)",
    )
    group.add_argument(
        "--drain",
        type=float,
        default=30.0,
        metavar="S",
        help="how long calls that have begun may take at the end, before they are cut "
        "off (default: %(default)g)",
    )
    group = parser.add_argument_group("encryption")
    group.add_argument("--tls-key", metavar="PEM", help="the server's private key")
    group.add_argument("--tls-cert", metavar="PEM", help="its certificate chain")
    group.add_argument(
        "--client-ca",
        metavar="PEM",
        help="ask clients for certificates that this authority signed",
    )


def run(args):
    """Runs the subcommand until SIGTERM or Ctrl-C."""
    # TensorFlow and the graph make a million objects that stay: looking for garbage
    # among them would take a quarter of the start. The server turns it on again.
    gc.disable()
    settings_of = _checked(args)
    base = _base(Path(args.folder))

    from sfcl_tf.cli.console import say
    from sfcl_tf.system.quiet import import_tensorflow

    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what matters is told by us

    import_tensorflow()
    settings = settings_of()
    from sfcl_tf.serving.dev_server.server import serve

    if not is_loopback(args.host) and not args.client_ca:
        say(
            f"Warning: {args.host} may be reached by others, and nobody is asked for a "
            "certificate. See --client-ca."
        )
    code = 0
    try:
        serve(base, args.name, settings, say)
    except KeyboardInterrupt:
        code = 130
    # A model that is still being loaded can be neither stopped nor waited for.
    sys.stdout.flush()
    os._exit(code)


def _checked(args):
    """Refuses what cannot be; returns a function that makes the settings."""
    from sfcl_tf.system.errors import UsageError

    for option, least in (
        ("max_batch", 1),
        ("max_concurrent", 1),
        ("max_faces", 1),
        ("max_request", 0.001),
        ("batch_timeout", 0),
        ("poll", 0.05),
        ("drain", 0),
    ):
        value = getattr(args, option)
        if not value >= least:
            raise UsageError(
                f"Expected --{option.replace('_', '-')} of at least {least:g}. "
                f"Received: {value:g}."
            )
    if not args.max_request <= _MOST_REQUEST:
        raise UsageError(
            f"Expected --max-request of at most {_MOST_REQUEST}, the largest message "
            f"of gRPC. Received: {args.max_request:g}."
        )
    for option, least in (("port", 0), ("rest_port", -1)):
        value = getattr(args, option)
        if not least <= value <= 65535:
            raise UsageError(
                f"Expected --{option.replace('_', '-')} of {least} to 65535. "
                f"Received: {value}."
            )
    if args.port == args.rest_port and args.port:
        raise UsageError(
            f"Expected two different ports. Received: {args.port} for gRPC and REST."
        )
    if bool(args.tls_key) != bool(args.tls_cert) or (
        args.client_ca and not args.tls_key
    ):
        raise UsageError(
            "Expected --tls-key and --tls-cert together, and --client-ca with both. "
            "Received some of them."
        )

    def settings():
        try:
            from sfcl_tf.serving.dev_server.batching import Batching
            from sfcl_tf.serving.dev_server.server import ServerSettings, Tls
        except ImportError as error:
            raise UsageError(
                f"Expected the packages of the extra [serve]. Received: {error}. "
                'Install them: pip install "sfcl_tf[serve]".'
            ) from error
        tls = None
        if args.tls_key:
            authority = Path(args.client_ca) if args.client_ca else None
            tls = Tls(Path(args.tls_key), Path(args.tls_cert), authority)
        return ServerSettings(
            host=args.host,
            port=args.port,
            rest_port=None if args.rest_port < 0 else args.rest_port,
            batching=Batching(args.max_batch, args.batch_timeout / 1000),
            concurrent=args.max_concurrent,
            faces=args.max_faces,
            request_bytes=round(args.max_request * (1 << 20)),
            drain=args.drain,
            poll=args.poll,
            tls=tls,
            trust=args.trust,
        )

    return settings


def _base(folder):
    from sfcl_tf.system.errors import ModelError

    if (folder / files.CONFIG).is_file() and (folder / files.SAVED_MODELS).is_dir():
        folder = folder / files.SAVED_MODELS
    if (folder / "saved_model.pb").is_file() and folder.resolve().name.isdecimal():
        folder = folder.resolve().parent
    if not folder.is_dir():
        raise ModelError(
            f"Expected a folder with version directories. Received: {folder}, which is "
            "not there. Make one: sfcl export RUN --to DIR."
        )
    return folder
