"""Which part of a frame a record stores."""

import math

from sfcl_tf.config.checks import CONTEXT

GRID = 8
"""The codec's grid in pixels."""


def context_region(box, height: int, width: int) -> tuple[int, int, int, int]:
    """Places the stored region around a face.

    A square of 1.6 times the box's longer side, at most the frame's short side,
    shifted to stay inside, then grown outwards to the 8-pixel grid or the frame's
    edge. `crop_face` with a margin up to 1.6 gives the same on it as on the frame.

    Args:
        box: x0, y0, x1, y1 in whole pixels.
        height: Of the frame.
        width: Of the frame.

    Returns:
        x0, y0, x1, y1; x0 and y0 are multiples of 8.
    """
    x0, y0, x1, y1 = box
    side = math.ceil(CONTEXT * max(x1 - x0, y1 - y0))
    side = min(side, height, width)

    def span(low, high, limit):
        start = min(max((low + high - side) // 2, 0), limit - side)
        end = min(-(-(start + side) // GRID) * GRID, limit)
        return start // GRID * GRID, end

    left, right = span(x0, x1, width)
    top, bottom = span(y0, y1, height)
    return left, top, right, bottom
