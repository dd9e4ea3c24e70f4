"""A decoded frame or image, converted to RGB only where it is needed.

Converting a whole 4:4:4 frame at 1080p costs more than decoding it. A face tracker
is content with luma, and a record needs the face's surroundings alone.
"""

import functools

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
    """A frame of a video, upright.

    Args:
        frame: As PyAV decodes it.
        index: Its place in the video, in presentation order.
        time: Its time stamp in s.
    """

    def __init__(self, frame: av.VideoFrame, index: int, time: float):
        self._frame = frame
        self.stamp = frame.pts
        self.index = index
        self.time = time
        self._turns = round(frame.rotation / 90) % 4  # counter-clockwise

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        size = self._frame.height, self._frame.width
        return size[::-1] if self._turns % 2 else size

    @functools.cached_property
    def luma(self) -> np.ndarray:
        """`(H, W)` uint8 luma in the video's own range."""
        if self._frame.format.name in _LUMA_FIRST:
            plane = _rows(self._frame.planes[0])[:, : self._frame.width]
        else:
            plane = _convert(self._frame, "gray")
        return np.ascontiguousarray(np.rot90(plane, self._turns))

    @functools.cached_property
    def _full_rgb(self) -> np.ndarray:
        return np.rot90(_convert(self._frame, "rgb24"), self._turns)

    def rgb(self) -> np.ndarray:
        """Returns `(H, W, 3)` uint8 RGB."""
        return self._full_rgb

    def region(self, left: int, top: int, right: int, bottom: int) -> np.ndarray:
        """Returns the RGB of a region, ends exclusive: the same bytes as in `rgb()`."""
        if self._turns or self._frame.format.name not in _FULL_CHROMA:
            return self._full_rgb[top:bottom, left:right]
        cut = av.VideoFrame(right - left, bottom - top, self._frame.format.name)
        cut.colorspace = self._frame.colorspace
        cut.color_range = self._frame.color_range
        for source, target in zip(self._frame.planes, cut.planes, strict=True):
            _rows(target)[:, : cut.width] = _rows(source)[top:bottom, left:right]
        return _convert(cut, "rgb24")


def _convert(frame: av.VideoFrame, pixel_format: str) -> np.ndarray:
    """Converts on this thread: starting others costs more than a face's conversion."""
    return (
        VideoReformatter().reformat(frame, format=pixel_format, threads=1).to_ndarray()
    )


def _rows(plane) -> np.ndarray:
    """Returns a plane's bytes in place, `(height, line size)`."""
    return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
