"""The survey: every file of a listing opened once, and what it says of itself."""

import dataclasses
import functools
import hashlib
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sfcl_tf.catalog.listing import Video
from sfcl_tf.media.frames import frame_files
from sfcl_tf.system.errors import DataError
from sfcl_tf.system.processes import run_in_processes

_DIGEST_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class FileFacts:
    """What one file says of itself.

    Attributes:
        video: The file.
        problem: Why it cannot be read; empty where it can.
        size: In bytes.
        digest: Equal for equal files, and for equal files only where `fully_hashed`.
        fully_hashed: Whether all of the file went into `digest`, not only its ends.
        frames: Frames that the stream holds.
        width: Of the first frame as shown, in pixels.
        height: Of the first frame as shown, in pixels.
        pixel_format: FFmpeg's name; of an image its kind, mode and chroma.
        crf: x264's constant rate factor; `None` if unknown.
        codec: Of the video stream, or `image`.
        container: FFmpeg's name of the container, or the image's kind.
        writer: What wrote the container, such as `Lavf56.40.101`.
        rate: Frames per second; 0 where unknown.
        seconds: Duration; 0 where unknown.
        audio: Whether there is sound.
        quantisation: Mean step of a JPEG's luma table; 0 otherwise.
    """

    video: Video
    problem: str = ""
    size: int = 0
    digest: str = ""
    fully_hashed: bool = False
    frames: int = 0
    width: int = 0
    height: int = 0
    pixel_format: str = ""
    crf: float | None = None
    codec: str = ""
    container: str = ""
    writer: str = ""
    rate: float = 0.0
    seconds: float = 0.0
    audio: bool = False
    quantisation: float = 0.0


def survey(
    videos: Iterable[Video],
    *,
    workers: int = 1,
    timeout: float = 600.0,
    on_file: Callable[[int, int], None] | None = None,
) -> tuple[FileFacts, ...]:
    """Opens every file in a pool of processes.

    Files are told apart by size and by a digest of their ends; only those that are
    alike in both are read whole for it.

    Args:
        videos: What to look at.
        workers: Processes.
        timeout: Seconds after which a file is given up.
        on_file: Called with the number of files done, and of all.

    Returns:
        The facts, in the order of `videos`.
    """
    videos = tuple(videos)
    facts = [FileFacts(video) for video in videos]
    jobs = [functools.partial(inspect_file, video) for video in videos]
    ended = run_in_processes(jobs, workers, timeout, _warm_up)
    for done, outcome in enumerate(ended, 1):
        failed = FileFacts(videos[outcome.index], outcome.reason)
        facts[outcome.index] = outcome.result or failed
        if on_file:
            on_file(done, len(videos))
    indices = [index for group in duplicate_groups(facts) for index in group]
    indices = [index for index in indices if not facts[index].fully_hashed]
    digests = [functools.partial(_digest, facts[index].video.path) for index in indices]
    for outcome in run_in_processes(digests, workers, timeout, _warm_up):
        index, digest = indices[outcome.index], outcome.result or ""
        facts[index] = dataclasses.replace(
            facts[index], digest=digest, fully_hashed=bool(digest)
        )
    return tuple(facts)


def duplicate_groups(facts: Iterable[FileFacts]) -> list[list[int]]:
    """Returns the indices of files with one digest, two or more together."""
    groups: dict[str, list[int]] = {}
    for index, file in enumerate(facts):
        if file.digest:
            groups.setdefault(file.digest, []).append(index)
    return [group for group in groups.values() if len(group) > 1]


def _warm_up() -> None:
    import sfcl_tf.media.footage  # noqa: F401


def inspect_file(video: Video) -> FileFacts:
    """Opens one file, and decodes its first frame."""
    from sfcl_tf.media.footage import is_still

    values: dict[str, Any] = {}
    try:
        values["size"] = _size(video.path)
        values["fully_hashed"] = values["size"] <= 2 * _DIGEST_BYTES
        values["digest"] = _digest(video.path, ends=True) if values["size"] else ""
        if video.path.is_dir():
            values |= _frames(video.path)
        else:
            values |= _image(video.path) if is_still(video.path) else _video(video.path)
    except Exception as error:  # damaged files raise whatever a decoder meets
        values["problem"] = str(error) or type(error).__name__
    return FileFacts(video, **values)


def _digest(path: Path, ends: bool = False) -> str:
    """Returns a digest of a whole file; or of its size and ends, where it is large."""
    size = _size(path)
    if path.is_dir():
        files = frame_files(path)
        several = hashlib.sha256(f"frames of {size}:".encode())
        for each in {files[0]: 0, files[-1]: 0} if ends else files:
            several.update(_digest(each).encode())
        return several.hexdigest()
    with path.open("rb") as file:
        if not ends or size <= 2 * _DIGEST_BYTES:
            return hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha256(f"ends of {size}:".encode())
        digest.update(file.read(_DIGEST_BYTES))
        file.seek(-_DIGEST_BYTES, 2)
        digest.update(file.read(_DIGEST_BYTES))
        return digest.hexdigest()


def _size(path: Path) -> int:
    """Returns the bytes of a file, or of a folder's frames."""
    files = frame_files(path) if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


def _frames(path: Path) -> dict:
    files = frame_files(path)
    if not files:
        raise DataError(
            f"Expected the frames of a video. Received: no image in {path}."
        )
    return _image(files[0]) | {"frames": len(files)}


def _video(path: Path) -> dict:
    import av

    from sfcl_tf.media.video import decode, scan

    facts, _ = scan(path)
    first = next(decode(path), None)
    if first is None:
        raise DataError(f"Expected frames in {path}. Received: none that decodes.")
    height, width = first.size
    with av.open(str(path), metadata_errors="ignore") as container:
        stream = container.streams.video[0]
        rate = float(stream.average_rate or 0)
        return {
            "frames": facts.frames,
            "width": width,
            "height": height,
            "pixel_format": facts.pixel_format,
            "crf": None if math.isnan(facts.crf) else facts.crf,
            "codec": stream.codec_context.name,
            "container": container.format.name,
            "writer": container.metadata.get("encoder", ""),
            "rate": rate,
            "seconds": facts.frames / rate if rate else 0.0,
            "audio": bool(container.streams.audio),
        }


def _image(path: Path) -> dict:
    from PIL import Image

    from sfcl_tf.media.images import read_image

    facts, picture = read_image(path)
    height, width = picture.size
    values: dict[str, Any] = {
        "frames": 1,
        "width": width,
        "height": height,
        "pixel_format": facts.pixel_format,
        "codec": "image",
        "container": facts.pixel_format.partition("-")[0],
    }
    with Image.open(path) as image:
        tables = getattr(image, "quantization", None)
        if tables:  # what a detector of block DCT sees before anything else
            values["quantisation"] = round(sum(tables[0]) / 64, 1)
            values["pixel_format"] += f" {_chroma(image)}"
    return values


def _chroma(image) -> str:
    """Returns how a JPEG's chroma is sampled."""
    factors = {tuple(layer[1:3]) for layer in image.layer}
    if len(image.layer) == 1:
        return "grey"
    if len(factors) == 1:
        return "4:4:4"
    luma, *chroma = (layer[1:3] for layer in image.layer)
    ratios = [(luma[0] / c[0], luma[1] / c[1]) for c in chroma[:2]]
    known = {(2, 1): "4:2:2", (2, 2): "4:2:0"}
    return known.get(ratios[0], "other chroma") if len({*ratios}) == 1 else "mixed"
