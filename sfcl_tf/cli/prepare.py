"""Find the faces of a data set and store them as records.

Every video is decoded once. Frames are evenly spaced, faces are followed through
them, and each face is stored with some surroundings at native resolution. What is
prepared already is reused; an interrupted preparation goes on.

CARD is a data set that `sfcl datasets` lists, or the path of a folder with real/ and
fake/, of a .csv with path,label[,split][,group][,method], or of a card of your own.

  sfcl prepare demo
  sfcl prepare ff_c23 --data-root /data --frames 50
  sfcl prepare ./my_clips --faces all
  sfcl prepare ff_c23 --frames 50 --enrich quality
"""

from sfcl_tf.catalog.cards import load_card
from sfcl_tf.catalog.listing import SPLITS
from sfcl_tf.cli import options
from sfcl_tf.cli.console import console, say, table
from sfcl_tf.cli.progress import ConsoleProgress
from sfcl_tf.records.enrich import FEATURES
from sfcl_tf.records.manifest import Settings
from sfcl_tf.records.prepare import pending
from sfcl_tf.system.errors import DataError, UsageError
from sfcl_tf.system.quiet import import_tensorflow
from sfcl_tf.workflow.prepare import enrich, list_collection, prepare


def add_arguments(parser):
    """Adds the subcommand's arguments."""
    parser.add_argument("dataset", metavar="CARD", help="data set, such as ff_c23")
    options.add_data(parser)
    options.add_preparation(parser)
    options.add_engine(parser)
    group = parser.add_argument_group("part of the work")
    group.add_argument(
        "--split",
        action="append",
        choices=("train", "val", "test"),
        help="this split alone; may be repeated",
    )
    group.add_argument(
        "--limit", type=int, metavar="N", help="at most N videos of each split"
    )
    group.add_argument(
        "--dry-run", action="store_true", help="say what would be done, and stop"
    )
    group.add_argument(
        "--enrich",
        action="append",
        choices=tuple(FEATURES),
        metavar="FEATURE",
        help=f"add a feature to records that are there, and prepare nothing: "
        f"{', '.join(FEATURES)}; may be repeated",
    )
    options.add_config(parser)


def run(args):
    """Runs the subcommand."""
    config, sources = options.config(args), options.sources(args)
    progress = ConsoleProgress()
    if args.enrich:
        if args.split or args.limit or args.dry_run:
            raise UsageError(
                "Expected --enrich without --split, --limit and --dry-run. Received "
                "both. All records of the data set get the feature."
            )
        result = enrich(config, args.enrich, sources=sources, progress=progress)
        return DataError.exit_code if result.failed else 0
    sources.require(config.data)
    if args.dry_run:
        listing = list_collection(config, sources, args.split, args.limit, progress)
        _print_plan(config.data, sources, listing)
        return 0
    import_tensorflow()
    prepare(
        config,
        sources=sources,
        splits=args.split,
        limit=args.limit,
        progress=progress,
    )
    return 0


def _print_plan(data, sources, listing):
    """Prints what would be prepared, and how much room it would take."""
    card, settings = load_card(data.dataset), Settings.of(data)
    shown = table("Would prepare", "split", "real", "fake", "of them to do")
    for split in SPLITS:
        part = listing.of_splits((split,))
        if part.videos:
            fakes = sum(video.label for video in part.videos)
            waiting = pending(card, part, settings, sources.records_path)
            counts = (len(part.videos) - fakes, fakes, waiting)
            shown.add_row(split, *map(str, counts))
    console.print(shown)
    by = f" by {settings.detector}" if settings.detector != "hog" else ""
    say(f"At most {settings.frames} frames of each, faces: {settings.faces}{by}.")
    say(f"Into {sources.folder(data)}")
