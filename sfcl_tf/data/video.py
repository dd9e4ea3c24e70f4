"""Decoding: frames evenly spaced over what decodes, and what the codec tells."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from sfcl_tf.errors import DataError

MAX_PIXELS = 8192 * 8192
_CRF = re.compile(rb"x264[^\0]*?\bcrf=(\d+(?:\.\d+)?)")


@dataclasses.dataclass(frozen=True)
class VideoFacts:
    """What a stream says of itself.

    Attributes:
        frames: Number of frames, counted by demuxing.
        width: In pixels.
        height: In pixels.
        pixel_format: FFmpeg's name, such as `yuv444p`.
        crf: x264's constant rate factor from its SEI user data; NaN if unknown.
    """

    frames: int
    width: int
    height: int
    pixel_format: str
    crf: float


@dataclasses.dataclass(frozen=True)
class Frame:
    """A decoded frame: its place, its time in s, `(H, W, 3)` uint8 RGB."""

    index: int
    time: float
    image: np.ndarray


def probe(path: Path) -> VideoFacts:
    """Reads a video's facts without decoding it.

    Raises:
        DataError: If the file is no readable video.
    """
    with _open(path) as container:
        stream = container.streams.video[0]
        crf, frames = float("nan"), 0
        try:
            for packet in container.demux(stream):
                if packet.size and frames == 0:
                    found = _CRF.search(bytes(packet)[:65536])
                    crf = float(found[1]) if found else crf
                frames += bool(packet.size)
        except av.FFmpegError:
            pass  # cut off: what was counted before is what there is
        context = stream.codec_context
        return VideoFacts(
            frames, context.width, context.height, context.pix_fmt or "unknown", crf
        )


def evenly_spaced(total: int, count: int) -> np.ndarray:
    """Returns `min(count, total)` indices in 0..total-1, evenly spaced.

    Each is the middle of its equal share of the video.

    Example:
        >>> evenly_spaced(10, 5)
        array([1, 3, 5, 7, 9])
    """
    count = min(count, total)
    return ((2 * np.arange(count) + 1) * total) // (2 * max(count, 1))


def decode(path: Path) -> Iterator[tuple[int, "av.VideoFrame"]]:
    """Yields (index, frame) in presentation order, up to the first broken one.

    Frames are not converted to RGB; `to_frame` does that for those wanted.

    Raises:
        DataError: If the file is no readable video.
    """
    with _open(path) as container:
        container.streams.video[0].thread_type = "NONE"  # the pool uses the cores
        frames = container.decode(video=0)
        index = 0
        while True:
            try:
                frame = next(frames)
            except (StopIteration, av.FFmpegError):
                return
            yield index, frame
            index += 1


def to_frame(index: int, frame: "av.VideoFrame") -> Frame:
    """Converts a decoded frame to RGB."""
    time = frame.time if frame.time is not None else float("nan")
    return Frame(index, float(time), frame.to_ndarray(format="rgb24"))


def _open(path: Path):
    try:
        container = av.open(str(path), metadata_errors="ignore")
    except (av.FFmpegError, OSError) as error:
        raise DataError(
            f"Expected a readable video. Received: {path} ({error})."
        ) from (error)
    if not container.streams.video:
        container.close()
        raise DataError(f"Expected a video stream in {path}. Received: none.")
    context = container.streams.video[0].codec_context
    if context is None or context.width * context.height > MAX_PIXELS:
        container.close()
        raise DataError(
            f"Expected frames of at most {MAX_PIXELS} pixels in {path}. Received: "
            f"{getattr(context, 'width', '?')}x{getattr(context, 'height', '?')}."
        )
    return container
