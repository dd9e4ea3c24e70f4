"""Preparation: each video once, to one shard of face records and its report."""

import concurrent.futures
import dataclasses
import hashlib
import json
import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sfcl_tf.data.cards import Card
from sfcl_tf.data.layouts import Listing, Video
from sfcl_tf.data.region import CONTEXT, SCHEMA
from sfcl_tf.errors import DataError

DETECTOR = "dlib-hog-1"
# SIDA needs 32 pixels, and snapping a crop to the grid takes up to 14 off it.
MIN_FACE = 46
_NEIGHBOURS = 2
_DIGEST_BYTES = 1 << 16


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a preparation gave, as `manifest.json` holds it.

    Attributes:
        folder: The records' folder.
        card: The data set's name.
        fingerprint: Of the settings; part of the folder's name.
        frames: Frames wanted of each video.
        videos: The report of each video; see `prepare_video`.
        missing: Ids of the videos that the lists name and the collection lacks.
    """

    folder: Path
    card: str
    fingerprint: str
    frames: int
    videos: tuple[dict[str, Any], ...]
    missing: tuple[str, ...]

    def split(self, name: str) -> list[dict[str, Any]]:
        """Returns the reports of a split's videos that gave records."""
        return [v for v in self.videos if v["split"] == name and v["records"]]

    def shards(self, name: str) -> list[Path]:
        """Returns the shards of a split."""
        return [self.folder / video["shard"] for video in self.split(name)]

    def coverage(self, split: str | None = None) -> dict[str, Any]:
        """Counts frames wanted and frames with a face, and names the rest."""
        videos = [v for v in self.videos if split in (None, v["split"])]
        return {
            "videos": len(videos),
            "frames_wanted": sum(v["frames_wanted"] for v in videos),
            "frames_with_face": sum(v["records"] for v in videos),
            "videos_without_face": [
                v["video_id"] for v in videos if v["status"] == "no_face"
            ],
            "videos_unreadable": [
                v["video_id"] for v in videos if v["status"] == "unreadable"
            ],
        }


def fingerprint(card: Card, frames: int) -> str:
    """Returns 8 hex digits that differ where prepared records would."""
    settings = {
        "schema": SCHEMA,
        "context": CONTEXT,
        "detector": DETECTOR,
        "frames": frames,
        "layout": card.layout,
        "compression": card.compression,
        "methods": sorted(card.methods),
        "splits": card.splits,
    }
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def records_folder(card: Card, frames: int, records: Path) -> Path:
    """Returns where a card's records lie below the folder for all records."""
    return records / f"{card.name}-{fingerprint(card, frames)}"


def read_manifest(folder: Path) -> Manifest | None:
    """Reads a preparation's manifest; `None` where there is none."""
    path = folder / "manifest.json"
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text("utf-8"))
        return Manifest(
            folder,
            values["card"],
            values["fingerprint"],
            values["frames"],
            tuple(values["videos"]),
            tuple(values["missing"]),
        )
    except (ValueError, KeyError) as error:
        raise DataError(
            f"Expected a manifest written by `sfcl prepare`. Received: {path} "
            f"({error!r}). Remove that file and prepare again: no shard is lost."
        ) from error


def prepare(
    card: Card,
    listing: Listing,
    *,
    frames: int,
    records: Path,
    workers: int = 1,
    on_video: Callable[[dict[str, Any], int, int], None] | None = None,
) -> Manifest:
    """Prepares every video that is not prepared yet.

    A video that cannot be read or shows no face is reported and stops nothing. An
    interrupted preparation goes on where it was: a shard that exists is whole.

    Args:
        card: The data set.
        listing: Its videos.
        frames: Frames wanted of each video, evenly spaced.
        records: The folder for all records.
        workers: Processes.
        on_video: Called with a video's report, how many are done, and how many
            there are.

    Returns:
        The manifest, which is also written to `manifest.json`.

    Raises:
        DataError: If the folder cannot be written, or a split gave no record.
    """
    folder = records_folder(card, frames, records)
    try:
        for split in {video.split for video in listing.videos}:
            (folder / split).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder / split):
                pass  # it can be written to
    except OSError as error:
        raise DataError(
            f"Expected a writable folder for records. Received: {folder} "
            f"({error.strerror}). Give another one by --records or SFCL_RECORDS."
        ) from error
    reports: dict[str, dict[str, Any]] = {}

    def done(report):
        reports[report["video_id"]] = report
        if on_video:
            on_video(report, len(reports), len(listing.videos))

    pending = []
    for video in listing.videos:
        report = _earlier(video, folder)
        if report:
            done({**report, "reused": True})
        else:
            pending.append(video)
    for report in _run(pending, folder, frames, workers):
        done({**report, "reused": False})

    manifest = Manifest(
        folder,
        card.name,
        fingerprint(card, frames),
        frames,
        tuple(reports[video.video_id] for video in listing.videos),
        tuple(video.video_id for video in listing.missing),
    )
    values = dataclasses.asdict(manifest)
    del values["folder"]
    _write_json(folder / "manifest.json", values)
    for split in sorted({video.split for video in listing.videos}):
        if not manifest.split(split):
            raise DataError(
                f"Expected faces in the split `{split}` of {card.title}. Received: "
                f"none in {len(listing.split(split))} videos. {_reasons(manifest)}"
            )
    return manifest


