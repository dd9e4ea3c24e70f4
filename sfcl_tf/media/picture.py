"""A decoded frame or image, converted to RGB only where it is needed.

Converting a whole 4:4:4 frame at 1080p costs more than decoding it. A face tracker
is content with luma, and a record needs the face's surroundings alone.
"""

import functools
from typing import NamedTuple

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

# No subsampling: each pixel is converted on its own, so a part can be.
_FULL_CHROMA = ("yuv444p", "yuvj444p")
# 8 bits, luma in a plane of its own.
_LUMA_FIRST = (*_FULL_CHROMA, "yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "nv12")


class Picture:
    """A still picture.

    Args:
        rgb: `(H, W, 3)` uint8 RGB.
        index: Its place in the video, in presentation order.
        time: In s.
    """

    stamp: int | None = 0
    """Time in the stream's own unit; `None` where it has none."""

    def __init__(self, rgb: np.ndarray, index: int = 0, time: float = 0.0):
        self._rgb = rgb
        self.index = index
        self.time = time

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self._rgb.shape[:2]

    @functools.cached_property
    def luma(self) -> np.ndarray:
        """`(H, W)` uint8 luma."""
        return cv2.cvtColor(self._rgb, cv2.COLOR_RGB2GRAY)

    def rgb(self) -> np.ndarray:
        """Returns `(H, W, 3)` uint8 RGB."""
        return self._rgb

    def region(self, left: int, top: int, right: int, bottom: int) -> np.ndarray:
        """Returns the RGB of a region, ends exclusive: the same bytes as in `rgb()`."""
        return self._rgb[top:bottom, left:right]


class VideoPicture(Picture):
    """A frame of a video, upright and of square pixels.

    Args:
        frame: As PyAV decodes it.
        index: Its place in the video, in presentation order.
        time: In s.
        aspect: Width to height of one of its pixels. What is narrower than high is
            stretched, so that nothing is lost.
    """

    def __init__(
        self, frame: av.VideoFrame, index: int, time: float, aspect: float = 1.0
    ):
        self._frame = frame
        self.stamp = frame.pts
        self.index = index
        self.time = time
        self._turn = _turn_of(frame)
        self._coded = (
            round(frame.height * max(1.0, 1 / aspect)),
            round(frame.width * max(1.0, aspect)),
        )

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self._coded[::-1] if self._turn.transposed else self._coded

    @functools.cached_property
    def luma(self) -> np.ndarray:
        """`(H, W)` uint8 luma in the video's own range."""
        if self._frame.format.name in _LUMA_FIRST:
            plane = _rows(self._frame.planes[0])[:, : self._frame.width]
        else:
            plane = _convert(self._frame, "gray")
        return np.ascontiguousarray(self._upright(plane))

    @functools.cached_property
    def _full_rgb(self) -> np.ndarray:
        return self._upright(_convert(self._frame, "rgb24"))

    def rgb(self) -> np.ndarray:
        """Returns `(H, W, 3)` uint8 RGB."""
        return self._full_rgb

    def region(self, left: int, top: int, right: int, bottom: int) -> np.ndarray:
        """Returns the RGB of a region, ends exclusive: the same bytes as in `rgb()`."""
        frame = self._frame
        as_coded = self._turn == _UPRIGHT and self._coded == (frame.height, frame.width)
        if not as_coded or frame.format.name not in _FULL_CHROMA:
            return self._full_rgb[top:bottom, left:right]
        cut = av.VideoFrame(right - left, bottom - top, frame.format.name)
        cut.colorspace = frame.colorspace
        cut.color_range = frame.color_range
        for source, target in zip(frame.planes, cut.planes, strict=True):
            _rows(target)[:, : cut.width] = _rows(source)[top:bottom, left:right]
        return _convert(cut, "rgb24")

    def _upright(self, plane: np.ndarray) -> np.ndarray:
        height, width = self._coded
        if plane.shape[:2] != self._coded:
            plane = cv2.resize(plane, (width, height), interpolation=cv2.INTER_CUBIC)
        return self._turn(plane)


class _Turn(NamedTuple):
    """How a frame is turned and mirrored to be shown: transposed first."""

    transposed: bool = False
    mirrored: bool = False
    upside_down: bool = False

    def __call__(self, plane: np.ndarray) -> np.ndarray:
        plane = plane.swapaxes(0, 1) if self.transposed else plane
        plane = plane[:, ::-1] if self.mirrored else plane
        return plane[::-1] if self.upside_down else plane


_UPRIGHT = _Turn()


def _turn_of(frame: av.VideoFrame) -> _Turn:
    """Reads a frame's display matrix, of which the nearest quarter turn is taken.

    Reference:
        ISO/IEC 14496-12, 6.2.2: x' = a x + c y, y' = b x + d y, in 16.16 fixed point.
    """
    try:
        matrix = frame.side_data["DISPLAYMATRIX"]  # type: ignore[typeddict-item]
    except KeyError:
        return _UPRIGHT
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return _Turn(True, c < 0, b < 0)
    return _Turn(False, a < 0, d < 0)


def _convert(frame: av.VideoFrame, pixel_format: str) -> np.ndarray:
    """Converts on this thread: starting others costs more than a face's conversion."""
    return (
        VideoReformatter().reformat(frame, format=pixel_format, threads=1).to_ndarray()
    )


def _rows(plane) -> np.ndarray:
    """Returns a plane's bytes in place, `(height, line size)`."""
    return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
