"""Faces: dlib's HOG detector, and a track over the sampled frames."""

import dataclasses

import cv2
import dlib
import numpy as np

# HOG finds faces from 80 px: at this short side, those of a sixth of the frame.
_FAST_SHORT_SIDE = 480
_UPSAMPLE_BELOW = 800
# Peak-to-sidelobe ratio below which dlib's tracker has lost its target.
_LOST = 7.0
_SAME_FACE = 0.3
# A tracker cannot follow a head over longer gaps, in s.
_TRACKABLE_GAP = 0.25
_DETECT_EVERY = 5


@dataclasses.dataclass(frozen=True)
class Face:
    """A face in a frame.

    Attributes:
        box: x0, y0, x1, y1 in whole pixels, inside the frame.
        track: Number of the track in its video, from 0.
        detected: Whether the detector found it, or the tracker followed it.
    """

    box: tuple[int, int, int, int]
    track: int
    detected: bool


class FaceFinder:
    """dlib's frontal HOG detector on an adaptive scale.

    Large frames are searched at a short side of 480 pixels first, which finds
    faces from a sixth of the frame's height; then at full size; then, if they are
    small, at twice that.
    """

    def __init__(self):
        self._detector = dlib.get_frontal_face_detector()

    def __call__(self, image: np.ndarray) -> list[tuple[int, int, int, int]]:
        """Finds faces in `(H, W, 3)` uint8 RGB; boxes x0, y0, x1, y1, largest first."""
        short = min(image.shape[:2])
        boxes = []
        if short > _FAST_SHORT_SIDE * 1.25:
            boxes = self._detect(image, _FAST_SHORT_SIDE / short)
        if not boxes:
            boxes = self._detect(image, 1.0)
        if not boxes and short < _UPSAMPLE_BELOW:
            boxes = self._detect(image, 2.0)
        return sorted(boxes, key=area, reverse=True)

    def _detect(self, image, scale):
        height, width = image.shape[:2]
        if scale != 1:
            size = (round(width * scale), round(height * scale))
            method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            image = cv2.resize(image, size, interpolation=method)
        found = [
            inside(
                [
                    round(edge / scale)
                    for edge in (
                        box.left(),
                        box.top(),
                        box.right() + 1,
                        box.bottom() + 1,
                    )
                ],
                height,
                width,
            )
            for box in self._detector(image, 0)
        ]
        return [box for box in found if area(box) > 0]


class FaceTrack:
    """Follows one face, the largest at first sight, through a video's samples.

    Every fifth sample is searched by the detector, the others by dlib's
    correlation tracker, if they are at most 0.25 s apart and it is sure; else the
    detector looks. Of several faces the one that overlaps the last box goes on
    with the track; where none does, the largest starts a new one.
    """

    def __init__(self, finder: FaceFinder):
        self._finder = finder
        self._tracker = None
        self._box = None
        self._time = 0.0
        self._track = -1
        self._since_detection = 0
        self._seen = None

    def __call__(self, image: np.ndarray, time: float) -> Face | None:
        """Finds the face in the next sample, `(H, W, 3)` uint8 RGB at `time` in s."""
        near = self._box is not None and 0 <= time - self._time <= _TRACKABLE_GAP
        face = None
        if near and self._since_detection < _DETECT_EVERY - 1:
            face = self._follow(image)
        if face is None:
            face = self._detect(image)
        if face is None and near and self._since_detection < 2 * _DETECT_EVERY:
            face = self._follow(image)
        if face is None:
            return None
        self._since_detection = 0 if face.detected else self._since_detection + 1
        self._box, self._time = face.box, time
        if face.detected:
            self._tracker = None  # started anew when it is needed
            self._seen = image
        return face

    def _detect(self, image):
        boxes = self._finder(image)
        if not boxes:
            return None
        best = max(boxes, key=lambda box: overlap(box, self._box))
        if overlap(best, self._box) < _SAME_FACE:
            best = boxes[0]
            self._track += 1
        return Face(best, self._track, True)

    def _follow(self, image):
        if self._tracker is None:
            self._tracker = dlib.correlation_tracker()
            x0, y0, x1, y1 = self._box
            box = dlib.rectangle(x0, y0, x1 - 1, y1 - 1)
            self._tracker.start_track(self._seen, box)
        if self._tracker.update(image) < _LOST:
            return None
        box = self._tracker.get_position()
        edges = (box.left(), box.top(), box.right() + 1, box.bottom() + 1)
        box = inside([round(edge) for edge in edges], *image.shape[:2])
        return Face(box, self._track, False) if area(box) > 0 else None


def area(box) -> int:
    """Returns a box's area in pixels, 0 where it is empty."""
    x0, y0, x1, y1 = box
    return max(x1 - x0, 0) * max(y1 - y0, 0)


def overlap(box, other) -> float:
    """Returns intersection over union of two boxes, 0 if `other` is `None`."""
    if other is None:
        return 0.0
    common = area(
        (
            max(box[0], other[0]),
            max(box[1], other[1]),
            min(box[2], other[2]),
            min(box[3], other[3]),
        )
    )
    return common / (area(box) + area(other) - common)


def inside(box, height: int, width: int) -> tuple[int, int, int, int]:
    """Clips a box to a frame."""
    x0, y0, x1, y1 = box
    return max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
