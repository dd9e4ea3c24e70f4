"""Faces: dlib's HOG detector, and tracks over a video's samples."""

import dataclasses
import math
import threading

import cv2
import dlib
import numpy as np

from sfcl_tf.media.picture import Picture

# SIDA needs 32 pixels, and snapping a crop to the grid takes up to 14 off it.
MIN_FACE = 46
# At most this many faces of a frame are followed by `all`.
MOST_FACES = 100
# HOG finds faces from 80 px: at this short side, those of a sixth of the frame.
_FAST_SHORT_SIDE = 480
# Short sides up to which a picture is enlarged, which finds faces from 40 px.
_ENLARGED_UP_TO = 800
_ENLARGED_UP_TO_THOROUGHLY = 1200
# Near a known face the picture is scaled so that HOG's first few windows fit it.
_NEAR_FACE = 104
_NEAR_MARGIN = 2.2
# Ratio of successive window sizes of dlib's detector.
_PYRAMID = 6 / 5
# Peak-to-sidelobe ratio below which dlib's tracker has lost its target.
_LOST = 7.0
# Range of luma below which a box holds no face; that ratio means nothing there.
_FLAT = 8
_SAME_FACE = 0.3
# A tracker cannot follow a head over longer gaps, in s.
_TRACKABLE_GAP = 0.25
_DETECT_EVERY = 5
# How often `all` looks for faces that have come in, in s.
_LOOK_AROUND = 1.0

Box = tuple[int, int, int, int]


@dataclasses.dataclass(frozen=True)
class Face:
    """A face in a frame.

    Attributes:
        box: x0, y0, x1, y1 in whole pixels, inside the frame.
        track: Number of the track in its video, from 0.
        detected: Whether the detector found it, or the tracker followed it.
        confidence: The detector's score, above 0, frontal faces 1 to 4; NaN where it
            was not asked near this face.
    """

    box: Box
    track: int
    detected: bool
    confidence: float = math.nan


class FaceFinder:
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
        region, (left, top), scale = self._around(picture, box)
        scores = self._detect(region, scale).items()
        return {
            (x0 + left, y0 + top, x1 + left, y1 + top): score
            for (x0, y0, x1, y1), score in scores
        }

    def confidence(self, picture: Picture, box: Box) -> float:
        """Returns the detector's score of a face; minus infinity if it sees none."""
        scores = self.near(picture, box)
        same = _best(scores, box)
        return scores[same] if same else -math.inf

    def _around(self, picture, box):
        """Returns what is around a box, where that begins, and the scale for it."""
        x0, y0, x1, y1 = box
        side = max(x1 - x0, y1 - y0)
        reach = round(side * _NEAR_MARGIN / 2)
        x, y = (x0 + x1) // 2, (y0 + y1) // 2
        left, top, right, bottom = inside(
            (x - reach, y - reach, x + reach, y + reach), *picture.size
        )
        scale = min(_on_ladder(_NEAR_FACE / side), 2.0)
        return picture.region(left, top, right, bottom), (left, top), scale

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


@dataclasses.dataclass
class _Track:
    """A face that is followed: where and when it was seen last."""

    number: int
    box: Box
    time: float
    seen: np.ndarray
    tracker: dlib.correlation_tracker | None = None
    since_detection: int = 0


