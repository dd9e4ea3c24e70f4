"""A detector with an input of its own: an entry each for it and its input, no more."""

import dataclasses
import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_data import small_config, small_manifest

from sfcl_tf.engines import export_engine, load_engine
from sfcl_tf.evaluation import evaluate
from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.inputs.preprocess import INPUTS, Input, Preprocessor
from sfcl_tf.models import build_model, load_model, registry
from sfcl_tf.models.parts import Parts, logit
from sfcl_tf.serving import export_savedmodel, verify_savedmodel
from sfcl_tf.training import train

SIDE = 16


def edges_of(pixels, config):
    """Gradients of the crop's luma, `(16, 16, 2)`."""
    luma = tf.image.rgb_to_grayscale(pixels)[tf.newaxis]
    edges = tf.concat(tf.image.image_gradients(luma), axis=-1)[0]
    return tf.image.resize(edges, (SIDE, SIDE), antialias=True)


def edge_detector(config, weights=None):
    size = config.image_size
    image = keras.Input((size, size, 3), name="image")
    edges = keras.Input((SIDE, SIDE, 2), name="edges")
    maps = [
        keras.layers.Conv2D(4, 3, strides=each.shape[1] // 8, padding="same")(each)
        for each in (image, edges)
    ]
    last = keras.layers.Concatenate(name="last")(maps)
    pooled = keras.layers.GlobalAveragePooling2D()(last)
    output = logit(Parts(last_map="last"))(pooled)
    model = keras.Model({"image": image, "edges": edges}, output)
    return keras.models.clone_model(model)


@pytest.fixture
def config(monkeypatch):
    module = types.ModuleType("edge_detector")
    module.edge_detector = edge_detector
    monkeypatch.setitem(sys.modules, "edge_detector", module)
    entry = registry.Detector(
        "edge_detector", "edge_detector", inputs=("image", "edges"), weights=("none",)
    )
    monkeypatch.setitem(registry.DETECTORS, "edge_detector", entry)
    edges = Input(lambda config: (SIDE, SIDE, 2), edges_of)
    monkeypatch.setitem(INPUTS, "edges", edges)
    config = small_config("model.spatial_weights=none")
    model = dataclasses.replace(config.model, name="edge_detector")
    return dataclasses.replace(config, model=model)


def test_it_goes_from_records_to_what_is_served(config, tmp_path):
    pipeline = InputPipeline(small_manifest(tmp_path / "records"), config)
    inputs, _, _ = next(iter(pipeline.evaluation("test")))
    assert {name: x.shape[1:] for name, x in inputs.items()} == {
        "image": (32, 32, 3),
        "edges": (SIDE, SIDE, 2),
    }
    assert np.any(inputs["edges"])

    run = tmp_path / "run"
    run.mkdir()
    trained = train(config, pipeline, run, build=lambda given: build_model(given.model))
    predictions, results = evaluate(trained.predictor, pipeline, run)
    assert 0 <= results["summary"]["frame"]["auc"] <= 1
    model = load_model(run)

    crops = [crop.numpy() for crop, _, _ in pipeline.crops("test")]
    export_savedmodel(model, config, tmp_path / "model/1")
    apart = verify_savedmodel(tmp_path / "model/1", crops, predictions.logit, 16)
    assert apart < 1e-4

    export_engine(model, tmp_path / "engine", "onnx")
    preprocess = Preprocessor(config)
    batch = [preprocess.inputs(crop) for crop in crops]
    batch = {name: np.stack([each[name] for each in batch]) for name in batch[0]}
    logits = load_engine(tmp_path / "engine")(batch)
    np.testing.assert_allclose(logits, predictions.logit, atol=1e-4)
