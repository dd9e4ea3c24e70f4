import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from sfcl_tf import ops
from sfcl_tf.config import load_config
from sfcl_tf.models import build_model, load_model

RNG = np.random.default_rng(0)

# Weights whose gradient is zero by mathematics at the first step:
# - an attention's key bias adds one number to a whole softmax row, which cancels;
# - a `..._project_bn` beta reaches, along every path (the residual one too), only
#   1x1 convolutions followed by a batch normalisation, which subtracts it; FAAE's
#   own beta goes the same way.
CANCELLED = ("attention/key/bias", "_project_bn/beta", "faae/norm/beta")


def batch(config, size=2):
    side = config.model.image_size
    image = RNG.uniform(0, 255, (size, side, side, 3)).astype("float32")
    sida = np.stack([np.asarray(ops.sida(x)) for x in image])
    return {"image": image, "sida": sida}


def gradients(model, inputs):
    labels = tf.constant([[1.0], [0.0]])
    with tf.GradientTape() as tape:
        logit = model(inputs, training=True)
        loss = tf.reduce_mean(
            keras.losses.binary_crossentropy(labels, logit, from_logits=True)
        )
    weights = model.trainable_variables
    found = tape.gradient(loss, [weight.value for weight in weights])
    return {weight.path: g for weight, g in zip(weights, found, strict=True)}


def below(found):
    """Names the weights whose gradient is below 1e-6 of the model's largest."""
    for path, gradient in found.items():
        assert gradient is not None, f"{path} is not connected"
        assert np.isfinite(gradient.numpy()).all(), path
    largest = {path: float(tf.reduce_max(tf.abs(g))) for path, g in found.items()}
    bound = 1e-6 * max(largest.values())
    return {path for path, value in largest.items() if value < bound}


@pytest.mark.slow
def test_paper_preset_has_the_papers_shapes_and_gradients():
    config = load_config(preset="paper", overrides=["model.spatial_weights=none"])
    model = build_model(config)

    def output(name):
        return tuple(model.get_layer(name).output.shape[1:])

    assert output("block_dct") == (48, 48, 3, 64)  # 192 channels
    assert output("sbcm") == (48, 48, 192)
    assert output("faae") == (48, 48, 56)
    assert output("top_activation") == (12, 12, 1792)
    cnn_f = [f"cnn_f_block{n}_add" for n in (3, 4, 12, 13)]
    assert [output(name) for name in cnn_f] == [
        (24, 24, 256),
        (12, 12, 728),
        (12, 12, 728),
        (6, 6, 1024),
    ]
    assert output("cnn_f_block14_sepconv2_act") == (6, 6, 2048)
    assert output("standardize_sida") == (2304,)
    assert output("hcma") == (1024,)
    assert all(len(layer._inbound_nodes) == 1 for layer in model.layers)
    assert 45e6 < model.count_params() < 55e6

    # Stochastic depth may drop a block for both samples of so small a batch, and
    # then its weights rightly have no gradient: here every block takes part.
    for layer in model.layers:
        if layer.name.endswith("_drop"):
            layer.rate = 0.0
    inputs = batch(config)
    zero = below(gradients(model, inputs))
    behind_gamma = {w.path for w in model.get_layer("faae").trainable_variables}
    behind_gamma -= {"faae/norm/gamma"}
    assert behind_gamma <= zero  # its batch normalisation's gamma starts at 0
    rest = zero - behind_gamma
    assert all(path.endswith(CANCELLED) for path in rest), rest

    faae = model.get_layer("faae")
    faae.norm.gamma.assign(tf.ones_like(faae.norm.gamma))
    again = below(gradients(model, inputs))
    assert all(path.endswith(CANCELLED) for path in again), again
    assert not any(path.startswith("faae/") for path in again - {"faae/norm/beta"})