def prepare_video(video: Video, folder: Path, frames: int) -> dict[str, Any]:
    """Decodes one video, follows its face and writes its shard and report.

    Where a sampled frame shows no face, the next two are tried; a sample without
    any is counted as missing.

    Returns:
        The report: the video's id, split, label, method and sources; `status`
        (`ok`, `no_face` or `unreadable`) and `reason`; `shard` (relative path);
        `frames_wanted`, `records`, `neighbours` (records from a frame beside the
        sampled one), `tracked`, `too_small`; the codec's facts; size and digest of
        the file.
    """
    shard, sidecar = _paths(video, folder)
    report: dict[str, Any] = {
        "video_id": video.video_id,
        "split": video.split,
        "label": video.label,
        "method": video.method,
        "sources": list(video.sources),
        "status": "unreadable",
        "reason": "",
        "shard": str(shard.relative_to(folder)),
        "frames_wanted": 0,
        "records": 0,
        "neighbours": 0,
        "tracked": 0,
        "too_small": 0,
    }
    try:
        report["source"] = _identity(video.path)
        shard.unlink(missing_ok=True)  # of another file under the same name
        report["records"] = _write(video, frames, shard, report)
    except (DataError, OSError) as error:
        report |= {"reason": str(error), "frames_wanted": frames}
        return report
    report["status"] = "ok" if report["records"] else "no_face"
    if not report["records"]:
        report["reason"] = "faces too small" if report["too_small"] else "no face found"
    _write_json(sidecar, report)
    return report


class _EndedEarly(Exception):
    """Fewer frames decode than the stream announces."""

    def __init__(self, frames: int):
        self.frames = frames


def _write(video: Video, frames: int, shard: Path, report: dict[str, Any]) -> int:
    """Writes the shard, spaced anew where fewer frames decode than announced."""
    from sfcl_tf.data.records import write_shard
    from sfcl_tf.data.video import probe

    facts = probe(video.path)
    report |= dataclasses.asdict(facts)
    total = facts.frames
    while total:
        counts = dict.fromkeys(("neighbours", "tracked", "too_small"), 0)
        try:
            written = write_shard(shard, _records(video, facts, total, frames, counts))
        except _EndedEarly as end:
            report["reason"] = f"{end.frames} of {facts.frames} frames decode"
            total = end.frames
        else:
            report |= {"frames_wanted": min(frames, total), **counts}
            return written
    raise DataError(f"Expected frames in {video.path}. Received: none that decodes.")


def _records(video: Video, facts, total: int, frames: int, counts: dict[str, int]):
    """Yields a video's serialised records, and counts."""
    from sfcl_tf.data.faces import FaceFinder, FaceTrack
    from sfcl_tf.data.records import encode_record
    from sfcl_tf.data.video import decode, evenly_spaced, to_frame

    wanted = [*evenly_spaced(total, frames).tolist(), total]
    follow = FaceTrack(FaceFinder())
    position = decoded = 0
    for index, undecoded in decode(video.path):
        decoded = index + 1
        if index < wanted[position]:
            continue
        if position == len(wanted) - 1:
            break
        frame = to_frame(index, undecoded)
        face = follow(frame.image, frame.time)
        if face and _large(face, frame.image):
            counts["neighbours"] += index != wanted[position]
            counts["tracked"] += not face.detected
            yield encode_record(frame.image, face, video, facts, frame)
            position += 1
            continue
        counts["too_small"] += face is not None
        tries = min(wanted[position] + _NEIGHBOURS, wanted[position + 1] - 1)
        if face or index >= tries:
            position += 1
    if decoded < total:
        raise _EndedEarly(decoded)


def _large(face, image) -> bool:
    x0, y0, x1, y1 = face.box
    return min(max(x1 - x0, y1 - y0), *image.shape[:2]) >= MIN_FACE


def _run(pending, folder, frames, workers):
    workers = min(workers, len(pending))
    if workers <= 1:
        for video in pending:
            yield prepare_video(video, folder, frames)
        return
    context = multiprocessing.get_context("spawn")  # TensorFlow does not survive fork
    pool = concurrent.futures.ProcessPoolExecutor(workers, context, _start_worker)
    try:
        futures = [pool.submit(prepare_video, v, folder, frames) for v in pending]
        for future in concurrent.futures.as_completed(futures):
            yield future.result()
    except BaseException:
        _end_workers(folder)
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _end_workers(folder):
    """Ends the pool's processes at once, and removes what they had half written."""
    for worker in multiprocessing.active_children():
        worker.terminate()
        worker.join()
        for half in folder.glob(f"*/.*.{worker.pid}.tmp"):
            half.unlink()


def _start_worker():
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the pool
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    import cv2

    from sfcl_tf.quiet import import_tensorflow

    import_tensorflow()
    cv2.setNumThreads(1)


def _earlier(video: Video, folder: Path) -> dict[str, Any] | None:
    """Returns the report of an earlier preparation of the same file, if whole."""
    shard, sidecar = _paths(video, folder)
    try:
        report = json.loads(sidecar.read_text("utf-8"))
        same = report["source"] == _identity(video.path)
        whole = not report["records"] or shard.is_file()
        return report if same and whole else None
    except (OSError, ValueError, KeyError):
        return None


def _paths(video: Video, folder: Path) -> tuple[Path, Path]:
    name = video.video_id.replace("/", "__")
    split = folder / video.split
    return split / f"{name}.tfrecord", split / f"{name}.json"


def _identity(path: Path) -> dict[str, Any]:
    """Returns a file's size, and the digest of its first 64 KiB."""
    with path.open("rb") as file:
        head = hashlib.sha256(file.read(_DIGEST_BYTES)).hexdigest()
    return {"bytes": path.stat().st_size, "sha256_head": head}


def _reasons(manifest: Manifest) -> str:
    failed = [v for v in manifest.videos if not v["records"]]
    return " ".join(f"{v['video_id']}: {v['reason']}." for v in failed[:5])


def _write_json(path: Path, values) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(values, indent=1), "utf-8")
    temporary.replace(path)
