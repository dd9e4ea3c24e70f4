"""From a file to the faces of its sampled pictures. No TensorFlow here.

```
file -> pictures -> faces -> their surroundings, quality, a preview
```
"""

import dataclasses
import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from sfcl_tf.data.faces import Box, Face, FaceFinder, FaceTracks
from sfcl_tf.data.footage import Footage
from sfcl_tf.data.images import STILL, read_image
from sfcl_tf.data.listing import IMAGE_SUFFIXES
from sfcl_tf.data.picture import Picture
from sfcl_tf.data.prepare_video import MOST_FACES, is_large
from sfcl_tf.data.quality import Quality, measure
from sfcl_tf.data.region import context_region
from sfcl_tf.data.sampling import sampled
from sfcl_tf.data.video import Damage, VideoFacts, decode, scan
from sfcl_tf.errors import DataError, UsageError

FPS = 2.0
"""Pictures looked at a second, unless told otherwise."""

LEAST = 8
"""Pictures looked at of a clip so short that these were fewer."""

_SHORT = 100  # frames: four seconds of usual video
_PREVIEW = 640  # longer side in pixels
_PREVIEW_QUALITY = 80
_PATIENCE = 2.0  # s between full searches while there is no face
# Score of the frontal detector below which a face is turned away or partly hidden.
_SURELY = 0.2


@dataclasses.dataclass(frozen=True)
class Looking:
    """Which pictures and which faces are looked at.

    Attributes:
        fps: Pictures a second; or
        frames: pictures of a video, evenly spaced. Without both two a second, and 8
            of a clip under 100 frames.
        faces: `"all"`, or `"largest"`: of each picture.
        thorough: Whether small faces beside large ones are looked for as well; takes
            several times as long. Without it, those of a sixth of the picture's
            height on are found, and smaller ones where there are no such.
        previews: Whether small copies of the pictures are wanted.

    Raises:
        UsageError: If a value is out of range.
    """

    fps: float | None = None
    frames: int | None = None
    faces: str = "all"
    thorough: bool = False
    previews: bool = False

    def __post_init__(self):
        for name, value, kind in (
            ("fps", self.fps, int | float),
            ("frames", self.frames, int),
        ):
            right = isinstance(value, kind) and not isinstance(value, bool)
            if value is not None and not (right and 0 < value < math.inf):
                whole = "a whole number" if kind is int else "a number"
                raise UsageError(
                    f"Expected {name} to be {whole} above 0. Received: {value!r}."
                )
        if self.fps is not None and self.frames is not None:
            raise UsageError("Expected fps or frames. Received both.")
        if self.faces not in ("largest", "all"):
            raise UsageError(
                f'Expected faces of "largest" or "all". Received: {self.faces!r}.'
            )

    def rate(self, frames: int) -> dict:
        """Returns keyword arguments for `sampled`.

        Args:
            frames: How many a file has.
        """
        given = {"fps": self.fps, "frames": self.frames}
        given = {name: value for name, value in given.items() if value is not None}
        return given or ({"frames": LEAST} if frames < _SHORT else {"fps": FPS})


@dataclasses.dataclass(frozen=True)
class FoundFace:
    """A face in a picture, with what is around it.

    Attributes:
        track: Number of its track.
        box: x0, y0, x1, y1 in pixels of the picture.
        frontal: Whether the frontal detector sees it surely.
        region: `(h, w, 3)` uint8 RGB of it and its surroundings.
        inner: The box in the region.
        quality: What it looks like.
    """

    track: int
    box: Box
    frontal: bool
    region: np.ndarray
    inner: Box
    quality: Quality


@dataclasses.dataclass(frozen=True)
class Sample:
    """A picture that was looked at.

    Attributes:
        index: In presentation order, from 0.
        time: In s.
        faces: Those of at least 46 pixels, the largest first.
        too_small: How many others there are.
        preview: A small JPEG of it; empty unless asked for.
        scale: Pixels of the preview a pixel of the picture.
    """

    index: int
    time: float
    faces: tuple[FoundFace, ...]
    too_small: int
    preview: bytes = b""
    scale: float = 1.0


@dataclasses.dataclass(frozen=True)
class Opened:
    """What comes first: a file that can be read.

    Attributes:
        facts: What it says of itself.
        size: Height and width of its first picture, upright, in pixels.
    """

    facts: VideoFacts
    size: tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Closed:
    """What comes last.

    Attributes:
        damaged: Packets of the video that did not decode.
    """

    damaged: int


