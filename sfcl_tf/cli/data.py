"""Preparing a data set, as a person sees it."""

from pathlib import Path

from sfcl_tf.cli import options
from sfcl_tf.cli.console import console, progress, say, table
from sfcl_tf.data.cards import find_root, load_card
from sfcl_tf.data.layouts import list_videos
from sfcl_tf.data.prepare import prepare, read_manifest, records_folder
from sfcl_tf.errors import DataError, UsageError


def prepare_data(args, dataset: str, frames: int):
    """Prepares what is not prepared yet, and shows progress and coverage.

    Where the collection is not to be found but was prepared before, its records
    are used, with a word about it.

    Returns:
        The `Manifest`.
    """
    if args.workers < 1:
        raise UsageError(f"Expected --workers of at least 1. Received: {args.workers}.")
    card, records = load_card(dataset), options.records(args)
    try:
        root = _root(card, args)
    except DataError:
        manifest = read_manifest(records_folder(card, frames, records))
        if manifest is None:
            raise
        say(f"{card.title}: collection not found; using {manifest.folder}.")
        return manifest
    listing = list_videos(card, root)
    absent = f"; {len(listing.missing)} more that its lists name are not there"
    partial = listing.missing and not _is_made_here(card, args)
    say(f"{card.title}: {len(listing.videos)} videos in {root}{absent * bool(partial)}")
    with progress() as bar:
        task = bar.add_task("preparing", total=len(listing.videos), note="")
        failed = 0

        def on_video(report, done, total):
            nonlocal failed
            failed += report["status"] != "ok"
            note = f"{failed} without a face or unreadable" if failed else ""
            bar.update(task, completed=done, note=note)
            if (
                not console.is_terminal
                and not report["reused"]
                and (done % max(total // 10, 1) == 0)
            ):
                say(f"  {done} of {total} videos prepared")

        manifest = prepare(
            card,
            listing,
            frames=frames,
            records=records,
            workers=args.workers,
            on_video=on_video,
        )
    show_coverage(manifest)
    return manifest


def check_data(args, dataset: str, frames: int) -> None:
    """Raises at once where neither a collection nor its records are to be found.

    Raises:
        DataError: It says what to obtain, from whom, and where to put it.
    """
    card = load_card(dataset)
    if _is_made_here(card, args):
        return
    try:
        find_root(card, options.data_roots(args))
    except DataError:
        if read_manifest(records_folder(card, frames, options.records(args))) is None:
            raise


def _is_made_here(card, args) -> bool:
    return card.name == "demo" and not options.data_roots(args)


def _root(card, args) -> Path:
    if _is_made_here(card, args):
        return make_demo_data(Path(args.demo_dir))
    return find_root(card, options.data_roots(args))


def make_demo_data(folder: Path) -> Path:
    """Makes the demo's clips if they are not there; returns the collection."""
    import os

    from sfcl_tf.data.demo import make_demo

    with progress() as bar:
        task = bar.add_task("making demo clips", total=None, note="")
        return make_demo(
            folder,
            workers=os.cpu_count() or 1,
            on_progress=lambda done, total: bar.update(
                task, completed=done, total=total
            ),
        )


def show_coverage(manifest) -> None:
    """Prints, by split and label, what preparation found, and every failure."""
    shown = table(
        f"Face coverage, records in {manifest.folder}",
        "split",
        "videos",
        "real",
        "fake",
        "frames wanted",
        "with a face",
        "coverage %",
    )
    for split in ("train", "val", "test"):
        videos = [v for v in manifest.videos if v["split"] == split]
        wanted = sum(v["frames_wanted"] for v in videos)
        found = sum(v["records"] for v in videos)
        fakes = sum(v["label"] for v in videos)
        shown.add_row(
            split,
            *map(str, (len(videos), len(videos) - fakes, fakes, wanted, found)),
            f"{100 * found / wanted:.1f}" if wanted else "n/a",
        )
    console.print(shown)
    reused = sum(bool(v.get("reused")) for v in manifest.videos)
    if reused:
        say(f"{reused} of {len(manifest.videos)} videos were prepared before.")
    small = 0
    for video in manifest.videos:
        short = video["records"] < video["frames_wanted"] or video["status"] != "ok"
        if short or video["reason"]:
            small += 1
            if small <= 20:
                say(
                    f"  {video['video_id']}: {video['records']} of "
                    f"{video['frames_wanted']} frames"
                    + (f"; {video['reason']}" if video["reason"] else "")
                )
    if small > 20:
        say(f"  and {small - 20} more: see {manifest.folder / 'manifest.json'}")
    if len(manifest.videos) <= 20:
        per_video = table("Coverage per video", "video", "split", "with a face", "crf")
        for video in manifest.videos:
            per_video.add_row(
                video["video_id"],
                video["split"],
                f"{video['records']}/{video['frames_wanted']}",
                f"{video.get('crf', float('nan')):g}",
            )
        console.print(per_video)
