"""Preparing a data set, as a person sees it."""

import collections
import dataclasses
import os
from pathlib import Path

from sfcl_tf.cli import options
from sfcl_tf.cli.console import console, progress, say, table
from sfcl_tf.data.cards import find_root, load_card
from sfcl_tf.data.layouts import list_videos, require_splits
from sfcl_tf.data.listing import SPLITS, Listing
from sfcl_tf.data.manifest import Settings, read_manifest, records_folder
from sfcl_tf.errors import DataError, UsageError
from sfcl_tf.storage import is_remote

_FAILURES_SHOWN = 20


def prepare_data(args, data, splits=SPLITS):
    """Prepares what is not prepared yet, and shows progress and coverage.

    Where the collection is not to be found but was prepared before, its records
    are used, with a word about it.

    Args:
        args: The command's arguments.
        data: A `sfcl_tf.config.DataConfig`.
        splits: Those that are needed.

    Returns:
        The `Manifest`, with records in each of the splits.
    """
    card, records = load_card(data.dataset), options.records(args)
    settings = Settings.of(data)
    try:
        listing = find_videos(args, data)
    except DataError:
        manifest = read_manifest(records_folder(card, settings, records))
        if manifest is None:
            raise
        say(f"{card.title}: collection not found; using {manifest.folder}.")
        manifest = _chosen(manifest, data).require(splits)
        return with_errors(args, data, card, Listing(()), manifest)
    require_splits(card, listing, splits)
    manifest = prepare_listing(args, data, card, listing.only(splits))
    manifest = manifest.of_methods(data.methods).require(splits)
    return with_errors(args, data, card, listing, manifest)


def with_errors(args, data, card, listing, manifest):
    """Prints the errors that `sfcl check` would find without opening a file.

    Returns:
        The manifest, which carries them.
    """
    from sfcl_tf.cli.show_check import show_finding
    from sfcl_tf.data.check import check_prepared
    from sfcl_tf.data.check.findings import number

    made_here = _is_made_here(card, args)
    if made_here:  # it is whole, though the lists name more
        listing = dataclasses.replace(listing, missing=())
    root = _root(card, args) if listing.videos else None
    findings = check_prepared(card, root, listing, data, manifest)
    errors = [finding for finding in findings if finding.severity == "error"]
    if not errors:
        return manifest
    warnings = sum(finding.severity == "warning" for finding in findings)
    for finding in errors:
        say("")
        show_finding(finding)
    told = number(len(errors), "error")
    if warnings:
        told += f" and {number(warnings, 'warning')}"
    say("")
    say(
        f"The data has {told}; `sfcl check {data.dataset}` tells all. It is used as is."
    )
    return dataclasses.replace(
        manifest, errors=tuple(_in_one_line(finding) for finding in errors)
    )


def _in_one_line(finding) -> str:
    shown = "; ".join(finding.details[:3])
    more = len(finding.details) - 3
    return finding.message + (
        f" ({shown}{f'; and {more} more' if more > 0 else ''})" if shown else ""
    )


def find_records(args, data, splits=SPLITS):
    """Returns the manifest of what was prepared before.

    For several workers, of which each would prepare the same.

    Raises:
        DataError: If there is none, or a split has no records.
    """
    card = load_card(data.dataset)
    folder = records_folder(card, Settings.of(data), options.records(args))
    manifest = read_manifest(folder)
    if manifest is None:
        raise DataError(
            f"Expected records of {card.name} in {folder}: several workers do not "
            "prepare. Received: none. Run `sfcl prepare` with the same options first, "
            "and give its folder by --records, to each worker."
        )
    return _chosen(manifest, data).require(splits)


def _chosen(manifest, data):
    """Returns the records of the methods that a configuration names.

    Raises:
        DataError: If there are none of one of them, anywhere.
    """
    there = sorted({video["method"] for video in manifest.videos if video["label"]})
    chosen = manifest.choice(data.methods)  # none of them where it is all of the card's
    if unknown := [method for method in chosen if method not in there]:
        raise DataError(
            f"Expected records of {', '.join(unknown)} in {manifest.folder}. Received: "
            f"of {', '.join(there) or 'reals alone'}. Prepare them: sfcl prepare "
            f"{data.dataset} --methods {','.join(data.methods)}"
        )
    return manifest.of_methods(data.methods)


def find_videos(args, data):
    """Returns the listing of a data set, and says what is there and what is not."""
    card = load_card(data.dataset)
    root = _root(card, args)
    keep_out(root, options.records(args), "--records")
    if hasattr(args, "runs"):
        keep_out(root, options.runs(args), "--runs")
    listing = list_videos(card, root, data.methods)
    told = f"{card.title}: {len(listing.videos)} files in {root}"
    if listing.missing and not _is_made_here(card, args):
        told += f"; not there, but named by its lists: {len(listing.missing)}"
    if listing.left_out:
        told += f"; left out, with people of two splits: {len(listing.left_out)}"
    if listing.unlisted:
        names = [path.name for path in listing.unlisted]
        shown = ", ".join(names[:5]) + ", ..." * (len(names) > 5)
        told += f"; beside them and not used: {shown}"
    say(told)
    return listing


