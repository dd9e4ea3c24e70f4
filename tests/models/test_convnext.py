import keras
import numpy as np
import pytest
from helpers import needs
from keras.src.legacy.saving import legacy_h5_format

from sfcl_tf.config import load_config
from sfcl_tf.engines import export_engine, load_engine, verify_engine
from sfcl_tf.evaluation import Predictor
from sfcl_tf.models import backbone, build_model, load_model
from sfcl_tf.models.convnext import SpatialBranch
from sfcl_tf.models.parts import parts
from sfcl_tf.models.views import with_views
from sfcl_tf.training.optimizer import make_optimizer
from sfcl_tf.training.trainer import save_model

RNG = np.random.default_rng(0)
SFCL = "model.spatial=convnext_tiny"
BASELINE = "model.name=convnext_tiny"
SIZE = 96


@pytest.fixture(scope="module", params=[SFCL, BASELINE])
def model(request):
    keras.utils.set_random_seed(1)
    model = build_model(config_of(request.param))
    for weight in model.weights:  # of the size that training gives them
        if "scale/gamma" in weight.path:
            weight.assign(RNG.uniform(0.2, 0.4, weight.shape))
    return model


def config_of(*overrides):
    return load_config(
        preset="tiny", overrides=[*overrides, f"model.image_size={SIZE}"]
    )


def faces(size=SIZE, count=2):
    image = RNG.uniform(0, 255, (count, size, size, 3)).astype("float32")
    return {"image": image, "sida": RNG.uniform(0, 9, (count, 2304)).astype("float32")}


def test_spatial_branch_is_keras_convnext_with_its_weights(tmp_path):
    import h5py

    keras_net = keras.applications.ConvNeXtTiny(
        include_top=False, weights=None, input_shape=(SIZE, SIZE, 3)
    )
    for weight in keras_net.weights:
        low, high = (0.5, 1) if "gamma" in weight.path else (-0.05, 0.05)
        weight.assign(RNG.uniform(low, high, weight.shape))
    with h5py.File(tmp_path / "tiny.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, keras_net)
    branch = SpatialBranch("convnext_tiny", SIZE, tmp_path / "tiny.h5")
    image = keras.Input((SIZE, SIZE, 3))
    tap = branch.shallow(image)
    mine = keras.Model(image, [tap, branch.deep(tap)])
    third = keras_net.get_layer("convnext_tiny_downsampling_block_1")
    reference = keras.Model(keras_net.input, [third.input, keras_net.output])
    pixels = faces()["image"]
    for found, expected in zip(mine(pixels), reference(pixels), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("size", "tap", "last"), [(64, 8, 2), (380, 48, 12)])
def test_maps_have_the_strides_of_the_frequency_branch(size, tap, last):
    branch = SpatialBranch("convnext_tiny", size)
    image = keras.Input((size, size, 3))
    shallow = branch.shallow(image)
    assert shallow.shape == (None, tap, tap, 192)
    assert branch.deep(shallow).shape == (None, last, last, 768)


def test_the_backbone_is_found_and_learns_at_its_own_rate(model):
    layers = backbone(model)
    assert len(layers) == 99
    assert all(layer.name.startswith("convnext_tiny_") for layer in layers)
    slow = [v for layer in layers for v in layer.trainable_variables]
    options = load_config(overrides=["train.freeze_epochs=1"]).train
    optimizer = make_optimizer(options, 2, slow)
    before = [w.numpy() for w in model.trainable_variables]
    gradients = [np.ones(w.shape, "float32") for w in model.trainable_variables]
    optimizer.apply(gradients, model.trainable_variables)
    held = {w.path for w in slow}
    for weight, was in zip(model.trainable_variables, before, strict=True):
        assert np.array_equal(weight, was) == (weight.path in held), weight.path


def test_saved_and_loaded_it_says_and_gives_the_same(model, tmp_path):
    save_model(model, tmp_path / "model.keras")
    loaded = load_model(tmp_path)
    assert parts(loaded) == parts(model)
    batch = faces()
    np.testing.assert_array_equal(loaded(batch), model(batch))


def test_its_last_map_is_shown(model):
    batch = faces()
    views = with_views(model)(batch)
    np.testing.assert_array_equal(views["logit"], model(batch))
    np.testing.assert_allclose(views["map_logit"], views["logit"], atol=1e-5)
    width = 128 if model.name == "sfcl_hcmf" else 768  # HCMA's, or its own
    assert views["map"].shape == (2, 3, 3, width)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # tf2onnx's
@pytest.mark.parametrize("format", ["openvino", "onnx"])
def test_engines_agree_with_keras(model, tmp_path, format):
    needs({"openvino": "openvino", "onnx": "onnxruntime"}[format])
    batch = faces()
    export_engine(model, tmp_path / "e", format)
    logits = Predictor(model)(batch)
    assert verify_engine(load_engine(tmp_path / "e"), [batch], logits)[0] <= 1e-4


def test_half_precision_leaves_the_pixels_whole():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_model(config_of(BASELINE))
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("imagenet_scale").compute_dtype == "float32"
    narrow = {"image", "sida", "imagenet_scale", "logit"}
    kinds = {x.compute_dtype for x in model.layers if x.name not in narrow}
    assert kinds == {"bfloat16"}
    assert model(faces()).dtype == "float32"
