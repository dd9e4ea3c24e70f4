"""Model files of strangers are loaded or refused, and do nothing else.

`SFCL_FUZZ=2000 pytest tests/models/test_model_file.py` takes as many mutations.
"""

import collections
import os
import random
import zipfile

import h5py
import keras
import numpy as np
import pytest
from model_files import (
    CONFIG,
    ELSEWHERE,
    WEIGHTS,
    Mutations,
    Watch,
    changed,
    hdf5,
    layer,
    members,
    write,
)

from sfcl_tf.config import load_config
from sfcl_tf.layers import BlockDCT, Logit, Standardize
from sfcl_tf.models import build_model, load_model, load_weights
from sfcl_tf.system.errors import ModelError

COUNT = int(os.environ.get("SFCL_FUZZ", "150"))
SEED = int(os.environ.get("SFCL_FUZZ_SEED", "0"))


def a_model():
    """Small, of our layers, Keras's, and an operation."""
    image = keras.Input((16, 16, 3), name="image")
    x = Standardize((-2, -1), name="standardize")(BlockDCT(name="dct")(image))
    x = keras.layers.Dense(4, activation="relu", name="dense")(x)
    x = keras.layers.Flatten(name="flatten")(keras.ops.tanh(x))
    return keras.Model(image, Logit(name="logit")(x))


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "model.keras"
    a_model().save(path)
    return path


@pytest.fixture(scope="module")
def watch():
    return Watch()


def check_refused(path, reason, watch):
    with watch() as seen, pytest.raises(ModelError, match=reason) as caught:
        load_model(path)
    assert not seen
    assert "Expected a model saved by this package" in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_good_file_gives_the_model_back(good, watch):
    with watch() as seen:
        model = load_model(good)
    assert not seen
    assert [layer.name for layer in model.layers if layer.weights] == [
        "standardize",
        "dense",
        "logit",
    ]


def test_mutated_files_are_loaded_or_refused_and_do_nothing(
    good, tmp_path, watch, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    mutations = Mutations(good, random.Random(SEED))  # noqa: S311
    counts = collections.Counter()
    for number in range(COUNT):
        path = mutations.write(tmp_path / "model.keras", number)
        with watch() as seen:
            try:
                load_model(path)
                counts["loaded"] += 1
            except ModelError:
                counts["refused"] += 1
        assert not seen, number
    print(dict(counts))
    assert {"loaded", "refused"} <= set(counts)
    assert [each.name for each in tmp_path.iterdir()] == ["model.keras"]


@pytest.mark.parametrize(("module", "name"), ELSEWHERE)
@pytest.mark.parametrize("how", ["layer", "activation"])
def test_other_classes_and_functions_are_refused(
    good, tmp_path, watch, module, name, how
):
    arguments = {"name": "dense", "function": "x", "filepath": "/", "vocabulary": "/"}

    def change(config):
        entry = layer(config, "dense")
        if how == "layer":
            entry |= {"module": module, "class_name": name, "config": arguments}
            return
        entry["config"]["activation"] = {
            "module": module,
            "class_name": "function",
            "config": name,
            "registered_name": name,
        }

    path = changed(tmp_path / "model.keras", good, change)
    if module == "builtins":  # where Keras looks for functions of its own
        module = r"(builtins|keras\.activations)"
    check_refused(path, rf"the class {module}\.{name}, which no model", watch)


def test_code_in_a_file_is_refused(good, tmp_path, watch):
    code = {"class_name": "__lambda__", "config": {"value": ["4wAAAA==", None, None]}}

    def change(config):
        layer(config, "dense")["config"]["activation"] = code

    check_refused(changed(tmp_path / "m.keras", good, change), "__lambda__", watch)


def test_a_model_larger_than_its_weights_is_not_built(good, tmp_path, watch):
    def change(config):
        layer(config, "dense")["config"]["units"] = 10**11
        for name in ("dense", "flatten", "logit"):
            del layer(config, name)["build_config"]

    path = changed(tmp_path / "m.keras", good, change)
    check_refused(path, r"weights for a model of \d{13}", watch)


def test_a_configuration_nested_too_deep_is_refused(good, tmp_path, watch):
    for depth, reason in ((100, "nested over 64"), (10**6, "recursion")):
        text = '{"a":' * depth + "1" + "}" * depth
        path = write(tmp_path / "m.keras", members(good) | {CONFIG: text})
        check_refused(path, reason, watch)


def test_archives_that_hold_or_become_more_are_refused(good, tmp_path, watch):
    contents = members(good)
    path = write(tmp_path / "m.keras", contents | {"assets/../../x": b"x"})
    check_refused(path, "an archive of", watch)
    path = write(
        path, contents | {WEIGHTS: bytes(200 << 20)}, compression=zipfile.ZIP_DEFLATED
    )
    check_refused(path, "bytes packed into", watch)
    path = write(path, contents | {CONFIG: b" " * (9 << 20)})
    check_refused(path, "configuration of more than", watch)
    path = tmp_path / "m.h5"
    path.write_bytes(good.read_bytes())
    check_refused(path, r"ends in '\.h5'", watch)


def _virtual(file):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4,))
    file.create_virtual_dataset("x", layout)


