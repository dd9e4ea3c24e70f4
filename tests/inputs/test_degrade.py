"""Degradations at a level, and the passes that show a face to a model."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from sfcl_tf.config import AugmentConfig
from sfcl_tf.inputs.degrade import KINDS, degrade, parse_degradations
from sfcl_tf.inputs.example import Example
from sfcl_tf.inputs.passes import Degraded, Pass, Unchanged, Varied
from sfcl_tf.inputs.preprocess import Preprocessor
from sfcl_tf.system.errors import UsageError

SEED = tf.constant([0, 7], tf.int64)


@pytest.fixture(scope="module")
def example():
    """A face of smooth noise in the middle of its region."""
    rng = np.random.default_rng(0)
    region = cv2.GaussianBlur(rng.integers(0, 255, (160, 160, 3), np.uint8), (0, 0), 3)
    return Example(
        tf.constant(region),
        tf.constant([48, 48, 112, 112], tf.int64),
        tf.constant(0, tf.int64),
        tf.constant([[60.0, 60.0], [100.0, 60.0]]),
        tf.constant(["071"]),
        tf.constant("video/3/0"),
    )


def cut(region, box):
    return region[48:112, 48:112]


def level_of(kind):
    return {"jpeg": 30, "grey_block": 4, "resize": 0.5, "blur": 2}.get(kind, 8)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_changes_a_face_and_the_same_way_again(kind, example):
    (found,) = parse_degradations([f"{kind}={level_of(kind)}"])
    once, other = Degraded((found,))(example, cut), Unchanged()(example, cut)
    assert once[0].dtype == tf.uint8
    assert once[0].shape == other[0].shape == (64, 64, 3)
    assert (once[0].numpy() != other[0].numpy()).any()
    traced = tf.function(Degraded((found,)), autograph=False)(example, cut)
    np.testing.assert_array_equal(traced[0], once[0])
    assert int(once[1]) == 0


def test_jpeg_is_that_of_opencv(example):
    crop = cut(example.region, None).numpy()
    (jpeg,) = parse_degradations(["jpeg=50"])
    found = degrade(tf.constant(crop), jpeg, SEED).numpy()
    _, encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 50]
    )
    other = cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert np.abs(found.astype(int) - other).mean() < 1


def test_noise_differs_between_examples_alone(example):
    noisy = Degraded(parse_degradations(["noise=8"]))
    first = noisy(example, cut)[0].numpy().astype(int)
    other = noisy(example._replace(name=tf.constant("video/4/0")), cut)[0].numpy()
    assert (first != other).mean() > 0.5
    clean = cut(example.region, None).numpy()
    assert (first - clean).std() == pytest.approx(8, abs=0.5)


def test_they_are_applied_in_the_order_of_a_pictures_life():
    names = [str(each) for each in parse_degradations(["jpeg=50", "blur=0.5"])]
    assert names == ["blur=0.5", "jpeg=50"]


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["sepia=3"], "such as jpeg=50, of brightness, contrast"),
        (["jpeg"], "jpeg with a whole number in 1..100"),
        (["jpeg=50.5"], "Received: 'jpeg=50.5'"),
        (["jpeg=0"], "1..100"),
        (["blur=nan"], "blur with a number in 0.1..10 (sigma in pixels)"),
        (["blur=1", "blur=2"], "blur several times"),
    ],
)
def test_what_cannot_be_is_told(texts, told):
    with pytest.raises(UsageError) as caught:
        parse_degradations(texts)
    assert told in str(caught.value)


class Forged(Pass):
    """Paints the face grey, by its landmarks, and calls it fake."""

    def __call__(self, example, cut):
        x, y = tf.unstack(tf.cast(example.landmarks[0], tf.int32))
        region = tf.tensor_scatter_nd_update(
            example.region, [[y, x]], tf.constant([[1, 2, 3]], tf.uint8)
        )
        return cut(region, example.box), tf.ones_like(example.label)


def test_a_pass_may_change_surroundings_and_label(example):
    crop, label = Forged()(example, cut)
    assert int(label) == 1
    assert crop[12, 12].numpy().tolist() == [1, 2, 3]


def test_what_is_varied_depends_on_seed_epoch_example_and_repeat(example):
    augment = AugmentConfig(flip=0, noise=1)

    def crop(seed=0, epoch=0, repeat=0, of=example):
        varied = Varied(augment, seed, tf.constant(epoch, tf.int64), repeat)
        return varied(of, cut)[0].numpy()

    other = example._replace(name=tf.constant("video/3/1"))
    np.testing.assert_array_equal(crop(), crop())
    for changed in (crop(seed=1), crop(epoch=1), crop(repeat=1), crop(of=other)):
        assert (changed != crop()).any()


def test_a_preprocessor_gives_what_a_model_asks_for(example):
    from small_data import small_config

    image = Preprocessor(small_config(), ["image"])
    assert {n: tuple(s.shape) for n, s in image.specs.items()} == {"image": (32, 32, 3)}
    both = Preprocessor(small_config())
    found = both.traced()(example.region, tf.cast(example.box, tf.int32))
    assert {name: tuple(x.shape) for name, x in found.items()} == {
        "image": (32, 32, 3),
        "sida": (2304,),
    }
    np.testing.assert_array_equal(
        image(example.region, example.box)["image"], found["image"]
    )
    assert all(not np.any(each) for each in both.nothing().values())
