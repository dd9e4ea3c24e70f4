"""Which pictures of a footage are sampled, and the faces that they show.

Preparation, `sfcl detect` and the client of a server sample by this alone.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from sfcl_tf.faces.boxes import FrameBoxes, GivenFaces
from sfcl_tf.faces.face import Face, is_large
from sfcl_tf.faces.finder import face_finder, require_finder
from sfcl_tf.faces.tracks import MOST_FACES, FaceTracks
from sfcl_tf.media.footage import Footage
from sfcl_tf.media.picture import Picture
from sfcl_tf.media.video import VideoFacts, evenly_spaced
from sfcl_tf.system.errors import DataError, UsageError

FPS = 2.0
"""Pictures sampled a second, unless told otherwise."""

DETECTOR = "yunet"
"""What finds faces in files that somebody asks about, unless told otherwise."""

LEAST = 8
"""Pictures sampled of a clip so short that these were fewer."""

_SHORT = 100  # frames, four seconds of usual video, where time is not known
_PATIENCE = 2.0  # s between full searches while there is no face
_ROUNDING = 1e-6


@dataclasses.dataclass(frozen=True)
class SamplingOptions:
    """Which pictures of a file somebody asks about are sampled, and which faces.

    Attributes:
        fps: Pictures a second; or
        frames: pictures of a video, evenly spaced. Without both two a second, and 8
            of a clip under four seconds.
        faces: `"all"`, or `"largest"`: of each picture.
        thorough: Whether small faces beside large ones are looked for as well; takes
            several times as long. Without it, those of a sixth of the picture's
            height on are found, and smaller ones where there are no such.
        detector: What finds faces, a key of `sfcl_tf.faces.finder.FINDERS`.
        previews: Whether small copies of the pictures are wanted.

    Raises:
        UsageError: If a value is out of range.
    """

    fps: float | None = None
    frames: int | None = None
    faces: str = "all"
    thorough: bool = False
    detector: str = DETECTOR
    previews: bool = False

    def __post_init__(self):
        for name, value, kind in (
            ("fps", self.fps, int | float),
            ("frames", self.frames, int),
        ):
            valid = isinstance(value, kind) and not isinstance(value, bool)
            if value is not None and not (valid and 0 < value < math.inf):
                expected = "a whole number" if kind is int else "a number"
                raise UsageError(
                    f"Expected {name} to be {expected} above 0. Received: {value!r}."
                )
        if self.fps is not None and self.frames is not None:
            raise UsageError("Expected fps or frames. Received both.")
        if self.faces not in ("largest", "all"):
            raise UsageError(
                f'Expected faces of "largest" or "all". Received: {self.faces!r}.'
            )
        require_finder(self.detector)

    def samples(
        self, footage: Footage, on_picture: Callable[[Picture], None] | None = None
    ) -> Iterator["FaceSample"]:
        """Yields a footage's samples; see `sample_faces`."""
        fps, frames = self.fps, self.frames
        if fps is None and frames is None:
            fps, frames = (None, LEAST) if _is_short(footage.facts) else (FPS, None)
        return sample_faces(
            footage,
            frames=frames,
            fps=fps,
            faces=self.faces,
            detector=self.detector,
            thorough=self.thorough,
            patience=_PATIENCE,
            on_picture=on_picture,
        )


def _is_short(facts: VideoFacts) -> bool:
    """Tells whether the usual rate would sample fewer than `LEAST`."""
    if facts.seconds is None:
        return facts.frames < _SHORT
    return facts.seconds * FPS < LEAST


@dataclasses.dataclass(frozen=True)
class FaceSample:
    """A picture that was sampled.

    Attributes:
        frame: Index of the frame that was wanted.
        picture: The one that was taken: that frame or a neighbour.
        faces: All that were found, the largest first.
    """

    frame: int
    picture: Picture
    faces: list[Face]


