import keras
import numpy as np
import pytest

from sfcl_tf.config import load_config
from sfcl_tf.models import build_model
from sfcl_tf.models.views import last_map, with_views

ALL = {"logit", "map_logit", "embedding", "map", "attention", "bands", "gate"}


def viewed(*overrides):
    config = load_config(
        preset="tiny", overrides=["model.spatial_weights=none", *overrides]
    )
    model = build_model(config)
    size = config.model.image_size
    rng = np.random.default_rng(0)
    inputs = {
        "image": rng.uniform(0, 255, (2, size, size, 3)).astype("float32"),
        "sida": rng.uniform(0, 10, (2, 2304)).astype("float32"),
    }
    found = with_views(model)(inputs)
    views = {name: np.asarray(value) for name, value in found.items()}
    return model, inputs, views


def test_the_whole_model_shows_what_its_logit_is_made_of():
    model, inputs, views = viewed()
    assert set(views) == ALL
    np.testing.assert_array_equal(views["logit"], model(inputs))
    np.testing.assert_allclose(views["map_logit"], views["logit"], rtol=1e-5, atol=1e-6)
    last = model.get_layer("logit")
    np.testing.assert_allclose(last(views["embedding"]), views["logit"], atol=1e-6)
    assert views["map"].shape == (2, 4, 4, 128)
    fused = views["map"].mean((1, 2)) * views["gate"]
    np.testing.assert_allclose(fused, views["embedding"], atol=1e-5)
    assert views["attention"].shape == (2, 16, 16)
    np.testing.assert_allclose(views["attention"].mean(-1), 1, atol=1e-5)
    assert views["bands"].shape == (2, 16, 16, 3, 64)
    compressed = model.get_layer("compress_sida")(inputs["sida"])
    standard = np.asarray(model.get_layer("standardize_sida")(compressed))
    weights, bias = model.get_layer("hcma").gate.get_weights()
    gate = 1 / (1 + np.exp(-(standard @ weights + bias)))
    np.testing.assert_allclose(views["gate"], gate, atol=1e-5)


@pytest.mark.parametrize(
    ("override", "views"),
    [
        (
            "model.sida=false",
            {"logit", "map_logit", "embedding", "map", "attention", "bands"},
        ),
        (
            "model.hcma=false",
            {"logit", "map_logit", "embedding", "map", "attention", "bands"},
        ),
        (
            "model.faae=false",
            {"logit", "map_logit", "embedding", "map", "bands", "gate"},
        ),
        ("model.hcma_tokens=pooled", ALL),
        ("model.name=meso4", {"logit", "map_logit", "embedding", "map"}),
    ],
)
def test_what_a_model_lacks_is_not_shown(override, views):
    assert set(viewed(override)[2]) == views


def test_a_model_without_a_map_is_told():
    image = keras.Input((8,), name="image")
    model = keras.Model(image, keras.layers.Dense(1, name="logit")(image))
    with pytest.raises(ValueError, match="a layer of output"):
        last_map(model)
