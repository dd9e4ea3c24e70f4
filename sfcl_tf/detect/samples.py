"""From a file to the faces of its sampled pictures. No TensorFlow here.

```
file -> pictures -> faces -> their surroundings, quality, a preview
```
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from sfcl_tf.faces.face import Box, Face, is_large
from sfcl_tf.faces.hog import HogFinder
from sfcl_tf.faces.quality import Quality, measure
from sfcl_tf.faces.region import context_region
from sfcl_tf.faces.sampling import SamplingOptions
from sfcl_tf.media.footage import array_footage, open_footage
from sfcl_tf.media.picture import Picture
from sfcl_tf.media.video import VideoFacts
from sfcl_tf.system.errors import DataError

_PREVIEW = 640  # longer side in pixels
_PREVIEW_QUALITY = 80
# Score of the frontal detector below which a face is turned away, tilted or hidden.
_SURELY = 0.2


@dataclasses.dataclass(frozen=True)
class DetectedFace:
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
    faces: tuple[DetectedFace, ...]
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
        damaged: Parts of the video that are damaged.
        doubts: Why what was seen may be unlike what the camera saw.
        notes: What else is to be said of the file.
    """

    damaged: int
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def samples_of_file(
    path: Path, options: SamplingOptions, beat: Callable[[], None] = lambda: None
) -> Iterator[Opened | Sample | Closed]:
    """Samples a file.

    Args:
        path: A video or an image.
        options: How.
        beat: Called for each picture that is decoded.

    Yields:
        An `Opened`, then `Sample`s, then a `Closed`.

    Raises:
        DataError: If it cannot be read.
    """
    yield from _samples(open_footage(path), options, beat)


def samples_of_array(
    image: np.ndarray, options: SamplingOptions
) -> Iterator[Opened | Sample | Closed]:
    """Samples an `(H, W, 3)` uint8 RGB array; see `samples_of_file`.

    Raises:
        UsageError: If it is another one.
    """
    yield from _samples(array_footage(image), options)


def warm_up() -> None:
    """Does nothing: that this module is imported is what a process needs."""


def _samples(footage, options, beat=lambda: None):
    opened = False
    for sample in options.samples(footage, lambda picture: beat()):
        if not opened:
            yield Opened(footage.facts, sample.picture.size)
            opened = True
        yield _sample(sample.picture, sample.faces, options.previews)
    if not opened:
        raise DataError("Expected pictures. Received: a file of which none decodes.")
    yield Closed(footage.log.damaged, _doubts(footage), _notes(footage))


def _doubts(footage) -> tuple[str, ...]:
    log = footage.log
    doubts = {
        # What did not decode is patched from other pictures: garbage, not a face.
        f"{log.damaged} parts of the video are damaged, and what was seen of it may be "
        "garbage": log.damaged,
        f"it is HDR video ({log.hdr}), whose colours no training face has": log.hdr,
        f"{log.interlaced} frames are interlaced: two moments in one picture, which "
        "training faces do not have": log.interlaced,
    }
    return tuple(doubt for doubt, holds in doubts.items() if holds)


def _notes(footage) -> tuple[str, ...]:
    facts, restarts = footage.facts, footage.log.restarts
    times = "once" if restarts == 1 else f"{restarts} times"
    notes = {
        f"{facts.frames} frames; {facts.hidden} more are cut off by the file's edit "
        "list": facts.hidden,
        facts.choice: facts.choice,
        f"its time begins anew {times}, as where files were joined": restarts,
    }
    return tuple(note for note, holds in notes.items() if holds)


def _sample(picture, faces, previews):
    large = [face for face in faces if is_large(face, picture)]
    preview, scale = _preview(picture) if previews else (b"", 1.0)
    return Sample(
        picture.index,
        float(picture.time),
        tuple(_detected(picture, face) for face in large),
        len(faces) - len(large),
        preview,
        scale,
    )


def _detected(picture: Picture, face: Face) -> DetectedFace:
    x0, y0, x1, y1 = face.box
    left, top, right, bottom = context_region(face.box, *picture.size)
    region = np.ascontiguousarray(picture.region(left, top, right, bottom))
    inner = x0 - left, y0 - top, x1 - left, y1 - top
    pixels = region[inner[1] : inner[3], inner[0] : inner[2]]
    if min(pixels.shape[:2]) < 8:  # a sliver at the picture's edge
        pixels = region
    confidence = face.confidence
    if math.isnan(confidence):
        confidence = HogFinder().confidence(picture, face.box)
    frontal = confidence >= _SURELY
    return DetectedFace(face.track, face.box, frontal, region, inner, measure(pixels))


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
