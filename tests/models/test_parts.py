import dataclasses

import keras
import numpy as np
import pytest
from small_data import small_config

from sfcl_tf.config import load_config
from sfcl_tf.layers import Logit
from sfcl_tf.models import backbone, build_model, load_model, load_weights
from sfcl_tf.models.parts import parts
from sfcl_tf.models.registry import DETECTORS
from sfcl_tf.system.errors import ModelError, UsageError
from sfcl_tf.training.optimizer import make_optimizer
from sfcl_tf.training.trainer import save_model

# Those that ended in a plain `Dense` once.
EARLIER = ("sfcl_hcmf", "efficientnet_b4", "xception", "meso4")


def quick_and_slow(names):
    """Parametrises by detectors, of which one is slow to build."""
    return [
        pytest.param(name, marks=pytest.mark.slow if name == "efficientnet_b4" else ())
        for name in names
    ]


@pytest.fixture(scope="module", params=quick_and_slow(DETECTORS))
def model(request):
    return build_model(
        load_config(preset="tiny", overrides=[f"model.name={request.param}"])
    )


def inputs_of(model):
    rng = np.random.default_rng(0)
    shapes = {name: tensor.shape[1:] for name, tensor in model.input.items()}
    return {n: rng.uniform(0, 9, (2, *s)).astype("float32") for n, s in shapes.items()}


def of_before(model):
    """The model as earlier versions built it, with a plain last layer."""

    def plain(layer):
        if not isinstance(layer, Logit):
            return type(layer).from_config(layer.get_config())
        return keras.layers.Dense(1, dtype="float32", name="logit")

    before = keras.models.clone_model(model, clone_function=plain)
    before.set_weights(model.get_weights())
    before.name = model.name
    return before


def test_what_is_named_is_there(model):
    told = parts(model)
    outputs = {layer.name: layer.output for layer in model.layers}
    names = set(outputs) | {"gate"}
    assert {*told.backbone, *told.float32} <= names
    assert len(outputs[told.last_map].shape) == 4
    if told.tap:
        side = model.input["image"].shape[1] // 8
        assert outputs[told.tap].shape[1:3] == (side, side)


def test_a_clone_and_a_file_say_the_same(model, tmp_path):
    told = parts(model)
    assert parts(keras.models.clone_model(model)) == told
    save_model(model, tmp_path / "model.keras")
    assert parts(load_model(tmp_path)) == told


def test_a_file_of_an_earlier_version_says_the_same(model, tmp_path):
    if model.name not in EARLIER:
        pytest.skip("a model that earlier versions did not have")
    before = of_before(model)
    before.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path)
    own, told = parts(model), parts(loaded)
    assert set(own.float32) <= set(told.float32)
    assert dataclasses.replace(own, float32=told.float32) == told
    np.testing.assert_array_equal(loaded(inputs_of(model)), model(inputs_of(model)))


def test_weights_of_an_earlier_version_fit(model, tmp_path):
    before = of_before(model)
    assert [w.path for w in before.weights] == [w.path for w in model.weights]
    before.set_weights([w + 0.01 for w in before.get_weights()])
    before.save_weights(tmp_path / "of.weights.h5")
    twin = keras.models.clone_model(model)
    load_weights(twin, tmp_path / "of.weights.h5")
    for own, theirs in zip(twin.get_weights(), before.get_weights(), strict=True):
        np.testing.assert_array_equal(own, theirs)


def test_weights_of_another_model_do_not_fit(tmp_path):
    image = keras.Input((4,))
    model, other = (
        keras.Model(image, Logit(name="logit")(keras.layers.Dense(n)(image)))
        for n in (2, 3)
    )
    other.save_weights(tmp_path / "of.weights.h5")
    with pytest.raises(ModelError, match="could not be loaded"):
        load_weights(model, tmp_path / "of.weights.h5")


@pytest.mark.parametrize(
    "override", ["train.backbone_rate=0.1", "train.freeze_epochs=1"]
)
def test_a_rate_of_a_backbone_that_is_not_there_is_refused(override):
    meso4 = build_model(load_config(preset="tiny", overrides=["model.name=meso4"]))
    options = small_config(override).train
    with pytest.raises(UsageError, match="Expected a model with a backbone"):
        make_optimizer(options, 2, backbone(meso4))
