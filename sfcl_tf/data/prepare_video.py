"""One video or image to one shard of face records, and a report of it."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sfcl_tf.data.boxes import FrameBoxes, GivenFaces
from sfcl_tf.data.faces import Face, FaceFinder, FaceTracks
from sfcl_tf.data.footage import open_footage
from sfcl_tf.data.listing import Video
from sfcl_tf.data.manifest import Settings
from sfcl_tf.data.output import DiskFullError, NotWrittenError, write_json
from sfcl_tf.data.picture import Picture
from sfcl_tf.data.video import evenly_spaced
from sfcl_tf.errors import DataError
from sfcl_tf.storage import reached, size

# SIDA needs 32 pixels, and snapping a crop to the grid takes up to 14 off it.
MIN_FACE = 46
# At most this many faces of a frame are followed by `all`.
MOST_FACES = 100
_NEIGHBOURS = 2
_DIGEST_BYTES = 1 << 16

STATUSES = {
    "ok": "prepared",
    "no_face": "no face found",
    "too_small": f"faces under {MIN_FACE} pixels only",
    "unreadable": "cannot be read",
    "not_written": "shard could not be written",
    "failed": "an error of this software; please report it",
    "crashed": "the process that read it died",
    "timed_out": "took too long",
}
"""What became of a video, and how it is told."""


def prepare_video(
    video: Video, folder: Path, settings: Settings, boxes: FrameBoxes | None = None
) -> dict[str, Any]:
    """Decodes one video, follows its faces and writes its shard and report.

    Where a sampled frame shows no face, the next two are tried; a sample without
    any is counted as missing.

    Args:
        video: What to prepare.
        folder: The card's folder of records.
        settings: How.
        boxes: Faces from elsewhere, instead of the detector's.

    Returns:
        The report: the video's id, split, label, method and sources; `status`, a key
        of `STATUSES`, and `reason`; `shard` (relative path) and `shard_bytes`;
        `frames_wanted`, `frames_with_face`, `records`, `tracks`, `neighbours` (frames
        beside the sampled one), `tracked` (records by the tracker), `too_small`; the
        codec's facts; size and digest of the file; `record_bytes`, what each record
        takes in the shard.

    Raises:
        DiskFullError: If there is no space left.
    """
    shard, sidecar = shard_paths(video, folder)
    report = empty_report(video, folder) | {"frames_wanted": settings.frames}
    if boxes == {}:
        told = "the file of boxes has none for it"
        return report | {"status": "no_face", "reason": told}
    for old in (shard, sidecar):
        with reached(old):
            old.unlink(missing_ok=True)  # of another file under the same name
    try:
        report["source"] = _identity(video.path)
        report |= _write(video, settings, boxes, shard)
        report |= {
            "status": "ok",
            "shard_bytes": size(shard) if report["records"] else 0,
        }
        if not report["records"]:
            report["status"] = "too_small" if report["too_small"] else "no_face"
            report["reason"] = report["reason"] or STATUSES[report["status"]]
        write_json(sidecar, report)
    except DiskFullError:
        raise
    except NotWrittenError as error:
        return report | {"status": "not_written", "reason": str(error), "records": 0}
    except (DataError, OSError) as error:
        return report | {"status": "unreadable", "reason": str(error)}
    except Exception as error:  # one file must not stop the others
        return report | {
            "status": "failed",
            "reason": f"{type(error).__name__}: {error}",
        }
    return report


def empty_report(video: Video, folder: Path) -> dict[str, Any]:
    """Returns the report of a video of which nothing is known yet."""
    return {
        "video_id": video.video_id,
        "split": video.split,
        "label": video.label,
        "method": video.method,
        "sources": list(video.sources),
        **_beside(video),
        "status": "",
        "reason": "",
        "shard": str(shard_paths(video, folder)[0].relative_to(folder)),
        "shard_bytes": 0,
        "frames_wanted": 0,
        "frames_with_face": 0,
        "records": 0,
        "tracks": 0,
        "neighbours": 0,
        "tracked": 0,
        "too_small": 0,
    }


def earlier_report(video: Video, folder: Path) -> dict[str, Any] | None:
    """Returns the report of an earlier preparation of the same file, if whole."""
    shard, sidecar = shard_paths(video, folder)
    try:
        report = json.loads(sidecar.read_text("utf-8"))
        if report["source"] != _identity(video.path):
            return None
        if report["records"] and size(shard) != report["shard_bytes"]:
            return None
        # The same file may have another place in the data set by now.
        now = empty_report(video, folder)
        fixed = ("video_id", "split", "label", "method", "sources", "shard")
        same = all(report[key] == now[key] for key in fixed)
        # Reports that were written before `only_with` was noted lack it.
        return report | _beside(video) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _beside(video: Video) -> dict[str, str]:
    return {"only_with": video.only_with} if video.only_with else {}


def shard_paths(video: Video, folder: Path) -> tuple[Path, Path]:
    """Returns where a video's shard and its report lie."""
    name = video.video_id.replace("/", "__")
    plain = name.isascii() and len(name) <= 150 and "__" not in video.video_id
    if not plain:  # two ids could else share a name, or have one that is too long
        readable = "".join(c if c.isascii() and c.isprintable() else "_" for c in name)
        digest = hashlib.sha256(video.video_id.encode()).hexdigest()[:12]
        name = f"{readable[:100]}-{digest}"
    split = folder / video.split
    return split / f"{name}.tfrecord", split / f"{name}.json"


