import keras
import numpy as np
from helpers import small_model
from small_data import small_config

from sfcl_tf.layers import Standardize
from sfcl_tf.training import fill_standardize

RNG = np.random.default_rng(0)


def batches(sizes):
    for size in sizes:
        yield {
            "image": RNG.uniform(0, 255, (size, 32, 32, 3)).astype("float32"),
            "sida": RNG.uniform(0, 500, (size, 2304)).astype("float32"),
        }


def test_statistics_are_those_of_all_the_data_at_once():
    model = small_model(small_config())
    data = list(batches([3, 5, 1]))
    assert fill_standardize(model, data) == 9
    whole = {name: np.concatenate([b[name] for b in data]) for name in data[0]}
    bands = np.asarray(model.get_layer("block_dct")(whole["image"]), "float64")
    layer = model.get_layer("standardize_dct")
    np.testing.assert_allclose(layer.mean, bands.mean((0, 1, 2)), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(layer.std, bands.std((0, 1, 2)), rtol=1e-4)
    compressed = np.asarray(model.get_layer("compress_sida")(whole["sida"]))
    layer = model.get_layer("standardize_sida")
    np.testing.assert_allclose(layer.mean, compressed.mean(0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(layer.std, compressed.std(0), rtol=1e-4)


def test_standardised_training_data_has_mean_0_and_deviation_1():
    inputs = keras.Input((5,))
    model = keras.Model(inputs, Standardize(floor=1e-3)(inputs))
    data = RNG.normal(30, 4, (200, 5)).astype("float32")
    fill_standardize(model, [data[:50], data[50:]])
    found = np.asarray(model(data))
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(found.std(0), 1, atol=1e-4)


def test_a_model_without_such_layers_is_left_alone():
    inputs = keras.Input((5,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    assert fill_standardize(model, [np.zeros((1, 5))]) == 0
