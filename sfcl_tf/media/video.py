"""Decoding: frames evenly spaced over what decodes, and what the codec tells."""

import array
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from sfcl_tf.media.container import MAX_PIXELS, choice_note, open_video
from sfcl_tf.media.picture import VideoPicture

_CRF = re.compile(rb"x264[^\0]*?\bcrf=(\d+(?:\.\d+)?)")
_SEI_BYTES = 1 << 16
# A stream that is all damage would otherwise be decoded packet by packet.
_MAX_ERRORS = 1000
_NO_STAMP = -(2**63)
STEP_BACK = 0.5
"""Seconds that time stamps may go back before it is time that begins anew."""
_MOST_ASPECT = 4.0
_HDR = {16: "PQ", 18: "HLG"}  # transfer functions of ITU-R BT.2100


@dataclasses.dataclass(frozen=True)
class VideoFacts:
    """What a stream says of itself.

    Attributes:
        frames: Number of frames on show, counted by demuxing.
        width: In pixels, as coded.
        height: In pixels, as coded.
        pixel_format: FFmpeg's name, such as `yuv444p`.
        crf: x264's constant rate factor from its SEI user data; NaN if unknown.
        seconds: How long it takes to show them; `None` if unknown.
        hidden: Frames that the file holds and its edit list cuts off.
        choice: Which of several video streams it is; else empty.
    """

    frames: int
    width: int
    height: int
    pixel_format: str
    crf: float
    seconds: float | None = None
    hidden: int = 0
    choice: str = ""


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
    container, stream = open_video(path)
    with container:
        crf, stamps = float("nan"), array.array("q")  # hours of video in few MB
        first, hidden, order = True, 0, array.array("q")
        try:
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                if first:
                    match = _CRF.search(bytes(packet)[:_SEI_BYTES])
                    crf, first = float(match[1]) if match else crf, False
                if packet.is_discard:
                    hidden += 1
                    continue
                stamps.append(_NO_STAMP if packet.pts is None else packet.pts)
                stamp = packet.pts if packet.dts is None else packet.dts
                if stamp is not None:
                    order.append(stamp)
        except av.FFmpegError:
            pass  # cut off: what was counted before is what there is
        context = stream.codec_context
        facts = VideoFacts(
            len(stamps),
            context.width,
            context.height,
            context.pix_fmt or "unknown",
            crf,
            _seconds(order, stream.time_base),
            hidden,
            choice_note(container, stream),
        )
    ascending = np.sort(np.asarray(stamps, np.int64))
    if _NO_STAMP in ascending[:1] or not np.all(np.diff(ascending)):
        return facts, np.arange(len(ascending))
    return facts, ascending


def _seconds(stamps: array.array, unit) -> float | None:
    """Returns how long packets take to show, in the order in which they are decoded.

    Args:
        stamps: When each is decoded, in the stream's own unit.
        unit: That in s, or `None`.
    """
    if len(stamps) < 2 or not unit:
        return None
    steps = np.diff(np.asarray(stamps, np.int64)) * float(unit)
    steps = steps[steps > 0]  # others: where time begins anew
    return float(steps.sum() + np.median(steps)) if len(steps) else None


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
class DecodingLog:
    """What a video turned out to be while it was decoded.

    Attributes:
        failed: Packets that did not decode; what depends on them shows garbage, too.
        corrupt: Frames that the decoder says are patched up.
        unread: Frames, of a folder of frames, that cannot be read.
        restarts: How often time stamps stepped back.
        interlaced: Frames of two fields of different moments.
        hdr: Its transfer function, where that is not one of ordinary video.
    """

    failed: int = 0
    corrupt: int = 0
    unread: int = 0
    restarts: int = 0
    interlaced: int = 0
    hdr: str = ""

    @property
    def damaged(self) -> int:
        """Parts of the video that are damaged."""
        return self.failed + self.corrupt


def decode(path: Path, log: DecodingLog | None = None) -> Iterator[VideoPicture]:
    """Yields a video's frames in presentation order.

    What is damaged is passed over: decoding goes on with the next packet.
    `index` counts the frames that decode. `time` counts from the start of the file, as
    players show it, and goes on where time stamps step back. Nothing is converted to
    RGB yet.

    Args:
        path: The video.
        log: Notes what is passed over, and what else is out of the ordinary.

    Raises:
        DataError: If the file is no readable video.
    """
    log = DecodingLog() if log is None else log
    container, stream = open_video(path)
    with container:
        stream.thread_type = "NONE"  # the pool uses the cores
        clock = _Clock(container.start_time, log)
        aspect = _pixel_aspect(stream)
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
                log.failed += 1
                continue
            log.failed += bool(packet.is_corrupt)
            for frame in frames:
                if frame.width * frame.height > MAX_PIXELS:
                    return
                log.corrupt += bool(frame.is_corrupt)
                log.interlaced += bool(frame.interlaced_frame)
                log.hdr = log.hdr or _HDR.get(int(frame.color_trc), "")
                yield VideoPicture(frame, index, clock(frame.time), aspect)
                index += 1


class _Clock:
    """Seconds from the start of the file, which never step back."""

    def __init__(self, start: int | None, log: DecodingLog):
        self._start = None if start is None else start / av.time_base
        self._log = log
        self._origin = self._last = self._step = 0.0
        self._running = False

    def __call__(self, stamp: float | None) -> float:
        if stamp is None:
            return float("nan")
        if not self._running:
            self._origin = stamp if self._start is None else min(self._start, stamp)
            self._running = True
        elif stamp - self._origin < self._last - STEP_BACK:
            self._origin = stamp - self._last - self._step
            self._log.restarts += 1
        time = max(stamp - self._origin, self._last)
        self._step = time - self._last if self._last else self._step
        self._last = time
        return time


def _pixel_aspect(stream) -> float:
    """Returns width to height of a pixel; 1 where that is not said, or is absurd."""
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    ratio = float(aspect) if aspect else 1.0
    return ratio if 1 / _MOST_ASPECT <= ratio <= _MOST_ASPECT else 1.0