def samples_of_file(
    path: Path, looking: Looking, beat: Callable[[], None] = lambda: None
) -> Iterator[Opened | Sample | Closed]:
    """Looks at a file.

    Args:
        path: A video or an image.
        looking: How.
        beat: Called for each picture that is decoded.

    Yields:
        An `Opened`, then `Sample`s, then a `Closed`.

    Raises:
        DataError: If it cannot be read.
    """
    if not path.is_file():  # a pipe would be waited for, for ever
        there = "no file" if path.exists() else "nothing"
        raise DataError(f"Expected a video or an image. Received: {there} at {path}.")
    if not path.stat().st_size:
        raise DataError(f"Expected a video or an image. Received: {path}, empty.")
    yield from _samples(_open(path), looking, beat)


def samples_of_array(
    image: np.ndarray, looking: Looking
) -> Iterator[Opened | Sample | Closed]:
    """Looks at an `(H, W, 3)` uint8 RGB array; see `samples_of_file`.

    Raises:
        UsageError: If it is another one.
    """
    if (
        image.ndim != 3
        or image.shape[-1] != 3
        or image.dtype != np.uint8
        or not image.size
    ):
        raise UsageError(
            "Expected an (H, W, 3) uint8 RGB array. Received: "
            f"{image.shape} {image.dtype}."
        )
    height, width = image.shape[:2]
    facts = VideoFacts(1, width, height, "array", math.nan)
    footage = Footage(facts, np.zeros(1, np.int64), lambda: iter([Picture(image)]))
    yield from _samples(footage, looking)


def warm_up() -> None:
    """Does nothing: that this module is imported is what a process needs."""


def _open(path):
    if _is_still(path):
        facts, picture = read_image(path)
        return Footage(facts, np.zeros(1, np.int64), lambda: iter([picture]))
    facts, stamps = scan(path)
    damage = Damage()
    return Footage(facts, stamps, lambda: decode(path, damage), damage)


def _is_still(path):
    """Tells whether a file is a still image, by its content."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=STILL):
                return True
    except Image.DecompressionBombError:
        return True  # told by `read_image`
    except Exception:  # whatever a decoder meets
        return path.suffix.lower() in IMAGE_SUFFIXES and not _is_video(path)


def _is_video(path):
    try:
        return scan(path)[0].frames > 0
    except DataError:
        return False


def _samples(footage, looking, beat=lambda: None):
    def pictures():
        for picture in footage.pictures():
            beat()
            yield picture

    finder = FaceFinder(thorough=looking.thorough)
    most = MOST_FACES if looking.faces == "all" else 1
    find = FaceTracks(finder, most, _PATIENCE)
    opened = False
    watched = dataclasses.replace(footage, pictures=pictures)
    for picture in sampled(watched, **looking.rate(footage.facts.frames)):
        if not opened:
            yield Opened(footage.facts, picture.size)
            opened = True
        yield _sample(picture, find(picture), finder, looking.previews)
    if not opened:
        raise DataError("Expected pictures. Received: a file of which none decodes.")
    yield Closed(footage.damage.packets)


def _sample(picture, faces, finder, previews):
    large = [face for face in faces if is_large(face, picture)]
    preview, scale = _preview(picture) if previews else (b"", 1.0)
    return Sample(
        picture.index,
        float(picture.time),
        tuple(_found(picture, face, finder) for face in large),
        len(faces) - len(large),
        preview,
        scale,
    )


def _found(picture: Picture, face: Face, finder: FaceFinder) -> FoundFace:
    x0, y0, x1, y1 = face.box
    left, top, right, bottom = context_region(face.box, *picture.size)
    region = np.ascontiguousarray(picture.region(left, top, right, bottom))
    inner = x0 - left, y0 - top, x1 - left, y1 - top
    pixels = region[inner[1] : inner[3], inner[0] : inner[2]]
    if min(pixels.shape[:2]) < 8:  # a sliver at the picture's edge
        pixels = region
    confidence = face.confidence
    if math.isnan(confidence):
        confidence = finder.confidence(picture, face.box)
    frontal = confidence >= _SURELY
    return FoundFace(face.track, face.box, frontal, region, inner, measure(pixels))


def _preview(picture):
    rgb = picture.rgb()
    scale = min(1.0, _PREVIEW / max(rgb.shape[:2]))
    if scale < 1:
        size = [max(round(side * scale), 1) for side in rgb.shape[1::-1]]
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2BGR)
    options = [cv2.IMWRITE_JPEG_QUALITY, _PREVIEW_QUALITY]
    _, jpeg = cv2.imencode(".jpg", bgr, options)
    return jpeg.tobytes(), scale