def prepare_listing(args, data, card, listing):
    """Prepares a listing's videos by the engine chosen, and shows it."""
    from sfcl_tf.data.boxes import read_boxes
    from sfcl_tf.data.prepare import prepare

    boxes = read_boxes(Path(data.boxes)) if data.boxes else None
    engine = _engine(args)
    reused = 0
    with progress() as bar:
        task = bar.add_task("preparing", total=len(listing.videos), note="")
        failed = 0

        def on_video(now):
            nonlocal failed, reused
            failed += now.report["status"] != "ok"
            reused += now.reused
            note = f"{failed} failed" if failed else ""
            bar.update(task, completed=now.done, note=note)
            tenth = -(-now.total // 10)
            if not (console.is_terminal or now.reused or now.done % tenth):
                say(f"  {now.done} of {now.total} videos; {failed} failed")

        manifest = prepare(
            card,
            listing,
            Settings.of(data),
            records=options.records(args),
            boxes=boxes,
            engine=engine,
            on_video=on_video,
        )
    show_coverage(manifest)
    if reused:
        say(f"{reused} of {len(manifest.videos)} videos were prepared before.")
    return manifest


def _engine(args):
    if args.engine == "ray":
        from sfcl_tf.data.ray_engine import ray_cluster

        return ray_cluster(args.address, args.timeout, workers=args.workers)
    from sfcl_tf.data.engines import process_pool

    return process_pool(args.workers, args.timeout)


def require_records(manifest) -> None:
    """Raises where nothing at all was prepared.

    Raises:
        DataError: It says what became of the videos.
    """
    if not any(video["records"] for video in manifest.videos):
        first, count = manifest.videos[0], len(manifest.videos)
        raise DataError(
            f"Expected faces in at least one of {count} files. Received: none. The "
            f"first is {first['video_id']}: {first['reason']}."
        )


def check_data(args, data) -> None:
    """Raises at once where neither a collection nor its records are to be found.

    Raises:
        UsageError: If there can be no records where they are to go.
        DataError: It says what to obtain, from whom, and where to put it.
    """
    card = load_card(data.dataset)
    settings, records = Settings.of(data), options.records(args)
    if _is_made_here(card, args):
        return
    try:
        find_root(card, options.data_roots(args))
    except DataError:
        if read_manifest(records_folder(card, settings, records)) is None:
            raise


def keep_out(root: Path, path: Path, option: str) -> None:
    """Refuses to write below a collection.

    Raises:
        UsageError: If the path lies below the collection's folder.
    """
    if is_remote(path) or not root.is_dir():
        return
    if path.resolve().is_relative_to(root.resolve()):
        raise UsageError(
            f"Expected to write outside of the collection {root}. Received: {path}. "
            f"Give another place by {option}."
        )


def _is_made_here(card, args) -> bool:
    return card.name == "demo" and not options.data_roots(args)


def _root(card, args) -> Path:
    if _is_made_here(card, args):
        return make_demo_data(Path(args.demo_dir))
    return find_root(card, options.data_roots(args))


def make_demo_data(folder: Path) -> Path:
    """Makes the demo's clips if they are not there; returns the collection."""
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
    """Prints what preparation found by split, and what failed by reason."""
    shown = table(
        f"Face coverage, records in {manifest.folder}",
        "split",
        "videos",
        "real",
        "fake",
        "frames",
        "with face",
        "in %",
        "records",
    )
    for split in SPLITS:
        videos = [v for v in manifest.videos if v["split"] == split]
        if not videos:
            continue
        wanted = sum(v["frames_wanted"] for v in videos)
        found = sum(v["frames_with_face"] for v in videos)
        fakes = sum(v["label"] for v in videos)
        shown.add_row(
            split,
            *map(str, (len(videos), len(videos) - fakes, fakes, wanted, found)),
            f"{100 * found / wanted:.1f}" if wanted else "n/a",
            str(sum(v["records"] for v in videos)),
        )
    console.print(shown)
    _show_reasons(manifest)
    if len(manifest.videos) <= _FAILURES_SHOWN:
        _show_videos(manifest)


def _show_reasons(manifest) -> None:
    from sfcl_tf.data.prepare import REPORT
    from sfcl_tf.data.prepare_video import STATUSES

    counts = collections.Counter(v["status"] for v in manifest.videos)
    if set(counts) - {"ok"} or manifest.missing:
        by_reason = table("What became of the videos", "reason", "videos")
        for status, told in STATUSES.items():
            if counts[status]:
                by_reason.add_row(told, str(counts[status]))
        if manifest.missing:
            by_reason.add_row(
                "named by its lists, not there", str(len(manifest.missing))
            )
        console.print(by_reason)
    partly = [
        v
        for v in manifest.videos
        if v["frames_with_face"] < v["frames_wanted"] or v["reason"]
    ]
    for video in partly[:_FAILURES_SHOWN]:
        say(
            f"  {video['video_id']}: {video['frames_with_face']} of "
            f"{video['frames_wanted']} frames"
            + (f"; {video['reason']}" if video["reason"] else "")
        )
    if len(partly) > _FAILURES_SHOWN:
        more = len(partly) - _FAILURES_SHOWN
        say(f"  and {more} more: see {manifest.folder / REPORT}")


def _show_videos(manifest) -> None:
    per_video = table("Coverage per video", "video", "split", "with a face", "crf")
    for video in manifest.videos:
        crf = video.get("crf")
        per_video.add_row(
            video["video_id"],
            video["split"],
            f"{video['frames_with_face']}/{video['frames_wanted']}",
            "n/a" if crf is None else f"{crf:g}",
        )
    console.print(per_video)
