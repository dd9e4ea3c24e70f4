"""Preparation: each video once, to one shard of face records and its report."""

import contextlib
import dataclasses
import math
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sfcl_tf.catalog.cards import Card
from sfcl_tf.catalog.listing import SPLITS, Listing
from sfcl_tf.faces.boxes import FrameBoxes
from sfcl_tf.records.index import update_index
from sfcl_tf.records.manifest import (
    Manifest,
    Settings,
    read_manifest,
    records_folder,
    write_manifest,
)
from sfcl_tf.records.prepare_video import STATUSES, earlier_report
from sfcl_tf.records.workers import Engine, Task, run_inline
from sfcl_tf.system import portable
from sfcl_tf.system.errors import DataError
from sfcl_tf.system.output import write_json
from sfcl_tf.system.processes import end_if_unguarded
from sfcl_tf.system.storage import is_remote, require_writable

REPORT = "prepare_report.json"


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a preparation is, after a video.

    Attributes:
        report: The video's; see `prepare_video`.
        reused: Whether it was prepared before.
        done: Videos done.
        total: Videos in all.
    """

    report: dict[str, Any]
    reused: bool
    done: int
    total: int


def prepare(
    card: Card,
    listing: Listing,
    settings: Settings,
    *,
    records: Path,
    boxes: dict[str, FrameBoxes] | None = None,
    engine: Engine = run_inline,
    on_video: Callable[[Progress], None] | None = None,
) -> Manifest:
    """Prepares every video that is not prepared yet.

    A video that cannot be read or shows no face is reported and stops nothing. An
    interrupted preparation goes on where it was: a shard that exists is whole.
    Shards, their reports and manifests do not depend on interruptions, on the engine,
    or on the order in which videos end.

    Args:
        card: The data set.
        listing: Its videos.
        settings: How to prepare them.
        records: The folder for all records.
        boxes: Faces from elsewhere, by video id, instead of the detector's.
        engine: Runs the work; see `sfcl_tf.records.workers`.
        on_video: Called after each video.

    Returns:
        The manifest of the listing's splits. It is also written, a file a split, which
        keeps what was prepared before and is not of this choice of videos; beside it
        where every record lies (`sfcl_tf.records.index`).
        `prepare_report.json` tells of this preparation.

    Raises:
        DataError: If the folder cannot be written, is in use by another preparation,
            or the disk is full.
    """
    folder = records_folder(card, settings, records)
    splits = [split for split in SPLITS if listing.split(split)]
    _make_folders(folder, splits)
    reports: dict[str, dict[str, Any]] = {}
    record_bytes: dict[str, dict[str, list[int]]] = {split: {} for split in splits}
    seconds: dict[str, float] = {}
    reused: set[str] = set()
    started = time.time()

    def done(report, earlier=False):
        # Into the index, not into the manifest, which people read.
        if sizes := report.pop("record_bytes", None):
            record_bytes[report["split"]][report["shard"]] = sizes
        reports[report["video_id"]] = report
        if earlier:
            reused.add(report["video_id"])
        if on_video:
            on_video(Progress(report, earlier, len(reports), len(listing.videos)))

    with lock_folder(folder), contextlib.ExitStack() as at_end:
        # Whatever ends this, the report tells how far it came.
        at_end.callback(
            lambda: _write_report(folder, listing, reports, reused, seconds, started)
        )
        tasks = []
        for video in listing.videos:
            report = earlier_report(video, folder)
            if report:
                done(report, earlier=True)
            else:
                faces = None if boxes is None else boxes.get(video.video_id, {})
                tasks.append(Task(video, folder, settings, faces))
        for report, took in engine(tasks):
            if not math.isnan(took):
                seconds[report["video_id"]] = round(took, 3)
            done(report)
        manifest = Manifest(
            folder,
            card.name,
            settings,
            tuple(reports[video.video_id] for video in listing.videos),
            tuple(video.video_id for video in listing.missing),
            all_methods=listing.methods,
        )
        for split in splits:
            merged = _merge_earlier(manifest, listing.of_splits((split,)), split)
            write_manifest(merged, split, list(merged.missing))
            update_index(folder, split, record_bytes[split])
    return manifest


def _merge_earlier(manifest: Manifest, part: Listing, split: str) -> Manifest:
    """Returns what a split's manifest on disk tells: also what was not chosen now.

    Whoever prepares some methods, or some videos, takes the others from nobody. They
    stand in the collection's order, whatever the order of the choices.
    """
    missing = tuple(video.video_id for video in part.missing)
    manifest = dataclasses.replace(manifest, missing=missing)
    is_choice = len(part.all_videos) > len(part.videos)
    earlier = read_manifest(manifest.folder, (split,)) if is_choice else None
    if earlier is None:
        return manifest
    reports = {
        (report["video_id"], report["label"], report["method"]): report
        for report in (*earlier.videos, *manifest.videos)
    }
    keys = [(video.video_id, video.label, video.method) for video in part.all_videos]
    there = {video.video_id for video in part.all_videos}
    absent = [name for name in (*earlier.missing, *missing) if name not in there]
    return dataclasses.replace(
        manifest,
        videos=tuple(reports[key] for key in keys if key in reports),
        missing=tuple(dict.fromkeys(absent)),
    )


def pending(card: Card, listing: Listing, settings: Settings, records: Path) -> int:
    """Returns how many videos are still to be prepared."""
    folder = records_folder(card, settings, records)
    return sum(earlier_report(video, folder) is None for video in listing.videos)


def _make_folders(folder, splits: list[str]) -> None:
    if is_remote(folder):
        require_writable(folder)
        return
    try:
        for split in splits:
            (folder / split).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder / split):
                pass  # it can be written to
    except OSError as error:
        raise DataError(
            f"Expected a writable folder for records. Received: {folder} "
            f"({error.strerror}). Give another one by --records or SFCL_RECORDS."
        ) from error


@contextlib.contextmanager
def lock_folder(folder) -> Iterator[None]:
    """Keeps other preparations out of a folder, and clears what a dead one left.

    A remote folder has no locks, and what is unfinished does not lie there. Two that
    write into one cost time alone: of the same settings, shards have the same bytes.

    Raises:
        DataError: If another preparation is at work there.
    """
    end_if_unguarded()
    if is_remote(folder):
        yield
        return
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(portable.locked(folder / ".lock"))
        except portable.InUseError as error:
            raise DataError(
                f"Expected to prepare {folder} alone. Received: another preparation is "
                "at work there. Wait for it, or give another folder by --records."
            ) from error
        clear_unfinished(folder)
        try:
            yield
        finally:
            clear_unfinished(folder)


def clear_unfinished(folder: Path) -> None:
    """Removes what was being written when a process died."""
    for half in [*folder.glob(".*.tmp"), *folder.glob("*/.*.tmp")]:
        half.unlink(missing_ok=True)


def _write_report(folder, listing, reports, reused, seconds, started) -> None:
    by_status: dict[str, list[str]] = {status: [] for status in STATUSES}
    for report in reports.values():
        by_status[report["status"]].append(report["video_id"])
    waiting = [v.video_id for v in listing.videos if v.video_id not in reports]
    values = {
        "videos": len(listing.videos),
        "prepared_before": len(reused),
        "by_status": {status: len(ids) for status, ids in by_status.items()},
        "not_begun": len(waiting),
        "missing": len(listing.missing),
        "failed": {
            report["video_id"]: f"{report['status']}: {report['reason']}"
            for report in reports.values()
            if report["status"] != "ok"
        },
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(started)),
        "seconds": round(time.time() - started, 1),
        "seconds_of_each": dict(sorted(seconds.items())),
        "python": platform.python_version(),
    }
    with contextlib.suppress(DataError):  # a full disk has been told already
        write_json(folder / REPORT, values)
