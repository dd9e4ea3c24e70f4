import keras
import numpy as np
import pytest
from helpers import small_model
from small_data import small_config, small_manifest

from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.layers import Standardize
from sfcl_tf.training import fill_standardize, standardize
from sfcl_tf.training.standardize import standardize_on

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


def statistics(model):
    return [
        values.numpy()
        for layer in model.layers
        if isinstance(layer, Standardize)
        for values in (layer.mean, layer.std)
    ]


@pytest.fixture
def fill(tmp_path, monkeypatch):
    """A function that fills a new model; it gives model, seen and read examples."""
    manifest = small_manifest(tmp_path)
    read = []
    spread = InputPipeline.spread_inputs

    def counted(pipeline, split, most):
        for inputs in spread(pipeline, split, most):
            read.append(len(inputs["image"]))
            yield inputs

    monkeypatch.setattr(InputPipeline, "spread_inputs", counted)

    def run(*overrides):
        read.clear()
        config, seen = small_config(*overrides), []
        model = small_model(config)
        count = standardize_on(model, InputPipeline(manifest, config), seen.append)
        assert seen[-1] == count
        return model, count, sum(read)

    run.folder = tmp_path / "train"
    return run


def test_statistics_of_the_training_split_are_kept_beside_the_records(fill):
    model, count, read = fill()
    assert count == read == 16
    config = small_config()
    whole = small_model(config)
    batches = InputPipeline(small_manifest(fill.folder.parent), config).evaluation(
        "train"
    )
    fill_standardize(whole, [inputs for inputs, *_ in batches])
    for found, expected in zip(statistics(model), statistics(whole), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    again, count, read = fill("train.epochs=9", "augment.flip=0")
    assert (count, read) == (16, 0)
    for found, expected in zip(statistics(again), statistics(model), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "change",
    [
        "model.image_size=64",
        "data.margin=1.5",
        "data.snap_to_grid=false",
        "data.dct_channels=y",
    ],
)
def test_another_geometry_is_measured_anew(fill, change):
    fill()
    assert fill(change)[1:] == (16, 16)
    assert fill(change)[1:] == (16, 0)
    assert fill()[2] == 0


def test_no_more_than_so_many_examples_are_read(fill, monkeypatch):
    monkeypatch.setattr(standardize, "MOST", 6)
    assert fill()[1:] == (6, 6)
    monkeypatch.undo()
    assert standardize.MOST == 20_000


def test_examples_are_spread_over_all_videos(tmp_path):
    pipeline = InputPipeline(small_manifest(tmp_path), small_config())
    (some,) = pipeline.spread_inputs("train", 4)
    ((inputs, *_),) = pipeline.evaluation("train")
    # Of 16 records, 4 a video.
    expected = inputs["image"].numpy()[[0, 5, 10, 15]]
    np.testing.assert_array_equal(some["image"], expected)


@pytest.mark.parametrize("damage", [b"", b"no zip file", "other layer"])
def test_damaged_statistics_are_taken_anew(fill, damage):
    expected = statistics(fill()[0])
    (path,) = fill.folder.glob("standardize-*.npz")
    if damage == "other layer":
        with path.open("wb") as file:
            np.savez(file, examples=3, other_mean=np.zeros(3), other_std=np.ones(3))
    else:
        path.write_bytes(damage)
    model, _, read = fill()
    assert read == 16
    for found, values in zip(statistics(model), expected, strict=True):
        np.testing.assert_array_equal(found, values)
    assert fill()[2] == 0
