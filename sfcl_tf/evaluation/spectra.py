"""Mean SIDA curves of real and of fake faces."""

from collections.abc import Callable, Iterable

import numpy as np

from sfcl_tf import ops

BANDS = 192
"""Length of a curve: SIDA's means of Y, 64 bands between columns, between rows, and
within blocks."""


class Curves:
    """Running mean and spread of SIDA's 192 means of Y, by class.

    Attributes:
        count: Videos of real and of fake faces.
    """

    def __init__(self):
        self._sums = np.zeros((2, BANDS))
        self._squares = np.zeros((2, BANDS))
        self.count = np.zeros(2, int)

    def add(self, curve: np.ndarray, label: int) -> None:
        """Adds a video's curve, `(192,)`."""
        self._sums[label] += curve
        self._squares[label] += np.square(curve)
        self.count[label] += 1

    @property
    def mean(self) -> np.ndarray:
        """`(2, 192)`: of real and of fake."""
        return self._sums / np.maximum(self.count, 1)[:, None]

    @property
    def error(self) -> np.ndarray:
        """`(2, 192)` standard errors of the means, by video; 0 of fewer than two."""
        count = np.maximum(self.count, 2)[:, None]
        variance = self._squares / count - np.square(self._sums / count)
        error = np.sqrt(np.maximum(variance, 0) / (count - 1))
        return np.where(self.count[:, None] < 2, 0.0, error)


def sida_curve(crop: np.ndarray) -> np.ndarray:
    """Returns SIDA's means of Y of a crop, `(192,)`.

    Args:
        crop: `(H, W, 3)` uint8 RGB at native resolution.
    """
    statistics = np.asarray(ops.sida(crop, channels="y"))
    return statistics.reshape(4, 3, 3, 64)[0, :, 0].ravel()


def sida_curves(crops: Iterable, on_crop: Callable[[], None] = lambda: None) -> Curves:
    """Averages SIDA's means of Y over frames, and over videos.

    Args:
        crops: `(crop, label, meta)` as `InputPipeline.crops` gives them, whose videos
            come one after another.
        on_crop: Called after each.
    """
    curves, current, label = Curves(), None, 0
    frames: list[np.ndarray] = []
    for crop, own, meta in crops:
        video = meta["video_id"].numpy()
        if video != current and frames:
            curves.add(np.mean(frames, axis=0), label)
            frames = []
        current, label = video, int(own)
        frames.append(sida_curve(crop.numpy()))
        on_crop()
    if frames:
        curves.add(np.mean(frames, axis=0), label)
    return curves