@pytest.mark.parametrize(
    "switches",
    [
        pytest.param(switches, marks=() if all(switches) else pytest.mark.slow)
        for switches in itertools.product([False, True], repeat=4)
    ],
    ids=str,
)
def test_every_switch_combination_steps_and_reloads(switches, tmp_path):
    names = ("sbcm", "sida", "faae", "hcma")
    overrides = [
        (f"model.{name}", on) for name, on in zip(names, switches, strict=True)
    ]
    config = load_config(preset="tiny", overrides=overrides)
    model = build_model(config)
    inputs = batch(config)
    before = np.asarray(model(inputs))
    found = gradients(model, inputs)
    on = dict(zip(names, switches, strict=True))
    assert any(path.startswith("sbcm/") for path in found) == on["sbcm"]
    assert any(path.startswith("faae/") for path in found) == on["faae"]
    assert any(path.startswith("hcma/") for path in found) == on["hcma"]
    assert any(path == "hcma/gate/kernel" for path in found) == (
        on["hcma"] and on["sida"]
    )
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.apply(list(found.values()), model.trainable_variables)
    after = np.asarray(model(inputs))
    assert np.isfinite(after).all()
    assert np.abs(after - before).max() > 0

    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(np.asarray(load_model(tmp_path)(inputs)), after)
    keras.backend.clear_session()


@pytest.mark.slow
@pytest.mark.parametrize(
    "override", ["model.sbcm_reading=bands", "model.hcma_tokens=pooled"]
)
def test_the_other_readings_build_and_step(override):
    config = load_config(preset="tiny", overrides=[override])
    model = build_model(config)
    assert tuple(model.get_layer("sbcm").output.shape[1:]) == (16, 16, 192)
    found = gradients(model, batch(config))
    assert all(np.isfinite(g.numpy()).all() for g in found.values())


@pytest.mark.slow
@pytest.mark.parametrize("sbcm", [True, False])
def test_frequency_branches_of_a_luma_model_see_no_chroma(sbcm, tmp_path):
    config = load_config(
        preset="tiny", overrides=["data.dct_channels=y", ("model.sbcm", sbcm)]
    )
    model = build_model(config)
    assert model.get_layer("block_dct").output.shape[1:] == (16, 16, 1, 64)
    assert model.get_layer("sbcm" if sbcm else "flat_dct").output.shape[-1] == (
        192 if sbcm else 64
    )
    inputs = batch(config)
    found = gradients(model, inputs)
    assert all(np.isfinite(g.numpy()).all() for g in found.values())
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path)
    assert loaded.get_layer("block_dct").channels == "y"
    np.testing.assert_array_equal(loaded(inputs), model(inputs))


def test_score_does_not_depend_on_batch_mates_and_takes_uint8():
    config = load_config(preset="tiny")
    model = build_model(config)
    inputs = batch(config, 3)
    inputs["image"] = inputs["image"].astype("uint8")
    together = np.asarray(model(inputs))
    alone = np.asarray(model({name: x[1:2] for name, x in inputs.items()}))
    assert together.shape == (3, 1)
    np.testing.assert_allclose(together[1:2], alone, atol=1e-5)


@pytest.mark.slow
def test_tiny_overfits_twenty_real_crops(face_crops):
    from helpers import model_inputs

    from sfcl_tf.evaluation import Predictor, roc_auc
    from sfcl_tf.training import fill_standardize

    config = load_config(preset="tiny")
    images, labels = face_crops
    rows = [model_inputs(image, 128) for image in images]
    inputs = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    labels = np.array(labels)
    assert len(labels) == 20

    keras.utils.set_random_seed(0)
    model = build_model(config)
    fill_standardize(model, [inputs])
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,
    )
    for _ in range(4):
        model.fit(inputs, labels[:, None], batch_size=20, epochs=25, verbose=0)
        logit = Predictor(model)(inputs)
        if roc_auc(labels, logit) == 1:
            break
    assert roc_auc(labels, logit) == 1.0
