"""The command line: the only place that parses arguments, prints, or exits."""

import argparse
import ast
import errno
import importlib
import sys
import traceback
from pathlib import Path

from sfcl_tf import __version__
from sfcl_tf.cli.options import refuse_urls
from sfcl_tf.system.errors import SfclError
from sfcl_tf.system.plain_text import printable, printable_lines
from sfcl_tf.system.storage import end_process

# In the order in which the data goes.
COMMANDS = (
    "datasets",
    "prepare",
    "check",
    "train",
    "calibrate",
    "runs",
    "evaluate",
    "tune",
    "reproduce",
    "export",
    "serve",
    "detect",
    "app",
    "doctor",
)


def run_and_exit(argv=None):
    """Runs one subcommand and ends this process with its exit code."""
    end_process(main(argv))


def main(argv=None) -> int:
    """Runs one subcommand and returns its exit code.

    0 ok, 1 internal error, 2 usage, 3 data, 4 model or weights, 5 no face found, 10
    a fake was found and that was asked for, 130 interrupted.
    """
    argv = sys.argv[1:] if argv is None else argv
    parser = _parser(next((word for word in argv if word in COMMANDS), None))
    args = parser.parse_args(argv)
    try:
        refuse_urls(args)
        return args.run(args) or 0
    except SfclError as error:
        if args.debug:
            traceback.print_exc()
        print(f"sfcl: {printable_lines(error)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(
            "sfcl: interrupted. What was prepared and saved is kept.", file=sys.stderr
        )
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC or args.debug:
            return _report_bug(args, error)
        file = f" ({printable(error.filename)})" if error.filename else ""
        print(
            f"sfcl: Expected space on the disk. Received: none left{file}. Make room "
            "and run the same command again.",
            file=sys.stderr,
        )
        return 3
    except Exception as error:
        return _report_bug(args, error)


def _report_bug(args, error):
    if args.debug:
        traceback.print_exc()
    print(
        f"sfcl: internal error: {type(error).__name__}: {printable_lines(error)}\n"
        "This is a bug. Run the command again with --debug for the traceback, "
        "and report it.",
        file=sys.stderr,
    )
    return 1


def _parser(chosen):
    """Returns the parser; of the command chosen alone it knows the arguments."""
    parser = argparse.ArgumentParser(
        prog="sfcl",
        description="Deepfake face detection by spatial-frequency collaborative "
        "learning (SFCL-HCMF): video -> faces -> model -> score.",
        epilog="Without data: sfcl train --dataset demo --preset tiny --frames 6 "
        "--epochs 3",
        # Else the longest names stand on lines of their own.
        formatter_class=lambda prog: argparse.HelpFormatter(prog, indent_increment=1),
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", metavar="", required=True)
    for name in COMMANDS:
        if name != chosen:
            commands.add_parser(name, help=None if chosen else _summary(name))
            continue
        module = importlib.import_module(f"sfcl_tf.cli.{name}")
        command = commands.add_parser(
            name,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.add_argument(
            "--debug", action="store_true", help="show tracebacks of errors"
        )
        command.set_defaults(run=module.run)
    return parser


def _summary(name):
    """Returns what a command's module says of it, without importing that."""
    source = Path(__file__).with_name(f"{name}.py").read_text("utf-8")
    return (ast.get_docstring(ast.parse(source)) or name).splitlines()[0]
