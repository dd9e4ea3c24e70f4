"""One video or image to one shard of face records, and a report of it."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sfcl_tf.catalog.listing import Video
from sfcl_tf.faces.boxes import FrameBoxes
from sfcl_tf.faces.face import MIN_FACE, is_large
from sfcl_tf.faces.sampling import FaceSample, sample_faces, sampled_frames
from sfcl_tf.media.footage import Footage, require_file
from sfcl_tf.media.frames import frame_files, open_collected
from sfcl_tf.media.picture import Picture
from sfcl_tf.records.manifest import Settings
from sfcl_tf.system.errors import DataError
from sfcl_tf.system.output import DiskFullError, NotWrittenError, write_json
from sfcl_tf.system.storage import explain_access_errors, size

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
        reason = "the file of boxes has none for it"
        return report | {"status": "no_face", "reason": reason}
    for old in (shard, sidecar):
        with explain_access_errors(old):
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
        **_only_with(video),
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
        return report | _only_with(video) if same else None
    except (DataError, OSError, ValueError, KeyError, TypeError):
        return None


def _only_with(video: Video) -> dict[str, str]:
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
    from sfcl_tf.records.record import write_shard

    footage = open_collected(video.path)
    report = dataclasses.asdict(footage.facts)
    report["crf"] = None if math.isnan(report["crf"]) else report["crf"]
    for strict in (True, False):
        attempt = _Pass(video, footage, settings, boxes, strict)
        try:
            written = write_shard(shard, attempt.records())
            break
        except _NotAsAnnouncedError:
            footage = footage.settled()
            report["reason"] = (
                f"{len(footage.stamps)} of {footage.facts.frames} frames decode"
            )
    unread = footage.log.unread
    if unread and not report.get("reason"):
        report["reason"] = (
            f"{unread} of the {attempt.wanted} frames that were wanted, or of those "
            "beside them, cannot be read"
        )
    if not attempt.wanted:
        raise DataError(
            f"Expected frames in {video.path}. Received: none that "
            f"{'has boxes' if len(footage.stamps) else 'decodes'}."
        )
    return report | {
        "records": len(written),
        "record_bytes": written,
        "frames_wanted": attempt.wanted,
        **attempt.counts,
    }


class _Pass:
    """One pass over a video: its records, and counts of what they were made of."""

    def __init__(self, video: Video, footage: Footage, settings, boxes, strict: bool):
        stamps = footage.stamps
        self.wanted = len(sampled_frames(stamps, settings.frames, boxes))
        self.counts = dict.fromkeys(
            ("frames_with_face", "tracks", "neighbours", "tracked", "too_small"), 0
        )
        self._video, self._footage, self._strict = video, footage, strict
        self._samples = sample_faces(
            footage,
            frames=settings.frames,
            faces=settings.faces,
            boxes=boxes,
            neighbours=_NEIGHBOURS if boxes is None else 0,
            detector=settings.detector,
            thorough=settings.faces == "all",
            on_picture=self._check,
        )

    def records(self) -> Iterator[bytes]:
        """Yields serialised records, and counts.

        Raises:
            _NotAsAnnouncedError: In a strict pass, if the frames are not those that
                the time stamps tell.
        """
        taken = 0
        tracks: set[int] = set()
        for sample in self._samples:
            taken += 1
            yield from self._records_of(sample, tracks)
        self.counts["tracks"] = len(tracks)
        if self._strict and taken < self.wanted:
            raise _NotAsAnnouncedError

    def _records_of(self, sample: FaceSample, tracks: set[int]) -> Iterator[bytes]:
        from sfcl_tf.records.record import encode_record

        counts, picture = self.counts, sample.picture
        large = [face for face in sample.faces if is_large(face, picture)]
        counts["too_small"] += bool(sample.faces) and not large
        counts["frames_with_face"] += bool(large)
        counts["neighbours"] += bool(large) and picture.index != sample.frame
        for face in large:
            tracks.add(face.track)
            counts["tracked"] += not face.detected
            yield encode_record(picture, face, self._video, self._footage.facts)

    def _check(self, picture: Picture) -> None:
        if self._strict and not self._footage.announces(picture):
            raise _NotAsAnnouncedError


def _identity(path: Path) -> dict[str, Any]:
    """Returns a file's size, and the digest of its first 64 KiB.

    Of a folder of frames, of the names and sizes of all.
    """
    if path.is_dir():
        sizes = [(file.name, file.stat().st_size) for file in frame_files(path)]
        names = hashlib.sha256(json.dumps(sizes).encode()).hexdigest()
        return {"bytes": sum(size for _, size in sizes), "sha256_head": names}
    require_file(path)
    with path.open("rb") as file:
        head = hashlib.sha256(file.read(_DIGEST_BYTES)).hexdigest()
    return {"bytes": path.stat().st_size, "sha256_head": head}
