"""Who gets which op of the augmentation, and what becomes of the box."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from sfcl_tf.config import AugmentConfig
from sfcl_tf.faces.face import MIN_FACE
from sfcl_tf.faces.region import context_region
from sfcl_tf.inputs.augment import draw, vary_box, vary_crop
from sfcl_tf.inputs.crop import crop_face

OPS = [f.name for f in dataclasses.fields(AugmentConfig) if f.type is float]
OFF = AugmentConfig(flip=0.0)
ON = AugmentConfig(**dict.fromkeys(OPS, 1.0))
CROP = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)


def some(**probabilities):
    return dataclasses.replace(OFF, **probabilities)


def numbers(drawn):
    """Draws as NumPy values, to be compared."""
    return [[np.asarray(x) for x in (d.applied, *d.arguments)] for d in drawn]


@pytest.fixture(scope="module")
def draws():
    """A function that gives what an op drew for many examples."""

    def read(config, name, count=2000):
        def one(number):
            drawn = draw(config, tf.stack([tf.constant(7, tf.int64), number]))[name]
            return drawn.applied, drawn.arguments

        return list(zip(*tf.data.Dataset.range(count).map(one), strict=True))

    return read


def test_by_default_crops_are_flipped_and_nothing_else():
    assert list(draw(AugmentConfig(), (1, 2))) == ["flip"]
    assert list(draw(ON, (1, 2))) == OPS  # applied in the configuration's order
    assert draw(OFF, (1, 2)) == {}
    assert vary_crop(CROP, {}) is CROP


@pytest.mark.parametrize("name", OPS)
def test_switching_others_off_leaves_a_draw_as_it_was(name):
    half = AugmentConfig(**dict.fromkeys(OPS, 0.5))
    for number in range(3):
        seed = (5, number)
        alone, among = (draw(c, seed)[name] for c in (some(**{name: 0.5}), half))
        for one, other in zip(*numbers([alone, among]), strict=True):
            np.testing.assert_array_equal(one, other)


def test_ops_draw_apart_from_one_another():
    half = AugmentConfig(**dict.fromkeys(OPS, 0.5))
    seeds = tf.data.Dataset.range(1000).map(
        lambda n: [d.applied for d in draw(half, tf.stack([n, n])).values()]
    )
    applied = np.array([[bool(x) for x in row] for row in seeds], float)
    correlation = np.corrcoef(applied.T) - np.eye(len(OPS))
    assert np.abs(correlation).max() < 0.13  # 4 standard deviations


def test_probability_is_the_share_of_examples(draws):
    applied, _ = draws(some(jpeg=0.3), "jpeg")
    assert abs(np.mean(applied) - 0.3) < 0.041  # 4 standard deviations
    always, _ = draws(some(jpeg=1.0), "jpeg", 50)
    assert np.all(always)


def test_values_fill_their_range_ends_included_where_whole(draws):
    config = some(jpeg=1.0, jpeg_quality=(40, 44), blur=1.0, blur_sigma=(0.5, 2.0))
    _, arguments = draws(config, "jpeg")
    quality, counts = np.unique(arguments, return_counts=True)
    assert quality.tolist() == [40, 41, 42, 43, 44]
    assert counts.min() > 320
    _, arguments = draws(config, "blur")
    sigma = np.ravel(arguments)
    assert 0.5 <= sigma.min() < 0.51
    assert 1.99 < sigma.max() <= 2.0
    assert sigma.mean() == pytest.approx(1.25, abs=0.04)
    _, arguments = draws(some(jitter=1.0), "jitter")
    shift = np.reshape(arguments, (-1, 2))
    assert np.abs(shift).max() == pytest.approx(0.08, abs=1e-3)
    assert abs(np.corrcoef(shift.T)[0, 1]) < 0.09


def nodes(config):
    """Names of the operations of a graph that augments, branches included."""

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)])
    def graph(crop):
        return vary_crop(crop, draw(config, (1, 2)))

    definition = graph.get_concrete_function().graph.as_graph_def()
    functions = [f.node_def for f in definition.library.function]
    return {node.op for part in (definition.node, *functions) for node in part}


def test_an_op_of_probability_0_is_not_in_the_graph():
    kinds = {
        "flip": "ReverseV2",
        "blur": "DepthwiseConv2dNative",
        "noise": "StatelessRandomNormalV2",
        "resize": "ScaleAndTranslate",
        "chroma_420": "AvgPool",
        "jpeg": "EncodeJpegVariableQuality",
    }
    assert kinds["flip"] in nodes(AugmentConfig())
    assert not set(kinds.values()) & nodes(OFF)
    for name, kind in kinds.items():
        found = nodes(some(**{name: 0.5}))
        assert kind in found
        assert not (set(kinds.values()) - {kind}) & found


def test_everything_at_once_is_the_same_in_a_map():
    half = AugmentConfig(**dict.fromkeys(OPS, 0.5))
    spec = tf.TensorSpec((None, None, 3), tf.uint8)
    for config in (ON, half):
        crops = tf.data.Dataset.from_generator(
            lambda: [CROP] * 3, output_signature=spec
        ).enumerate()
        found = list(
            crops.map(lambda n, x, c=config: vary_crop(x, draw(c, tf.stack([n, n]))))
        )
        for n, crop in enumerate(found):
            assert crop.dtype == tf.uint8
            assert crop.shape == CROP.shape
            expected = vary_crop(tf.constant(CROP), draw(config, (n, n)))
            np.testing.assert_array_equal(crop, expected)
        assert (found[0] != found[1]).numpy().any()


@st.composite
def stored_faces(draw):
    """Height and width of a frame, and a face in it that is not too small."""
    height, width = (draw(st.integers(64, 400)) for _ in range(2))
    side = draw(st.integers(MIN_FACE, min(height, width)))
    x, y = draw(st.integers(0, width - side)), draw(st.integers(0, height - side))
    return height, width, (x, y, x + side, y + draw(st.integers(side // 2, side)))


@given(
    stored_faces(),
    st.integers(0, 10**6),
    st.floats(1, 1.6),
    st.floats(0, 0.3),
    st.floats(0.5, 1.6),
)
@settings(max_examples=60, deadline=None)
def test_varied_crop_lies_in_the_stored_region_and_on_the_grid(
    case, seed, margin, shift, factor
):
    height, width, box = case
    left, top, right, bottom = context_region(box, height, width)
    y, x = np.mgrid[top:bottom, left:right]
    region = np.stack([x, y, x + y], axis=-1).astype("uint16")
    inside = np.subtract(box, (left, top, left, top))
    config = some(
        jitter=1.0,
        jitter_shift=(-shift, shift),
        scale=1.0,
        scale_factor=(min(factor, 1.0), factor),
    )
    varied = vary_box(inside, draw(config, (0, seed)))
    crop = crop_face(region, varied, margin).numpy()
    side = len(crop)
    assert crop.shape == (side, side, 3)
    assert side % 8 == 0
    assert side >= 32  # SIDA's 4x4 blocks
    # The frame's own pixels, from a multiple of 8 on.
    assert crop[0, 0, 0] % 8 == crop[0, 0, 1] % 8 == 0
    np.testing.assert_array_equal(np.diff(crop[0, :, 0]), 1)
    np.testing.assert_array_equal(np.diff(crop[:, 0, 1]), 1)


def test_jitter_and_scale_reach_as_far_as_they_say():
    """Of a face in the middle of a large frame, whose crop meets no border."""
    box, frame = (400, 400, 600, 600), np.zeros((1000, 1000, 3), "uint8")
    left, top, *_ = context_region(box, *frame.shape[:2])
    inside = np.subtract(box, (left, top, left, top)).astype(float)
    moved, sides = [], []
    for number in range(200):
        drawn = draw(some(jitter=1.0, scale=1.0), (1, number))
        x0, y0, x1, y1 = vary_box(inside, drawn).numpy()
        moved += [(x0 + x1) / 2 - inside[::2].mean()]
        sides += [(x1 - x0) / 200]
        margin = 1.3 * (x1 - x0) / 2
        # Nothing of the crop is cut off by the region.
        assert (x0 + x1) / 2 - margin >= -1e-3
        assert (y0 + y1) / 2 + margin <= 320 + 1e-3
    assert 15 < max(moved) <= 16
    assert -16 <= min(moved) < -15
    assert 0.9 <= min(sides) < 0.91
    assert 1.09 < max(sides) <= 1.1
