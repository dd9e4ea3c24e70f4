"""Sanity checks of explanations: do they show what the network goes by?"""

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import model_inputs
from small_data import small_config

from sfcl_tf import ops
from sfcl_tf.detect.explain import energy_share
from sfcl_tf.detect.models import encode_png
from sfcl_tf.evaluation import Calibration
from sfcl_tf.layers import FAAE, HCMA, BlockDCT, CompressSIDA, Standardize
from sfcl_tf.serving.signatures import Signatures
from sfcl_tf.training import fill_standardize

SIDE, PATCH = 64, 12


def whole_model():
    """The parts of the whole model, on a grid of 8x8."""
    image = keras.Input((SIDE, SIDE, 3), name="image")
    sida = keras.Input((ops.SIDA_SIZE,), name="sida")
    bands = BlockDCT(name="block_dct")(image)
    bands = Standardize((-2, -1), name="standardize_dct")(bands)
    spectrum = keras.layers.Reshape((SIDE // 8, SIDE // 8, 192))(bands)
    spatial = convolutions(image)
    spatial = FAAE(zero_gamma=False, momentum=0.5, name="faae")([spatial, spectrum])
    frequency = keras.layers.Conv2D(16, 1, activation="relu")(spectrum)
    d = CompressSIDA(name="compress_sida")(sida)
    d = Standardize(floor=1e-3, name="standardize_sida")(d)
    fused = HCMA(16, 2, momentum=0.5, name="hcma")([spatial, frequency, d])
    logit = keras.layers.Dense(1, name="logit")(fused)
    return keras.Model({"image": image, "sida": sida}, logit)


def spatial_model():
    """A baseline: convolutions alone."""
    image = keras.Input((SIDE, SIDE, 3), name="image")
    sida = keras.Input((ops.SIDA_SIZE,), name="sida")
    pooled = keras.layers.GlobalAveragePooling2D()(convolutions(image))
    logit = keras.layers.Dense(1, name="logit")(pooled)
    return keras.Model({"image": image, "sida": sida}, logit)


def convolutions(image):
    x = keras.layers.Rescaling(1 / 64, -2)(image)
    for filters in (8, 16, 16):
        x = keras.layers.Conv2D(filters, 3, 2, "same", activation="relu")(x)
    return x


def make_crops(count, seed):
    """Smooth textures; every other one has a chequered square somewhere, its mask."""
    rng = np.random.default_rng(seed)
    crops = rng.uniform(0, 255, (count, SIDE, SIDE, 3))
    crops = np.stack([cv2.GaussianBlur(crop, None, 2) for crop in crops])
    masks = np.zeros((count, SIDE, SIDE), bool)
    chequered = np.indices((PATCH, PATCH)).sum(0)[..., None] % 2 * 64 - 32
    for number in range(1, count, 2):
        y, x = rng.integers(0, SIDE - PATCH + 1, 2)
        masks[number, y : y + PATCH, x : x + PATCH] = True
        crops[number, y : y + PATCH, x : x + PATCH] += chequered
    return np.clip(crops, 0, 255).astype("uint8"), masks


def inputs_of(crops):
    prepare = tf.function(lambda crop: model_inputs(crop, SIDE), autograph=False)
    each = [prepare(tf.constant(crop)) for crop in crops]
    return {name: tf.stack([one[name] for one in each]) for name in each[0]}


class Fitted:
    """A model fitted to the square, and held-out crops that have it."""

    def __init__(self, build):
        keras.utils.set_random_seed(0)
        self.model = build()
        inputs = inputs_of(make_crops(256, seed=0)[0])
        fill_standardize(self.model, [inputs])
        self.model.compile(
            keras.optimizers.Adam(3e-3),
            keras.losses.BinaryCrossentropy(from_logits=True),
            jit_compile=False,
        )
        labels = np.arange(256)[:, None] % 2
        self.model.fit(inputs, labels, 32, epochs=15, verbose=0, shuffle=True)
        crops, masks = make_crops(64, seed=1)
        self.crops, self.masks = crops[1::2], masks[1::2]
        config = small_config(f"model.image_size={SIDE}")
        self._signatures = Signatures(self.model, config, Calibration())
        found = np.sign(self.explain(crops)["logit"])
        assert np.mean(found == np.tile([-1, 1], 32)) > 0.95

    def explain(self, crops=None):
        encoded = [encode_png(c) for c in (self.crops if crops is None else crops)]
        found = self._signatures.explain(tf.constant(encoded))
        return {name: value.numpy() for name, value in found.items()}

    def gains(self, maps):
        """The energy's share inside each square, in shares of the area."""
        pairs = zip(maps, self.masks, strict=True)
        return np.array([energy_share(m, mask) / mask.mean() for m, mask in pairs])


@pytest.fixture(scope="module")
def whole():
    return Fitted(whole_model)


def test_the_heatmap_lies_on_what_was_planted(whole):
    maps = whole.explain()["heatmap"]
    assert maps.shape == (32, 8, 8)
    check_place(whole, maps)


@pytest.mark.slow
def test_so_does_that_of_a_model_without_hcma():
    spatial = Fitted(spatial_model)
    maps = spatial.explain()["heatmap"]
    check_place(spatial, maps)


def check_place(fitted, maps):
    gains = fitted.gains(maps)
    assert gains.mean() >= 2
    assert np.median(gains) >= 2
    others = fitted.gains(np.roll(maps, 1, axis=0))
    assert others.mean() < 2


def test_the_heatmap_is_lost_with_the_weights(whole):
    """Layer by layer, the last one first.

    Reference:
        Adebayo et al., 2018, arXiv:1810.03292.
    """
    kept, before = whole.model.get_weights(), whole.explain()["heatmap"]
    layers = [layer for layer in whole.model.layers if layer.trainable_weights]
    draws = 3
    alike = dict.fromkeys([layer.name for layer in reversed(layers)], 0.0)
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        for layer in reversed(layers):
            for weight in layer.trainable_weights:
                value = np.asarray(weight)
                weight.assign(rng.permutation(value.ravel()).reshape(value.shape))
            maps = whole.explain()["heatmap"]
            assert not np.allclose(maps, before)
            pairs = zip(before, maps, strict=True)
            found = np.mean([correlation(*pair) for pair in pairs])
            alike[layer.name] += found / draws
        whole.model.set_weights(kept)
    np.testing.assert_array_equal(whole.explain()["heatmap"], before)
    # The last layer alone may leave the map in its place: its sign is a coin's.
    del alike["logit"]
    assert len(alike) > 5
    assert max(alike.values()) < 0.5, alike


def test_all_bands_together_are_the_slope_along_them(whole):
    """Oracle: the logit while all coefficients are scaled, through FAAE and HCMA."""
    found = whole.explain()
    layer = whole.model.get_layer("standardize_dct")
    mean, std = (np.asarray(weight) for weight in (layer.mean, layer.std))
    logits, step = [], 1e-3
    for scale in (1, 1 - step, 1 - 2 * step):  # not above 1: `std` has a floor
        layer.set_statistics(mean, np.maximum(std, layer.floor) / scale)
        logits.append(whole.explain()["logit"].astype(float))
    layer.set_statistics(mean, std)
    slope = (3 * logits[0] - 4 * logits[1] + logits[2]) / (2 * step)
    summed = found["bands"].sum((1, 2))
    assert np.abs(slope).min() > 1
    # Within the step a ReLU may turn.
    assert np.mean(np.abs(summed / slope - 1) < 0.01) > 0.9


def test_attention_is_that_of_the_crop(whole):
    """Oracle: Eqs. 10-11 in float64 on what reaches the layer."""
    faae = whole.model.get_layer("faae")
    front = keras.Model(whole.model.input, faae.input)
    spatial, frequency = (np.asarray(x, float) for x in front(inputs_of(whole.crops)))

    def conv(layer, x):
        kernel, *bias = (np.asarray(weight, float) for weight in layer.weights)
        return np.moveaxis(x @ kernel[0, 0] + sum(bias), -1, 1)  # (B, C, H, W)

    query = [(faae.query_frequency, frequency), (faae.query_spatial, spatial)]
    key = [(faae.key_frequency, frequency), (faae.key_spatial, spatial)]
    query, key = (
        np.concatenate([conv(*part) for part in parts], -1) for parts in (query, key)
    )
    logits = query @ np.swapaxes(key, -1, -2) / np.sqrt(2 * len(query[0, 0]))
    alpha = np.exp(logits - logits.max(-1, keepdims=True))
    alpha /= alpha.sum(-1, keepdims=True)
    found = whole.explain()["attention"]
    np.testing.assert_allclose(found, 8 * alpha.mean(1), atol=1e-4)
    assert np.std(found) > 0.1


def test_energy_is_shared_out_by_area():
    mask = np.zeros((64, 64), bool)
    mask[8:24, 32:64] = True
    even = np.full((8, 8), 3.0)
    assert energy_share(even, mask) == pytest.approx(mask.mean())
    inside = np.zeros((8, 8))
    inside[2, 6] = 5  # spread over 12..28 x 44..60
    below = np.zeros_like(mask)
    below[12:28, 44:60] = True
    assert energy_share(inside, below) == pytest.approx(1)
    assert energy_share(inside, ~below) == pytest.approx(0)
    assert np.isnan(energy_share(np.zeros((8, 8)), mask))
    # Energy is the square: twice the height counts four times.
    halves = np.repeat([[1.0, 2.0]], 2, axis=0)
    right = np.indices((2, 2))[1] == 1
    assert energy_share(halves, right) == pytest.approx(0.8)


def correlation(one, other):
    if not (one.std() and other.std()):
        return 0.0
    return np.corrcoef(one.ravel(), other.ravel())[0, 1]
