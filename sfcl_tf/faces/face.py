"""A face in a picture: its box, and what boxes have in common."""

import dataclasses
import math

from sfcl_tf.media.picture import Picture

# SIDA needs 32 pixels, and snapping a crop to the grid takes up to 14 off it.
MIN_FACE = 46
_SAME_FACE = 0.3
# Of what is around a face, in sides of its box: where it is looked for again.
_AROUND = 2.2

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


def is_large(face: Face, picture: Picture) -> bool:
    """Tells whether a face is large enough to be described."""
    return min(longer_side(face.box), *picture.size) >= MIN_FACE


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


def around(box: Box, height: int, width: int) -> Box:
    """Returns where a face is looked for again, inside the frame."""
    x0, y0, x1, y1 = box
    reach = round(longer_side(box) * _AROUND / 2)
    x, y = (x0 + x1) // 2, (y0 + y1) // 2
    return inside((x - reach, y - reach, x + reach, y + reach), height, width)


def longer_side(box: Box) -> int:
    """Returns the longer side of a box in pixels."""
    return max(box[2] - box[0], box[3] - box[1])


def shifted(box: Box, x: int, y: int) -> Box:
    """Returns a box moved to the right and down."""
    return box[0] + x, box[1] + y, box[2] + x, box[3] + y


def best(boxes, box) -> Box | None:
    """Returns which of several boxes is of another one's face, if one of them is."""
    best = max(boxes, key=lambda other: overlap(other, box), default=None)
    return best if best and overlap(best, box) >= _SAME_FACE else None
