"""Which detector finds the faces of a picture.

| name | what | finds |
|---|---|---|
| `hog` | dlib's histograms of oriented gradients: the paper's | upright faces that look at the camera |
| `yunet` | YuNet, a small neural network (Wu et al., 2023) | those, and profiles, tilted, covered and small ones, in less than half the time |

Boxes are alike: see `sfcl_tf.faces.yunet`. The trackers between are dlib's.
"""  # noqa: E501

from collections.abc import Callable
from typing import Protocol

import numpy as np

from sfcl_tf.faces.face import Box
from sfcl_tf.faces.hog import HogFinder
from sfcl_tf.faces.yunet import YunetFinder
from sfcl_tf.media.picture import Picture
from sfcl_tf.system.errors import UsageError


class FaceFinder(Protocol):
    """What finds faces.

    Attributes:
        thorough: Whether small faces beside large ones are wanted, which takes longer.
    """

    thorough: bool

    def __call__(self, image: np.ndarray) -> list[Box]:
        """Finds faces in `(H, W, 3)` uint8 RGB, largest first."""

    def coarse(self, image: np.ndarray) -> list[Box]:
        """Finds faces from a sixth of the height, largest first, in one quick look."""

    def near(self, picture: Picture, box: Box) -> dict[Box, float]:
        """Finds faces around a box and of about its size.

        Returns:
            Each box with the score that HOG gives it; NaN if HOG was not asked.
        """


FINDERS: dict[str, Callable[[bool], FaceFinder]] = {
    "hog": HogFinder,
    "yunet": YunetFinder,
}


def face_finder(name: str = "hog", thorough: bool = False) -> FaceFinder:
    """Returns the detector of a name.

    Args:
        name: A key of `FINDERS`.
        thorough: See `FaceFinder`.

    Raises:
        UsageError: If there is none of that name.
        ModelError: If its weights are not installed.
    """
    require_finder(name)
    return FINDERS[name](thorough)


def require_finder(name: str) -> None:
    """Checks the name of a detector.

    Raises:
        UsageError: If there is none of that name.
    """
    if name not in FINDERS:
        raise UsageError(
            f"Expected a face detector of {' or '.join(FINDERS)}. Received: {name!r}."
        )
