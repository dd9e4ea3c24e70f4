"""Faces followed over the pictures that are sampled of a video."""

import dataclasses
import math

import dlib
import numpy as np

from sfcl_tf.faces.face import Box, Face, area, best, inside
from sfcl_tf.faces.finder import FaceFinder
from sfcl_tf.media.picture import Picture

MOST_FACES = 100
"""How many faces of a picture are followed where all are wanted."""

# Peak-to-sidelobe ratio below which dlib's tracker has lost its target.
_LOST = 7.0
# Range of luma below which a box holds no face; that ratio means nothing there.
_FLAT = 8
# A tracker cannot follow a head over longer gaps, in s.
_TRACKABLE_GAP = 0.25
_DETECT_EVERY = 5
# How often `all` looks for faces that have come in, in s.
_LOOK_AROUND = 1.0


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
            box = best(scores, track.box)
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
            if best([t.box for t in self._active], box):
                continue
            lost = best([t.box for t in self._lost], box)
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
