"""dlib's frontal HOG detector, which finds upright faces that look at the camera."""

import math
import threading

import cv2
import dlib
import numpy as np

from sfcl_tf.faces.face import (
    Box,
    area,
    around,
    best,
    inside,
    longer_side,
    shifted,
)
from sfcl_tf.media.picture import Picture

# HOG finds faces from 80 px: at this short side, those of a sixth of the frame.
_FAST_SHORT_SIDE = 480
# Short sides up to which a picture is enlarged, which finds faces from 40 px.
_ENLARGED_UP_TO = 800
_ENLARGED_UP_TO_THOROUGHLY = 1200
# Near a known face the picture is scaled so that HOG's first few windows fit it.
_NEAR_FACE = 104
# Ratio of successive window sizes of dlib's detector.
_PYRAMID = 6 / 5


class HogFinder:
    """dlib's frontal HOG detector on an adaptive scale.

    Small pictures are searched at twice their size, and as they are if there are no
    faces. Large ones are searched at a short side of about 480 pixels first, which
    finds faces from a sixth of the height, then as they are. Colour is looked at, for
    in strongly compressed video luma alone shows fewer faces.

    Args:
        thorough: Whether small faces beside large ones are wanted: there is no
            coarse look then, and pictures of up to 1200 pixels are enlarged.
    """

    def __init__(self, thorough: bool = False):
        self.thorough = thorough

    def __call__(self, image: np.ndarray) -> list[Box]:
        """Finds faces in `(H, W, 3)` uint8 RGB, largest first."""
        boxes: list[Box] = []
        for scale in self._scales(min(image.shape[:2])):
            boxes = boxes or list(self._detect(image, scale))
        return sorted(boxes, key=area, reverse=True)

    def coarse(self, image: np.ndarray) -> list[Box]:
        """Finds faces from a sixth of the height, largest first, in one quick look."""
        scale = min(_on_ladder(_FAST_SHORT_SIDE / min(image.shape[:2])), 1.0)
        return sorted(self._detect(image, scale), key=area, reverse=True)

    def _scales(self, short: int) -> tuple[float, ...]:
        enlarged = _ENLARGED_UP_TO_THOROUGHLY if self.thorough else _ENLARGED_UP_TO
        if short <= enlarged:
            return 2.0, 1.0
        return (1.0,) if self.thorough else (_on_ladder(_FAST_SHORT_SIDE / short), 1.0)

    def near(self, picture: Picture, box: Box) -> dict[Box, float]:
        """Finds faces around a box and of about its size, with the detector's scores.

        Several times faster than a search of the whole picture.
        """
        window = around(box, *picture.size)
        scale = min(_on_ladder(_NEAR_FACE / longer_side(box)), 2.0)
        scores = self._detect(picture.region(*window), scale)
        return {shifted(b, *window[:2]): score for b, score in scores.items()}

    def confidence(self, picture: Picture, box: Box) -> float:
        """Returns the detector's score of a face; minus infinity if it sees none."""
        scores = self.near(picture, box)
        same = best(scores, box)
        return scores[same] if same else -math.inf

    def _detect(self, image, scale) -> dict[Box, float]:
        """Finds faces in an image at a scale; returns their scores."""
        height, width = image.shape[:2]
        # dlib finds most in what it has enlarged in its own way.
        upsample, scale = (1, 1.0) if scale == 2 else (0, scale)
        image = _scaled(image, scale)
        boxes, scores, _ = _hog().run(image, upsample, 0.0)
        detections: dict[Box, float] = {}
        for box, score in zip(boxes, scores, strict=True):
            edges = box.left(), box.top(), box.right() + 1, box.bottom() + 1
            box = inside([round(e / scale) for e in edges], height, width)
            if area(box) > 0:
                detections.setdefault(box, score)
        return detections


_of_thread = threading.local()


def _hog():
    """Returns the thread's detector: one must not be run by two at a time."""
    if not hasattr(_of_thread, "hog"):  # to make one takes as long as a large picture
        _of_thread.hog = dlib.get_frontal_face_detector()
    return _of_thread.hog


def _scaled(image, scale):
    """Returns an image at a scale, contiguous."""
    height, width = image.shape[:2]
    if scale != 1:
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        image = cv2.resize(image, size, interpolation=method)
    return np.ascontiguousarray(image)


def _on_ladder(scale: float) -> float:
    """Returns the scale next to one at which all searches find boxes of equal sizes.

    The detector's windows grow in steps of 6/5; at scales that differ by such steps
    from 2, a face gets the same box, whichever search finds it.
    """
    return 2.0 * _PYRAMID ** round(math.log(scale / 2.0, _PYRAMID))
