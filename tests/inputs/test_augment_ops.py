"""Each op of the augmentation against somebody else's."""

import io

import cv2
import numpy as np
import pytest
import tensorflow as tf
from helpers import reference_ycbcr
from PIL import Image, ImageEnhance

from sfcl_tf.inputs import augment_ops as ops

SEED = (3, 4)


@pytest.fixture(scope="module")
def crop():
    """A picture with edges and fine grain in the middle of the range."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(60, 200, (9, 9, 3)).astype("uint8")
    smooth = cv2.resize(coarse, (72, 72), interpolation=cv2.INTER_LINEAR)
    return np.clip(smooth + rng.normal(0, 6, smooth.shape), 0, 255).astype("uint8")


# What an op takes besides the crop: weak, and strong.
ARGUMENTS = {
    "flip": [()],
    "brightness": [(-30.0,), (90.0,)],
    "contrast": [(0.6,), (1.8,)],
    "saturation": [(0.0,), (1.6,)],
    "blur": [(0.5,), (4.0,)],
    "noise": [(1.0, SEED), (20.0, SEED)],
    "grey_block": [(1, SEED), (64, SEED)],
    "resize": [(0.95,), (0.25,)],
    "chroma_420": [()],
    "jpeg": [(95,), (20,)],
}
CASES = [(name, case) for name, cases in ARGUMENTS.items() for case in cases]


@pytest.mark.parametrize("side", [32, 45, 72])
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_op_is_the_same_in_a_map_and_keeps_shape_and_dtype(crop, name, arguments, side):
    crop, op = crop[:side, :side], getattr(ops, name)
    eager = op(tf.constant(crop), *arguments)
    assert eager.dtype == tf.uint8
    assert eager.shape == crop.shape
    spec = tf.TensorSpec((None, None, 3), tf.uint8)
    unknown = tf.data.Dataset.from_generator(lambda: [crop], output_signature=spec)

    def mapped(x):
        return op(x, *(tf.constant(argument) for argument in arguments))

    (found,) = unknown.map(mapped)
    np.testing.assert_array_equal(found, eager)


def references(crop):
    """What OpenCV and Pillow make of it."""
    picture = Image.fromarray(crop)

    def resized(factor):
        small = round(len(crop) * factor)
        down = picture.resize((small, small), Image.Resampling.BILINEAR)
        return down.resize(picture.size, Image.Resampling.BICUBIC)

    def encoded(quality):
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
        return Image.open(buffer)

    return {
        "flip": lambda: cv2.flip(crop, 1),
        "brightness": lambda shift: np.clip(crop + shift, 0, 255),
        "contrast": ImageEnhance.Contrast(picture).enhance,
        "saturation": ImageEnhance.Color(picture).enhance,
        "blur": lambda sigma: cv2.GaussianBlur(
            crop, (2 * int(np.ceil(3 * sigma)) + 1,) * 2, sigma
        ),
        "resize": resized,
        "jpeg": encoded,
    }


@pytest.mark.parametrize(
    ("name", "arguments"),
    [case for case in CASES if case[0] not in ("noise", "grey_block", "chroma_420")],
)
def test_op_agrees_with_opencv_and_pillow(crop, name, arguments):
    found = np.asarray(getattr(ops, name)(crop, *arguments))
    expected = np.asarray(references(crop)[name](*arguments))
    # Pillow cuts off where we round, and rounds luma, means, and between two steps.
    np.testing.assert_allclose(found, expected.astype(float), atol=2)
    assert np.abs(found - expected.astype(float)).mean() < 0.8


def test_chroma_420_halves_chroma_as_opencv_and_keeps_luma(crop):
    found = reference_ycbcr(ops.chroma_420(crop))
    given = reference_ycbcr(crop)
    chroma = given[..., 1:].astype("float32")
    halved = cv2.resize(chroma, (36, 36), interpolation=cv2.INTER_AREA)
    expected = cv2.resize(halved, (72, 72), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(found[..., 0], given[..., 0], atol=0.6)
    np.testing.assert_allclose(found[..., 1:], expected, atol=0.6)
    assert np.abs(expected - chroma).max() > 5


def test_noise_is_gaussian_of_its_sigma_and_differs_by_channel():
    grey = tf.fill((200, 200, 3), tf.constant(128, tf.uint8))
    added = ops.noise(grey, 5.0, SEED).numpy() - 128.0
    assert abs(added.mean()) < 0.1
    # Rounding adds a variance of 1/12.
    assert added.std() == pytest.approx(np.hypot(5, 12**-0.5), rel=0.02)
    assert ((added / 5) ** 4).mean() == pytest.approx(3, rel=0.05)
    assert np.abs(np.corrcoef(added.reshape(-1, 3).T) - np.eye(3)).max() < 0.03
    again, other = (ops.noise(grey, 5.0, seed).numpy() for seed in (SEED, (3, 5)))
    np.testing.assert_array_equal(again - 128.0, added)
    assert (other != again).mean() > 0.5


def test_grey_blocks_are_whole_and_as_many_as_asked():
    black = tf.zeros((64, 64, 3), tf.uint8)
    corners = set()
    for number in range(40):
        covered = ops.grey_block(black, 1, (0, number)).numpy()
        y, x, _ = np.argwhere(covered).min(0)
        corners |= {(y, x)}
        expected = np.zeros((64, 64, 3), "uint8")
        expected[y : y + 8, x : x + 8] = 128
        np.testing.assert_array_equal(covered, expected)
    assert len(corners) > 35
    many = (ops.grey_block(black, 20, SEED).numpy()[..., 0] == 128).sum()
    assert 10 * 64 < many <= 20 * 64  # some lie on one another


def test_neutral_values_change_nothing(crop):
    for name, value in (
        ("brightness", 0.0),
        ("contrast", 1.0),
        ("saturation", 1.0),
        ("blur", 0.1),
        ("resize", 1.0),
    ):
        np.testing.assert_array_equal(getattr(ops, name)(crop, value), crop, name)
    box = (10, 20, 61, 90)
    np.testing.assert_array_equal(ops.shift_box(box, (0.0, 0.0)), box)
    np.testing.assert_array_equal(ops.scale_box(box, 1.0), box)


def test_box_moves_in_its_longer_sides_and_scales_about_its_centre():
    np.testing.assert_allclose(
        ops.shift_box((10, 20, 60, 120), (0.1, -0.05)), (20, 15, 70, 115), atol=1e-4
    )
    np.testing.assert_allclose(
        ops.scale_box((10, 20, 60, 120), 1.1), (7.5, 15, 62.5, 125), atol=1e-4
    )
    # A face of 50 px is not halved: preparation stores none below 46.
    np.testing.assert_allclose(ops.scale_box((0, 0, 50, 50), 0.5), (2, 2, 48, 48))