def sample_faces(
    footage: Footage,
    *,
    frames: int | None = None,
    fps: float | None = None,
    faces: str = "all",
    boxes: FrameBoxes | None = None,
    neighbours: int = 0,
    detector: str = "hog",
    thorough: bool = False,
    patience: float = 0.0,
    on_picture: Callable[[Picture], None] | None = None,
) -> Iterator[FaceSample]:
    """Samples pictures in presentation order, one in memory at a time.

    Args:
        footage: What is sampled.
        frames: How many, evenly spaced in time; or
        fps: how many a second, the first picture being one. Where pictures have no
            times, all of them.
        faces: `"all"`, `"largest"`, or `"full"`: each picture is a face.
        boxes: Faces from elsewhere, instead of the detector's. Of `frames`, those
            that have some are sampled.
        neighbours: How many of the pictures after one of `frames` are tried while no
            face of at least `MIN_FACE` pixels is found.
        detector: A key of `sfcl_tf.faces.finder.FINDERS`.
        thorough: See `FaceFinder`.
        patience: See `FaceTracks`.
        on_picture: Called with each picture that is decoded.

    Yields:
        A `FaceSample` for each picture wanted, with or without faces. One that cannot
        be read has none, and is counted in the footage's log.

    Raises:
        DataError: If the file cannot be decoded.
        ModelError: If the detector's weights are not installed.
        ValueError: If both or none of `frames` and `fps` are given, or one is not
            positive.
    """
    given = [value for value in (frames, fps) if value is not None]
    if len(given) != 1 or not given[0] > 0:
        raise ValueError(
            f"Expected either `frames` or `fps`, above 0. Received: frames={frames}, "
            f"fps={fps}."
        )
    finder = _finder(faces, boxes, detector, thorough, patience)

    def find(picture: Picture) -> list[Face]:
        try:
            return finder(picture)
        except DataError:
            footage.log.unread += 1
            return []

    on_picture = on_picture or (lambda picture: None)
    if frames is None:
        for picture in _at_rate(footage, fps, on_picture):
            yield FaceSample(picture.index, picture, find(picture))
        return
    wanted = sampled_frames(footage.stamps, frames, boxes)
    ends = [*wanted[1:], len(footage.stamps)]
    position = 0
    for picture in footage.pictures():
        if position == len(wanted):
            return
        on_picture(picture)
        if picture.index < wanted[position]:
            continue
        detected = find(picture)
        last = min(wanted[position] + neighbours, ends[position] - 1)
        if picture.index >= last or any(is_large(face, picture) for face in detected):
            yield FaceSample(wanted[position], picture, detected)
            position += 1


def sampled_frames(
    stamps: np.ndarray, count: int, among: Iterable[int] | None = None
) -> list[int]:
    """Returns the indices of frames evenly spaced in time, ascending.

    Args:
        stamps: `(frames,)` integers, ascending.
        count: How many are wanted.
        among: Indices of the frames that may be taken, ascending; all for none.
    """
    usable = np.arange(len(stamps))
    if among is not None:
        usable = np.array([i for i in among if i < len(stamps)], int)
    return usable[evenly_spaced(stamps[usable], count)].tolist()


def _finder(
    faces, boxes, detector, thorough, patience
) -> Callable[[Picture], list[Face]]:
    most = MOST_FACES if faces == "all" else 1
    if boxes is not None:
        given = GivenFaces(boxes, most)
        return lambda picture: given(picture.index, *picture.size)
    if faces == "full":
        return lambda picture: [Face((0, 0, *picture.size[::-1]), 0, True)]
    return FaceTracks(face_finder(detector, thorough), most, patience)


def _at_rate(footage, fps, on_picture) -> Iterator[Picture]:
    first, next_position = None, 0
    for picture in footage.pictures():
        on_picture(picture)
        first = picture.time if first is None else first
        # Counted from the first, not from the one before: no drift.
        position = (picture.time - first) * fps + _ROUNDING
        if position < next_position:
            continue
        next_position = math.floor(position) + 1 if math.isfinite(position) else 0
        yield picture
