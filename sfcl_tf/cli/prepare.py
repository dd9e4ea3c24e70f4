"""Find the faces of a data set and store them as records.

Every video is decoded once. Frames are evenly spaced, faces are followed through
them, and each face is stored with some surroundings at native resolution. What is
prepared already is reused; an interrupted preparation goes on.

CARD is a data set that `sfcl datasets` lists, or the path of a folder with real/ and
fake/, of a .csv with path,label[,split][,group][,method], or of a card of your own.

  sfcl prepare demo
  sfcl prepare ff_c23 --data-root /data --frames 50
  sfcl prepare ./my_clips --faces all
"""

from sfcl_tf.cli import options
from sfcl_tf.quiet import import_tensorflow


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
    options.add_config(parser)


def run(args):
    """Runs the subcommand."""
    from sfcl_tf.cli.data import (
        check_data,
        find_videos,
        prepare_listing,
        require_records,
        with_errors,
    )
    from sfcl_tf.data.cards import load_card
    from sfcl_tf.data.layouts import require_splits
    from sfcl_tf.data.listing import SPLITS
    from sfcl_tf.errors import UsageError

    if args.limit is not None and args.limit < 1:
        raise UsageError(f"Expected --limit of at least 1. Received: {args.limit}.")
    data = options.config(args).data
    check_data(args, data)
    listing = find_videos(args, data)
    if args.split:
        require_splits(load_card(data.dataset), listing, args.split)
    listing = listing.only(args.split or SPLITS)
    if args.limit:
        listing = listing.limited(args.limit)
    if args.dry_run:
        _tell(args, data, listing)
        return
    import_tensorflow()
    card = load_card(data.dataset)
    manifest = prepare_listing(args, data, card, listing)
    require_records(manifest)
    if not args.limit:  # of which nothing follows for the whole
        with_errors(args, data, card, listing, manifest)


def _tell(args, data, listing):
    """Prints what would be prepared, and how much room it would take."""
    from sfcl_tf.cli.console import console, say, table
    from sfcl_tf.data.cards import load_card
    from sfcl_tf.data.listing import SPLITS
    from sfcl_tf.data.manifest import Settings, records_folder
    from sfcl_tf.data.prepare import pending

    card, settings = load_card(data.dataset), Settings.of(data)
    shown = table("Would prepare", "split", "real", "fake", "of them to do")
    for split in SPLITS:
        part = listing.only((split,))
        if part.videos:
            fakes = sum(video.label for video in part.videos)
            waiting = pending(card, part, settings, options.records(args))
            counts = (len(part.videos) - fakes, fakes, waiting)
            shown.add_row(split, *map(str, counts))
    console.print(shown)
    say(f"At most {settings.frames} frames of each, faces: {settings.faces}.")
    say(f"Into {records_folder(card, settings, options.records(args))}")