class _NotAsAnnouncedError(Exception):
    """Other frames decode than the stream announces."""


def _write(video: Video, settings: Settings, boxes, shard: Path) -> dict[str, Any]:
    """Writes the shard; returns what the report is to say of it."""
    from sfcl_tf.data.records import write_shard

    footage = open_footage(video)
    told = dataclasses.asdict(footage.facts)
    told["crf"] = None if math.isnan(told["crf"]) else told["crf"]
    for strict in (True, False):
        sample = _Sample(video, footage, settings, boxes, strict)
        try:
            written = write_shard(shard, sample.records())
            break
        except _NotAsAnnouncedError:
            footage = footage.settled()
            told["reason"] = (
                f"{len(footage.stamps)} of {footage.facts.frames} frames decode"
            )
    if not sample.wanted:
        raise DataError(
            f"Expected frames in {video.path}. Received: none that "
            f"{'has boxes' if len(footage.stamps) else 'decodes'}."
        )
    return told | {
        "records": len(written),
        "record_bytes": written,
        "frames_wanted": sample.wanted,
        **sample.counts,
    }


class _Sample:
    """The frames looked at in one pass over a video, and what they show."""

    def __init__(self, video, footage, settings: Settings, boxes, strict: bool):
        stamps = footage.stamps
        usable = np.arange(len(stamps))
        if boxes is not None:
            usable = np.array([i for i in boxes if i < len(stamps)], int)
        chosen = usable[evenly_spaced(stamps[usable], settings.frames)]
        self.wanted = len(chosen)
        self.counts = dict.fromkeys(
            ("frames_with_face", "tracks", "neighbours", "tracked", "too_small"), 0
        )
        self._chosen = [*chosen.tolist(), len(stamps)]
        self._tries = _NEIGHBOURS if boxes is None else 0
        self._find = _finder(settings, boxes)
        self._video, self._footage, self._strict = video, footage, strict

    def records(self) -> Iterator[bytes]:
        """Yields serialised records, and counts.

        Raises:
            _NotAsAnnouncedError: In a strict pass, if the frames are not those that
                the time stamps tell.
        """
        from sfcl_tf.data.records import encode_record

        counts, tracks = self.counts, set()
        for wanted, picture, faces in self._looked_at():
            large = [face for face in faces if is_large(face, picture)]
            counts["frames_with_face"] += bool(large)
            counts["neighbours"] += bool(large) and picture.index != wanted
            for face in large:
                tracks.add(face.track)
                counts["tracked"] += not face.detected
                yield encode_record(picture, face, self._video, self._footage.facts)
        counts["tracks"] = len(tracks)

    def _looked_at(self) -> Iterator[tuple[int, Picture, list[Face]]]:
        """Yields each sample: the frame wanted, the one taken, and its faces."""
        chosen, position = self._chosen, 0
        for picture in self._footage.pictures():
            if position == self.wanted:
                return
            index = picture.index
            if self._strict and not self._footage.announces(picture):
                raise _NotAsAnnouncedError
            if index < chosen[position]:
                continue
            faces = self._find(picture)
            found = any(is_large(face, picture) for face in faces)
            tries = min(chosen[position] + self._tries, chosen[position + 1] - 1)
            if found or index >= tries:
                self.counts["too_small"] += bool(faces) and not found
                yield chosen[position], picture, faces
                position += 1
        if self._strict and position < self.wanted:
            raise _NotAsAnnouncedError


def _finder(settings: Settings, boxes: FrameBoxes | None):
    """Returns the function from a picture to its faces."""
    most = MOST_FACES if settings.faces == "all" else 1
    if boxes is not None:
        given = GivenFaces(boxes, most)
        return lambda picture: given(picture.index, *picture.size)
    if settings.faces == "full":
        return lambda picture: [Face((0, 0, *picture.size[::-1]), 0, True)]
    return FaceTracks(FaceFinder(thorough=most > 1), most)


def is_large(face: Face, picture: Picture) -> bool:
    """Tells whether a face is large enough to be described."""
    x0, y0, x1, y1 = face.box
    return min(max(x1 - x0, y1 - y0), *picture.size) >= MIN_FACE


def _identity(path: Path) -> dict[str, Any]:
    """Returns a file's size, and the digest of its first 64 KiB."""
    if not path.is_file():  # a pipe would be waited for, for ever
        raise DataError(f"Expected a file. Received: {path}, which is none.")
    with path.open("rb") as file:
        head = hashlib.sha256(file.read(_DIGEST_BYTES)).hexdigest()
    return {"bytes": path.stat().st_size, "sha256_head": head}
