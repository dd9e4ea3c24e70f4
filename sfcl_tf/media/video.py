"""Decoding: frames evenly spaced over what decodes, and what the codec tells."""

import array
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from sfcl_tf.media.picture import VideoPicture
from sfcl_tf.system.errors import DataError

MAX_PIXELS = 8192 * 8192
_CRF = re.compile(rb"x264[^\0]*?\bcrf=(\d+(?:\.\d+)?)")
_SEI_BYTES = 1 << 16
# A stream that is all damage would otherwise be decoded packet by packet.
_MAX_ERRORS = 1000
_NO_STAMP = -(2**63)
# Containers of video alone, from files alone: FFmpeg also shows text as "ANSI art", and
# follows playlists to other files and hosts.
_ALLOWED = {
    "protocol_whitelist": "file",
    "format_whitelist": "3g2,3gp,asf,avi,dv,flv,gif,h264,hevc,image2,ivf,jpeg_pipe,"
    "m4v,matroska,mj2,mov,mp4,mpeg,mpegts,mpegvideo,mxf,nut,ogg,png_pipe,webm,"
    "webp_pipe,wtv,yuv4mpegpipe",
}


@dataclasses.dataclass(frozen=True)
class VideoFacts:
    """What a stream says of itself.

    Attributes:
        frames: Number of frames, counted by demuxing.
        width: In pixels, as coded.
        height: In pixels, as coded.
        pixel_format: FFmpeg's name, such as `yuv444p`.
        crf: x264's constant rate factor from its SEI user data; NaN if unknown.
    """

    frames: int
    width: int
    height: int
    pixel_format: str
    crf: float


def probe(path: Path) -> VideoFacts:
    """Reads a video's facts without decoding it.

    Raises:
        DataError: If the file is no readable video.
    """
    return scan(path)[0]


def scan(path: Path) -> tuple[VideoFacts, np.ndarray]:
    """Reads a video's facts and its frames' time stamps, without decoding it.

    Returns:
        The facts; and `(frames,)` int64 time stamps in the stream's own unit,
        ascending, or 0, 1, 2, ... where the stream lacks or repeats them.

    Raises:
        DataError: If the file is no readable video.
    """
    with _open(path) as container:
        stream = container.streams.video[0]
        crf, stamps = float("nan"), array.array("q")  # hours of video in few MB
        try:
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                if not stamps:
                    match = _CRF.search(bytes(packet)[:_SEI_BYTES])
                    crf = float(match[1]) if match else crf
                stamps.append(_NO_STAMP if packet.pts is None else packet.pts)
        except av.FFmpegError:
            pass  # cut off: what was counted before is what there is
        context = stream.codec_context
        facts = VideoFacts(
            len(stamps),
            context.width,
            context.height,
            context.pix_fmt or "unknown",
            crf,
        )
    ascending = np.sort(np.asarray(stamps, np.int64))
    if _NO_STAMP in ascending[:1] or not np.all(np.diff(ascending)):
        return facts, np.arange(len(ascending))
    return facts, ascending


def evenly_spaced(stamps: np.ndarray, count: int) -> np.ndarray:
    """Chooses frames evenly spaced in time.

    The span of the video is divided into `count` equal shares, and the frame on
    show in the middle of each is taken. Where frames are sparse, as in videos of
    variable rate, the next ones that are free are taken instead of one twice.

    Args:
        stamps: `(frames,)` integers, ascending, each once.
        count: How many.

    Returns:
        `min(count, frames)` indices, ascending.

    Example:
        >>> evenly_spaced(np.arange(10), 5)
        array([1, 3, 5, 7, 9])
        >>> evenly_spaced(np.array([0, 1, 2, 3, 4, 100, 200]), 3)
        array([4, 5, 6])
    """
    total = len(stamps)
    count = min(count, total)
    if not count:
        return np.arange(0)
    step = int(np.median(np.diff(stamps))) if total > 1 else 1
    span = int(stamps[-1] - stamps[0]) + step
    position = np.arange(count)
    moments = stamps[0] + (2 * position + 1) * span // (2 * count)
    indices = np.searchsorted(stamps, moments, side="right") - 1
    indices = np.maximum.accumulate(indices - position) + position
    return np.minimum(indices, total - count + position)


@dataclasses.dataclass
class Damage:
    """What of a video did not decode.

    Attributes:
        packets: How many; what depends on them shows garbage, too.
    """

    packets: int = 0


def decode(path: Path, damage: Damage | None = None) -> Iterator[VideoPicture]:
    """Yields a video's frames in presentation order.

    What is damaged is passed over: decoding goes on with the next packet.
    `index` counts the frames that decode. Nothing is converted to RGB yet.

    Args:
        path: The video.
        damage: Counts what is passed over.

    Raises:
        DataError: If the file is no readable video.
    """
    with _open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"  # the pool uses the cores
        errors = index = 0
        packets = container.demux(stream)
        while errors < _MAX_ERRORS:
            try:
                packet = next(packets)
            except (StopIteration, av.FFmpegError):
                return
            try:
                frames = packet.decode()
            except av.FFmpegError:
                errors += 1
                if damage is not None:
                    damage.packets += 1
                continue
            for frame in frames:
                if frame.width * frame.height > MAX_PIXELS:
                    return
                time = frame.time if frame.time is not None else float("nan")
                yield VideoPicture(frame, index, float(time))
                index += 1


def _open(path: Path):
    try:
        container = av.open(str(path), metadata_errors="ignore", options=dict(_ALLOWED))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise DataError(
            f"Expected a readable video. Received: {path} ({error})."
        ) from error
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
