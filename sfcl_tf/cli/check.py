"""Say what is wrong with a data set, before or after it is prepared.

Every file is opened: what is missing, unreadable, there twice, compressed otherwise
than the card says, or gives its label away; and what the lists say: counts, balance,
people in two splits. Of what is prepared: coverage of faces, and whole shards. Worst
first, with what to do about it. The exit code is 3 if there are errors.

  sfcl check ff_c23 --data-root /data
  sfcl check ./my_clips --json report.json
  sfcl check dfdc --quick
  sfcl check ff_c23 --show crops.png
"""

import json
from pathlib import Path

from sfcl_tf.catalog.cards import load_card
from sfcl_tf.catalog.listing import SPLITS
from sfcl_tf.check import check
from sfcl_tf.cli import options, show_check
from sfcl_tf.cli.console import progress, say
from sfcl_tf.cli.progress import ConsoleProgress
from sfcl_tf.records.manifest import Settings
from sfcl_tf.system.errors import DataError
from sfcl_tf.system.output import write_json
from sfcl_tf.system.quiet import import_tensorflow
from sfcl_tf.workflow.sources import keep_out

_TIMEOUT = 600


def add_arguments(parser):
    """Adds the subcommand's arguments."""
    parser.add_argument("dataset", metavar="CARD", help="data set, such as ff_c23")
    group = parser.add_argument_group("check")
    group.add_argument(
        "--quick", action="store_true", help="open no file: lists and records only"
    )
    group.add_argument(
        "--deep", action="store_true", help="read every record that is prepared, too"
    )
    group.add_argument(
        "--json", metavar="FILE", help="write the report as JSON; - for JSON alone"
    )
    group.add_argument(
        "--show",
        metavar="PNG",
        help="instead of a check, draw prepared crops as training sees them, with "
        "labels and spectra",
    )
    options.add_data(parser)
    options.add_preparation(parser, timeout=_TIMEOUT)
    options.add_config(parser)


def run(args):
    """Runs the subcommand; returns 3 if there are errors."""
    config, sources = options.config(args), options.sources(args)
    for path, option, ending in (
        (args.show, "--show", ".png"),
        (args.json != "-" and args.json, "--json", ""),
    ):
        if path:
            options.new_file(path, option, ending)
    if args.show:
        return _show(args, config, sources)
    return _check(args, config.data, sources)


def _check(args, data, sources):
    if args.deep:
        import_tensorflow()
    card, alone = load_card(data.dataset), args.json == "-"
    root = _root(card, data, sources)
    if root and args.json and not alone:
        keep_out(root, Path(args.json), "--json")
    bar = progress()
    bar.disable |= alone or args.quick
    with bar:
        task = bar.add_task("reading", total=None, note="")
        report = check(
            card,
            root,
            data,
            sources.records_path,
            read=not args.quick,
            deep=args.deep,
            complete=sources.is_made_here(card),
            workers=args.workers,
            timeout=args.timeout,
            on_file=lambda done, total: bar.update(task, completed=done, total=total),
        )
    values = report.to_dict()
    if alone:
        print(json.dumps(values, indent=1, ensure_ascii=False))
    else:
        show_check.report(report)
        if args.json:
            write_json(Path(args.json), values)
            say(f"Report: {args.json}")
    return 0 if report.sound else 3


def _root(card, data, sources):
    """Returns the collection; `None` where only its records are there."""
    try:
        return sources.collection(card, ConsoleProgress())
    except DataError:
        if sources.is_made_here(card) or sources.manifest(data) is None:
            raise
        return None


def _show(args, config, sources):
    """Draws a contact sheet of the first prepared split."""
    card, settings = load_card(config.data.dataset), Settings.of(config.data)
    manifest = sources.manifest(config.data)
    manifest = manifest and manifest.of_methods(config.data.methods)
    splits = [split for split in SPLITS if manifest and manifest.split(split)]
    if not splits:
        raise DataError(
            f"Expected prepared faces in {sources.folder(config.data)}. Received: "
            f"none. Prepare them first: sfcl prepare {args.dataset} --frames "
            f"{settings.frames}"
            + (f" --faces {settings.faces}" if settings.faces != "largest" else "")
            + (f" --detector {settings.detector}" if settings.detector != "hog" else "")
        )
    import_tensorflow()
    from sfcl_tf.check.contact_sheet import contact_sheet
    from sfcl_tf.inputs.pipeline import InputPipeline

    path = Path(args.show)
    contact_sheet(InputPipeline(manifest, config), splits[0], path)
    say(f"Crops of {card.title}, {splits[0]} split: {path}")