class FaceTracks:
    """Follows faces through a video's samples.

    Every fifth sample the detector looks near each face's last box; in between,
    dlib's correlation tracker follows it, if samples are at most 0.25 s apart and
    it is sure; else the detector looks at once. Where that finds nothing, or no face
    is followed, the whole picture is searched. A face found where one was lost goes
    on with its track, another starts a new one.

    Args:
        finder: Finds them.
        most: How many to follow at the same time, the largest first; with more than
            one the whole picture is searched every second for those that come in.
        patience: Seconds that such searches lie apart instead. And unless the finder
            is thorough, searches of the whole picture are coarse, but for one in so
            many seconds while that finds nothing. 0: all are full.
    """

    def __init__(self, finder: FaceFinder, most: int = 1, patience: float = 0.0):
        self._finder = finder
        self._most = most
        self._patience = patience
        self._active: list[_Track] = []
        self._lost: list[_Track] = []
        self._count = 0
        self._size: tuple[int, int] | None = None
        self._search_time = self._full_search_time = -math.inf

    def __call__(self, picture: Picture) -> list[Face]:
        """Finds the faces of the next sample, largest first."""
        if picture.size != self._size:
            self._active, self._lost, self._size = [], [], picture.size
        faces = []
        for track in self._active:
            face = self._advance(track, picture)
            if face:
                faces.append(face)
        gone = {track.number for track in self._active} - {face.track for face in faces}
        self._lost += [track for track in self._active if track.number in gone]
        self._active = [track for track in self._active if track.number not in gone]
        rest = self._patience or _LOOK_AROUND
        recent = 0 <= picture.time - self._search_time < rest
        around = self._most > 1 and not recent
        if len(faces) < self._most and (gone or around or not faces):
            faces += self._find_new(picture)
        return sorted(faces, key=lambda face: area(face.box), reverse=True)

    def _advance(self, track: _Track, picture: Picture) -> Face | None:
        trackable = 0 <= picture.time - track.time <= _TRACKABLE_GAP
        box, detected, confidence = None, False, math.nan
        if trackable and track.since_detection < _DETECT_EVERY - 1:
            box = _follow(track, picture.luma)
        if box is None:
            scores = self._finder.near(picture, track.box)
            box = _best(scores, track.box)
            if box is not None:
                detected, confidence = True, scores[box]
        if box is None and trackable and track.since_detection < 2 * _DETECT_EVERY:
            box = _follow(track, picture.luma)
        if box is None:
            return None
        track.since_detection = 0 if detected else track.since_detection + 1
        track.box, track.time = box, picture.time
        if detected:  # the tracker is started anew when it is needed
            track.tracker, track.seen = None, picture.luma
        return Face(box, track.number, detected, confidence)

    def _find_new(self, picture: Picture) -> list[Face]:
        self._search_time = picture.time
        faces = []
        for box in self._search(picture):
            if len(self._active) == self._most:
                break
            if _best([t.box for t in self._active], box):
                continue
            lost = _best([t.box for t in self._lost], box)
            if lost:
                known = next(t for t in self._lost if t.box == lost)
                self._lost.remove(known)
                number = known.number
            else:
                number, self._count = self._count, self._count + 1
            self._active.append(_Track(number, box, picture.time, picture.luma))
            faces.append(Face(box, number, True))
        return faces

    def _search(self, picture: Picture) -> list[Box]:
        if self._patience and not self._finder.thorough:
            boxes = self._finder.coarse(picture.rgb())
            recent = 0 <= picture.time - self._full_search_time < self._patience
            if boxes or self._active or recent:
                return boxes
        self._full_search_time = picture.time
        return self._finder(picture.rgb())


def _follow(track: _Track, luma: np.ndarray) -> Box | None:
    """Returns where dlib's tracker sees the face; `None` if it is not sure."""
    if track.tracker is None:
        track.tracker = dlib.correlation_tracker()
        x0, y0, x1, y1 = track.box
        track.tracker.start_track(track.seen, dlib.rectangle(x0, y0, x1 - 1, y1 - 1))
    if track.tracker.update(luma) < _LOST:
        return None
    box = track.tracker.get_position()
    edges = (box.left(), box.top(), box.right() + 1, box.bottom() + 1)
    clipped = inside([round(edge) for edge in edges], *luma.shape)
    x0, y0, x1, y1 = clipped
    return clipped if area(clipped) and np.ptp(luma[y0:y1, x0:x1]) >= _FLAT else None


def _best(boxes, box) -> Box | None:
    """Returns the box that overlaps another one most, if it is the same face."""
    best = max(boxes, key=lambda other: overlap(other, box), default=None)
    return best if best and overlap(best, box) >= _SAME_FACE else None


def is_large(face: Face, picture: Picture) -> bool:
    """Tells whether a face is large enough to be described."""
    x0, y0, x1, y1 = face.box
    return min(max(x1 - x0, y1 - y0), *picture.size) >= MIN_FACE


def area(box) -> int:
    """Returns a box's area in pixels, 0 where it is empty."""
    x0, y0, x1, y1 = box
    return max(x1 - x0, 0) * max(y1 - y0, 0)


def overlap(box, other) -> float:
    """Returns intersection over union of two boxes."""
    common = area(
        (
            max(box[0], other[0]),
            max(box[1], other[1]),
            min(box[2], other[2]),
            min(box[3], other[3]),
        )
    )
    return common / max(area(box) + area(other) - common, 1)


def inside(box, height: int, width: int) -> Box:
    """Clips a box to a frame."""
    x0, y0, x1, y1 = box
    return max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
