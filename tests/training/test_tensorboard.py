import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import small_model
from small_data import small_config, small_manifest

from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.layers import HCMA
from sfcl_tf.training import train
from sfcl_tf.training.precision import precision
from sfcl_tf.training.tensorboard import band_weights, draw_bands


def with_gate(config):
    """The small model with an HCMA behind its maps, which has SIDA's gate."""
    bare = small_model(config)
    image, sida = bare.input["image"], bare.input["sida"]
    maps = keras.layers.Conv2D(4, 3, strides=8)(image)
    fused = HCMA(8, 2, name="hcma")([maps, maps, sida])
    return keras.Model(bare.input, keras.layers.Dense(1)(fused))


def events(folder):
    tags = {}
    for path in sorted(map(str, folder.glob("events*"))):
        for event in tf.compat.v1.train.summary_iterator(path):
            for value in event.summary.value:
                tags.setdefault(value.tag, []).append((event.step, value))
    return tags


def test_what_tensorboard_shows(tmp_path):
    config = small_config("train.histograms=true")
    pipeline = InputPipeline(small_manifest(tmp_path / "records", 24), config)
    result = train(config, pipeline, tmp_path, build=with_gate)
    tags = events(tmp_path / "tb")
    assert [step for step, _ in tags["step/loss"]] == [10, 20]
    assert [step for step, _ in tags["epoch/val_auc"]] == [12, 24]
    assert {"step/learning_rate", "epoch/loss", "weights of the bands"} <= set(tags)
    assert [step for step, _ in tags["training crops"]] == [12]
    for variable in result.model.trainable_variables:
        assert variable.path in tags
    [(_, value), _] = tags["epoch/val_auc"]
    drawn = float(tf.make_ndarray(value.tensor))
    assert drawn == pytest.approx(result.history[0]["val_auc"], abs=1e-6)


def test_band_weights_are_those_of_the_gate():
    model = with_gate(small_config())
    gate = model.get_layer("hcma").gate
    kernel = np.zeros(gate.kernel.shape, "float32")
    kernel.reshape(4, 3, 3, 64, -1)[:, :, 1, 5] = 2  # Cb, the sixth in zigzag order
    gate.kernel.assign(kernel)
    weights = band_weights(model)
    assert weights.shape == (3, 64)
    assert weights[1, 5] == pytest.approx(2)
    assert np.count_nonzero(weights) == 1
    picture = draw_bands(weights)
    assert picture.shape == (192, 648, 3)
    # Zigzag 5 is row 0, column 2: the brightest cell of the middle chart.
    brightest = np.argwhere(picture[::24, ::24].sum(-1) == picture[12, 276].sum())
    assert [0, 11] in brightest.tolist()
    assert band_weights(small_model(small_config())) is None


@pytest.mark.parametrize("asked", ["auto", "float32"])
def test_without_a_gpu_training_is_in_float32(asked):
    with precision(small_config(f"train.precision={asked}").train) as policy:
        assert policy == "float32"
