"""Which pictures of a footage are looked at, as a stream."""

import math
from collections.abc import Iterator

from sfcl_tf.data.footage import Footage
from sfcl_tf.data.picture import Picture
from sfcl_tf.data.video import evenly_spaced

_ROUNDING = 1e-6


def sampled(
    footage: Footage, *, frames: int | None = None, fps: float | None = None
) -> Iterator[Picture]:
    """Yields pictures in presentation order, holding one at a time.

    Args:
        footage: What is looked at.
        frames: How many, evenly spaced in time; or
        fps: how many a second, the first picture being one. Where pictures have no
            times, all of them.

    Raises:
        ValueError: If both or none are given, or one is not positive.
    """
    given = [value for value in (frames, fps) if value is not None]
    if len(given) != 1 or not given[0] > 0:
        raise ValueError(
            f"Expected either `frames` or `fps`, above 0. Received: frames={frames}, "
            f"fps={fps}."
        )
    if frames is not None:
        yield from _chosen(footage, frames)
        return
    first, following = None, 0
    for picture in footage.pictures():
        first = picture.time if first is None else first
        # Counted from the first, not from the one before: no drift.
        place = (picture.time - first) * fps + _ROUNDING
        if place < following:
            continue
        following = math.floor(place) + 1 if math.isfinite(place) else 0
        yield picture


def _chosen(footage, frames):
    wanted = evenly_spaced(footage.stamps, frames).tolist()
    for picture in footage.pictures():
        if not wanted:
            return
        if picture.index >= wanted[0]:
            wanted.pop(0)
            yield picture
