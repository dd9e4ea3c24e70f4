import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from sfcl_tf.config import load_config
from sfcl_tf.models import build_model
from sfcl_tf.models.efficientnet import SpatialBranch
from sfcl_tf.models.weights import KNOWN, resolve_weights
from sfcl_tf.models.xception_f import FrequencyBranch
from sfcl_tf.system.errors import ModelError

RNG = np.random.default_rng(0)


def randomize(model):
    """Gives every weight another value, so that a swap of two would show."""
    for weight in model.weights:
        if weight.dtype == "float32":
            low = 0.5 if "variance" in weight.path or "gamma" in weight.path else -0.05
            values = RNG.uniform(low, low + 0.5 if low > 0 else 0.05, weight.shape)
            weight.assign(values.astype("float32"))


def write_legacy_h5(model, path):
    """Writes weights in the old Keras format, in which the published files are."""
    import h5py

    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)


def test_spatial_branch_is_keras_efficientnet_with_its_weights(tmp_path):
    keras_net = keras.applications.EfficientNetB0(
        include_top=False, weights=None, input_shape=(64, 64, 3)
    )
    randomize(keras_net)
    write_legacy_h5(keras_net, tmp_path / "b0.h5")
    branch = SpatialBranch("efficientnet_b0", 64, tmp_path / "b0.h5")
    image = keras.Input((64, 64, 3))
    tap = branch.shallow(image)
    mine = keras.Model(image, [tap, branch.deep(tap)])

    pixels = RNG.uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    start = keras_net.get_layer("stem_conv_pad").input
    reference = keras.Model(
        start, [keras_net.get_layer("block3b_add").output, keras_net.output]
    )
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    scaled = ((pixels / 255 - mean) / std).astype("float32")
    for found, expected in zip(mine(pixels), reference(scaled), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_cnn_f_shares_blocks_4_to_14_with_keras_xception(tmp_path):
    xception = keras.applications.Xception(
        include_top=False, weights=None, input_shape=(71, 71, 3)
    )
    randomize(xception)
    write_legacy_h5(xception, tmp_path / "xception.h5")
    features = keras.Input((18, 18, 192))
    output = FrequencyBranch(weights=tmp_path / "xception.h5")(features)
    mine = keras.Model(features, output)
    from_block4 = keras.Model(mine.get_layer("cnn_f_block3_add").output, mine.output)
    reference = keras.Model(
        xception.get_layer("block4_sepconv1_act").input, xception.output
    )
    maps = RNG.normal(size=(1, 9, 9, 256)).astype("float32")
    np.testing.assert_allclose(from_block4(maps), reference(maps), rtol=1e-3, atol=1e-5)


def test_cnn_f_sees_negative_coefficients():
    features = keras.Input((16, 16, 192))
    model = keras.Model(features, FrequencyBranch(0.125, 1)(features))
    bands = -np.abs(RNG.normal(size=(2, 16, 16, 192))).astype("float32")
    found = np.asarray(model(bands))
    assert found.shape == (2, 2, 2, 256)
    assert np.abs(found[0] - found[1]).max() > 0


def test_cnn_f_refuses_weights_of_another_width():
    with pytest.raises(ValueError, match="Expected width=1"):
        FrequencyBranch(width=0.5, weights="xception.h5")


def test_absent_imagenet_weights_name_file_md5_and_place(tmp_path, monkeypatch):
    monkeypatch.setenv("SFCL_WEIGHTS", str(tmp_path / "mine"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    name, md5 = KNOWN["efficientnet_b4"]
    with pytest.raises(ModelError) as caught:
        build_model(load_config(preset="paper"))
    for part in (name, md5, str(tmp_path / "mine"), "--spatial-weights none"):
        assert part in str(caught.value)


def test_damaged_imagenet_weights_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("SFCL_WEIGHTS", str(tmp_path))
    (tmp_path / KNOWN["efficientnet_b4"][0]).write_bytes(b"not weights")
    with pytest.raises(ModelError, match=r"Received: .* damaged"):
        resolve_weights("imagenet", "efficientnet_b4")


def test_weights_given_by_path_are_used_or_named(tmp_path):
    assert resolve_weights("none", "xception") is None
    path = tmp_path / "w.h5"
    with pytest.raises(ModelError, match="not there"):
        resolve_weights(str(path), "xception")
    path.write_bytes(b"")
    assert resolve_weights(str(path), "xception") == path
    config = load_config(
        preset="tiny", overrides=[("model.spatial_weights", str(path))]
    )
    with pytest.raises(ModelError, match="Expected weights that fit efficientnet_b0"):
        build_model(config)
