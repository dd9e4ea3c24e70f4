import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from sfcl_tf.inputs.crop import crop_face, crop_square
from sfcl_tf.records.record import context_region

MARGINS = (1.0, 1.3, 1.6)


@st.composite
def frames_and_boxes(draw):
    """Height, width, and a face box inside, at times up to the frame's edges."""
    height, width = (draw(st.integers(40, 260)) for _ in range(2))
    x0, y0 = draw(st.integers(0, width - 4)), draw(st.integers(0, height - 4))
    x1, y1 = draw(st.integers(x0 + 4, width)), draw(st.integers(y0 + 4, height))
    return height, width, (x0, y0, x1, y1)


def place(height, width, box, margin, snap):
    return [int(v) for v in crop_square(box, height, width, margin, snap)]


def wanted_square(height, width, box, margin):
    """The square before it is snapped, in exact arithmetic."""
    x0, y0, x1, y1 = box
    longer = max(x1 - x0, y1 - y0)
    side = min(round(margin * 10) * longer // 10, height, width)
    x = min(max((x0 + x1 - side) // 2, 0), width - side)
    y = min(max((y0 + y1 - side) // 2, 0), height - side)
    return x, y, side


def position_image(height, width):
    """A frame in which every pixel tells where it was."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, (x + y) // 2], axis=-1).astype(np.uint16)


@given(frames_and_boxes(), st.sampled_from(MARGINS), st.sampled_from((1, 8)))
@settings(max_examples=150, deadline=None)
def test_crop_is_a_square_inside_the_frame_and_on_the_grid(case, margin, snap):
    height, width, box = case
    x, y, side = place(height, width, box, margin, snap)
    assert x % snap == y % snap == side % snap == 0
    # Inwards, and at most to the next grid line at either end.
    wanted_x, wanted_y, wanted = wanted_square(height, width, box, margin)
    assert wanted - 2 * (snap - 1) <= side <= wanted <= min(height, width)
    room = []
    for start, low, limit in ((x, wanted_x, width), (y, wanted_y, height)):
        assert low <= start < low + snap
        assert side == 0 or 0 <= start < start + side <= low + wanted <= limit
        room.append(max(low + wanted - start, 0))
    assert side == min(room) // snap * snap  # as large as the grid lets it be


@given(frames_and_boxes(), st.sampled_from(MARGINS), st.sampled_from((1, 8)))
@settings(max_examples=150, deadline=None)
def test_crop_of_the_stored_region_is_that_of_the_frame(case, margin, snap):
    height, width, box = case
    frame = position_image(height, width)
    left, top, right, bottom = context_region(box, height, width)
    inside = np.subtract(box, (left, top, left, top))
    crop = crop_face(frame[top:bottom, left:right], inside, margin, snap)
    np.testing.assert_array_equal(crop, crop_face(frame, box, margin, snap))


def test_pixels_are_those_of_the_frame():
    frame = position_image(120, 200)
    crop = crop_face(frame, (60, 30, 100, 70), 1.3, 8).numpy()
    x, y, side = place(120, 200, (60, 30, 100, 70), 1.3, 8)
    assert (x, y, side) == (56, 24, 48)
    np.testing.assert_array_equal(crop, frame[y : y + side, x : x + side])
    assert crop.dtype == frame.dtype


def test_margin_is_a_decimal_not_its_float():
    # 1.3 * 80 is 104 whole pixels; in float32 it may be 103.99999.
    sides = [place(999, 999, (0, 0, n, n), 1.3, 1)[2] for n in range(10, 700, 10)]
    assert sides == list(range(13, 910, 13))


@pytest.mark.parametrize("dtype", [tf.int64, tf.float32])
def test_map_gives_the_same_as_eager(dtype):
    rng = np.random.default_rng(0)
    frame = tf.constant(rng.integers(0, 256, (101, 150, 3), dtype=np.uint8))
    boxes = [(3, 5, 60, 50), (90, 40, 150, 101), (0, 0, 150, 101), (70, 30, 80, 41)]
    dataset = tf.data.Dataset.from_tensor_slices(tf.constant(boxes, dtype))
    crops = list(dataset.map(lambda box: crop_face(frame, box)))
    assert len(crops) == len(boxes)
    for crop, box in zip(crops, boxes, strict=True):
        np.testing.assert_array_equal(crop, crop_face(frame, box))
    spec = dataset.map(lambda box: crop_face(frame, box)).element_spec
    assert spec == tf.TensorSpec((None, None, 3), tf.uint8)


def test_crop_is_empty_where_no_block_of_the_grid_fits():
    # 13 px from 17 to 30, across the grid line at 24: neither side is a block.
    frame = np.zeros((64, 64, 3), np.uint8)
    assert place(64, 64, (19, 19, 29, 29), 1.3, 8)[2] == 0
    assert crop_face(frame, (19, 19, 29, 29)).shape == (0, 0, 3)
    assert crop_face(frame, (19, 19, 29, 29), snap=1).shape == (13, 13, 3)