HDF5 = {
    "ExternalLink": lambda file: file.update(x=h5py.ExternalLink("/etc/passwd", "x")),
    "SoftLink": lambda file: file.update(x=h5py.SoftLink("/y")),
    "read from another one": _virtual,
    "which is read": lambda file: file.create_dataset(
        "x", (4,), "u1", external=[("/etc/passwd", 0, 4)]
    ),
    "bytes in memory": lambda file: file.create_dataset("x", (10**12,), chunks=(1,)),
    "Expected numbers": lambda file: file.update(x=["text"]),
    "could not be loaded|Received": lambda file: None,
}


@pytest.mark.parametrize("reason", HDF5)
def test_weights_that_lead_elsewhere_are_refused(good, tmp_path, watch, reason):
    raw = hdf5(HDF5[reason])
    path = write(tmp_path / "m.keras", members(good) | {WEIGHTS: raw})
    check_refused(path, reason, watch)
    (tmp_path / "m.weights.h5").write_bytes(raw)
    config = load_config(
        preset="tiny",
        overrides=[
            "model.name=meso4",
            f"model.spatial_weights={tmp_path / 'm.weights.h5'}",
        ],
    )
    for load in (
        lambda: load_weights(a_model(), tmp_path / "m.weights.h5"),
        lambda: build_model(config),
    ):
        with watch() as seen, pytest.raises(ModelError, match=reason):
            load()
        assert not seen


@keras.saving.register_keras_serializable(package="mine")
class Twice(keras.layers.Layer):
    """A layer of somebody who adds a backbone."""

    def call(self, x):
        return 2 * x


def test_models_of_other_layers_that_compute_are_loaded(tmp_path):
    layers = keras.layers
    image = keras.Input((8, 8, 3))
    x = layers.RandomFlip(seed=1)(Twice()(layers.Rescaling(0.1)(image)))
    x = layers.Conv2D(4, 3, kernel_regularizer="l2", kernel_constraint="max_norm")(x)
    x = layers.PReLU()(layers.GroupNormalization(2)(x))
    x = layers.Reshape((-1, 4))(x)
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x)
    x = layers.TimeDistributed(keras.Sequential([layers.Dense(4, "gelu")]))(x)
    x = layers.MultiHeadAttention(2, 4)(x, x)
    x = keras.ops.mean(x[:, 1:] ** 2, axis=1)
    model = keras.Model(image, Logit(name="logit")(layers.Embedding(3, 4)(x)[..., 0]))
    model.compile("adam", "mse")
    model.save(tmp_path / "m.keras")
    pixels = np.ones((1, 8, 8, 3), "float32")
    loaded = load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded(pixels), model(pixels))
