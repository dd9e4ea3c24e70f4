"""The one helper that checks every layer the same way."""

import keras
import numpy as np
import tensorflow as tf


def check_layer(layer, inputs, folder, without_gradient=()):
    """Checks config, shapes, gradients, precision, and both ways of saving.

    Args:
        layer: A fresh layer.
        inputs: An array, or a list of arrays.
        folder: For the files saved.
        without_gradient: Endings of weight paths whose gradient is zero by
            mathematics; the test that names them gives the reason.
    """
    many = isinstance(inputs, list)
    specs = [keras.Input(x.shape[1:]) for x in (inputs if many else [inputs])]
    symbolic = layer(specs if many else specs[0])
    output = layer(inputs)
    assert tuple(symbolic.shape[1:]) == tuple(output.shape[1:])
    assert symbolic.dtype == output.dtype
    assert np.isfinite(np.asarray(output)).all()

    twin = type(layer).from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()

    _check_gradients(layer, inputs, without_gradient)
    model = keras.Model(specs, symbolic)
    _check_saving(model, inputs, folder)
    _check_half_precision(layer, inputs, output)


def _check_gradients(layer, inputs, without_gradient):
    weights = layer.trainable_variables
    if not weights:
        return
    with tf.GradientTape() as tape:
        output = layer(inputs, training=True)
        pull = np.random.default_rng(1).normal(size=output.shape)
        loss = tf.reduce_sum(output * tf.cast(pull, output.dtype))
    gradients = tape.gradient(loss, [weight.value for weight in weights])
    largest = {}
    for weight, gradient in zip(weights, gradients, strict=True):
        assert gradient is not None, f"{weight.path} is not connected"
        assert np.isfinite(gradient.numpy()).all(), weight.path
        largest[weight.path] = float(tf.reduce_max(tf.abs(gradient)))
    zero = {p for p, value in largest.items() if value < 1e-6 * max(largest.values())}
    expected = {p for p in largest if any(part in p for part in without_gradient)}
    assert zero == expected, largest


def _check_saving(model, inputs, folder):
    feed = inputs if isinstance(inputs, list) else [inputs]
    expected = np.asarray(model(feed))
    path = folder / "layer.keras"
    model.save(path)
    loaded = keras.saving.load_model(path, compile=False, safe_mode=True)
    np.testing.assert_array_equal(np.asarray(loaded(feed)), expected)

    archive = keras.export.ExportArchive()
    archive.track(model)
    signature = [tf.TensorSpec((None, *x.shape[1:]), x.dtype) for x in feed]
    archive.add_endpoint("serve", lambda *x: model(list(x)), input_signature=signature)
    archive.write_out(str(folder / "saved"), verbose=False)
    saved = tf.saved_model.load(str(folder / "saved"))  # owns the variables
    served = saved.serve(*feed)
    np.testing.assert_allclose(served, expected, rtol=1e-5, atol=1e-5)


def _check_half_precision(layer, inputs, output):
    config = layer.get_config()
    if config["dtype"]["config"]["name"] == "float32" and not layer.weights:
        return
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        config = {k: v for k, v in config.items() if k != "dtype"}
        half = type(layer)(**config)
        found = half(inputs)
        assert found.shape == output.shape
        assert np.isfinite(np.asarray(found, "float32")).all()
        for weight in half.trainable_variables:
            assert weight.dtype == "float32", weight.path
    finally:
        keras.config.set_dtype_policy("float32")
