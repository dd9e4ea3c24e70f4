import keras
import numpy as np
import pytest
import tensorflow as tf
from check_layer import check_layer

from sfcl_tf import ops
from sfcl_tf.layers import (
    FAAE,
    HCMA,
    SBCM,
    BlockDCT,
    CompressSIDA,
    Logit,
    Standardize,
)
from sfcl_tf.models.efficientnet import ImageNetScale


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, shape).astype("float32")


# Gradients that are zero by mathematics, not by mistake: a bias of the attention's
# keys adds one number to a whole softmax row.
KEY_BIAS = ("attention/key/bias",)

CASES = {
    "block_dct": (BlockDCT(), pixels(2, 20, 24, 3), ()),
    "block_dct_luma": (BlockDCT("y"), pixels(2, 20, 24, 3), ()),
    "standardize": (Standardize((-2, -1)), normal(2, 3, 4, 3, 64), ()),
    "compress_sida": (CompressSIDA(), pixels(2, 2304), ()),
    "imagenet_scale": (ImageNetScale(), pixels(2, 8, 8, 3), ()),
    "sbcm": (SBCM(), normal(2, 4, 5, 3, 64), ()),
    "sbcm_bands": (
        SBCM(filters=(4, 4, 3), strides=(1, 1, 1)),
        normal(2, 4, 5, 3, 64),
        (),
    ),
    "faae": (FAAE(zero_gamma=False), [normal(2, 6, 6, 5), normal(2, 6, 6, 7)], ()),
    "hcma": (
        HCMA(dim=16, heads=4),
        [normal(3, 4, 4, 6), normal(3, 2, 2, 5), normal(3, 9)],
        KEY_BIAS,
    ),
    "hcma_ungated": (
        HCMA(dim=16, heads=4),
        [normal(3, 4, 4, 6), normal(3, 2, 2, 5)],
        KEY_BIAS,
    ),
    # One key: the softmax has one entry, so queries and keys never learn; and what
    # is left of S', the residual, takes its bias to a batch normalisation.
    "hcma_pooled": (
        HCMA(dim=16, heads=4, tokens="pooled"),
        [normal(5, 4, 4, 6), normal(5, 2, 2, 5), normal(5, 9)],
        ("attention/key", "attention/query", "project_spatial/bias"),
    ),
    "logit": (Logit({"last_map": "a", "backbone": ["b", "c"]}), normal(3, 9), ()),
}


@pytest.mark.parametrize("name", CASES)
def test_layer_keeps_the_contract(name, tmp_path):
    layer, inputs, without_gradient = CASES[name]
    check_layer(layer, inputs, tmp_path, without_gradient)


@pytest.mark.parametrize(("height", "width"), [(64, 72), (380, 380), (20, 24)])
def test_block_dct_is_the_op_on_the_padded_image(height, width):
    image = pixels(1, height, width, 3)
    ends = [(0, 0), *((-n % 8 // 2, -n % 8 - -n % 8 // 2) for n in (height, width))]
    padded = np.pad(image, (*ends, (0, 0)), mode="reflect")
    found = np.asarray(BlockDCT()(image))
    np.testing.assert_allclose(found, np.asarray(ops.block_dct(padded)), atol=2e-3)


def test_block_dct_takes_uint8():
    image = pixels(1, 16, 16, 3).astype("uint8")
    expected = np.asarray(ops.block_dct(image))
    np.testing.assert_allclose(np.asarray(BlockDCT()(image)), expected, atol=2e-3)


def test_block_dct_of_luma_is_the_first_channel():
    image = pixels(1, 20, 24, 3)
    luma, bands = (np.asarray(BlockDCT(c)(image)) for c in ("y", "ycbcr"))
    assert luma.shape == (1, 3, 3, 1, 64)
    np.testing.assert_allclose(luma, bands[:, :, :, :1], atol=2e-3)


def test_standardize_uses_stored_statistics_and_floor():
    layer = Standardize(floor=0.5)
    layer.build((None, 3))
    layer.set_statistics([1.0, 2.0, 3.0], [2.0, 0.1, 1.0])
    found = np.asarray(layer(np.array([[3.0, 3.0, 3.0]])))
    np.testing.assert_allclose(found, [[1.0, 2.0, 0.0]])


def test_compress_sida_takes_the_logarithm_of_means_and_deviations_only():
    sida = pixels(2, 2304)
    found = np.asarray(CompressSIDA()(sida)).reshape(2, 4, -1)
    given = sida.reshape(2, 4, -1)
    np.testing.assert_allclose(found[:, :2], np.log1p(given[:, :2]), rtol=1e-6)
    np.testing.assert_array_equal(found[:, 2:], given[:, 2:])


def test_sbcm_shapes_and_flat_order():
    layer = SBCM()
    found = layer(normal(2, 6, 6, 3, 64))
    assert found.shape == (2, 6, 6, 192)
    shapes = [conv.kernel.shape for conv in layer.convs]
    assert shapes == [(7, 1, 1, 3, 16), (5, 1, 1, 16, 32), (3, 1, 1, 32, 64)]
    bands = SBCM(filters=(4, 4, 3), strides=(1, 1, 1))(normal(2, 6, 6, 3, 64))
    assert bands.shape == (2, 6, 6, 192)


@pytest.mark.parametrize("band_major", [False, True])
def test_sbcm_flattens_as_documented(band_major):
    strides = (1, 1, 1) if band_major else (4, 3, 2)
    layer = SBCM(filters=(4, 4, 3), strides=strides)
    bands = normal(1, 2, 2, 3, 64)
    found = np.asarray(layer(bands))
    x = np.transpose(bands, (0, 4, 1, 2, 3))
    for conv, norm in zip(layer.convs, layer.norms, strict=True):
        x = np.maximum(norm(conv(x)), 0)  # (1, bands, 2, 2, filters)
    kept, filters = x.shape[1], x.shape[-1]
    for band in range(kept):
        for number in range(filters):
            index = band * filters + number if band_major else number * kept + band
            np.testing.assert_allclose(
                found[..., index], x[:, band, :, :, number], atol=1e-5
            )


def test_sbcm_does_not_mix_blocks():
    layer, bands = SBCM(), normal(1, 4, 4, 3, 64)
    other = bands.copy()
    other[0, 1, 2] += 1
    changed = np.abs(np.asarray(layer(bands)) - np.asarray(layer(other))).max(-1)[0]
    assert np.argwhere(changed > 0).tolist() == [[1, 2]]


def numpy_faae(layer, spatial, frequency):
    """Eqs. 10-13 with loops over samples and channels."""

    def conv(part, x):
        kernel = np.asarray(part.kernel)[0, 0]
        bias = np.asarray(part.bias) if part.use_bias else 0
        return x @ kernel + bias  # (B, H, W, C)

    q_f, q_s = (
        conv(layer.query_frequency, frequency),
        conv(layer.query_spatial, spatial),
    )
    k_f, k_s = conv(layer.key_frequency, frequency), conv(layer.key_spatial, spatial)
    batch, height, _, channels = spatial.shape
    alpha = np.zeros((batch, channels, height, height))
    for b in range(batch):
        for c in range(channels):
            query = np.concatenate([q_f[b, ..., c], q_s[b, ..., c]], 1)  # H x 2W
            key = np.concatenate([k_f[b, ..., c].T, k_s[b, ..., c].T], 0)  # 2W x H
            logits = query @ key / np.sqrt(2 * height)
            weights = np.exp(logits - logits.max(1, keepdims=True))
            alpha[b, c] = weights / weights.sum(1, keepdims=True)
    gate = 1 / (1 + np.exp(-float(layer.gamma_s)))
    product = alpha.transpose(0, 2, 3, 1) * conv(layer.value, frequency) * gate
    return alpha, conv(layer.project, product)


def test_faae_is_the_equations():
    layer = FAAE(zero_gamma=False)
    spatial, frequency = normal(2, 48, 48, 56), normal(2, 48, 48, 192, seed=1)
    found = np.asarray(layer([spatial, frequency]))
    layer.gamma_s.assign(0.7)
    found = np.asarray(layer([spatial, frequency]))
    alpha, enhanced = numpy_faae(layer, spatial, frequency)
    mine = np.asarray(layer.attention(spatial, frequency))
    assert mine.shape == (2, 56, 48, 48)
    np.testing.assert_allclose(mine, alpha, atol=1e-5)
    np.testing.assert_allclose(mine.sum(-1), 1, atol=1e-5)
    expected = spatial + enhanced / np.sqrt(1 + 1e-3)  # fresh moving statistics
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_faae_starts_as_the_identity():
    spatial, frequency = normal(2, 6, 6, 5), normal(2, 6, 6, 7)
    np.testing.assert_array_equal(np.asarray(FAAE()([spatial, frequency])), spatial)


def test_faae_refuses_maps_of_two_sizes():
    with pytest.raises(ValueError, match="square spatial and frequency maps"):
        FAAE()([normal(1, 6, 6, 4), normal(1, 5, 5, 4)])


def test_hcma_score_does_not_depend_on_batch_mates():
    layer = HCMA(dim=16, heads=4)
    inputs = [normal(4, 4, 4, 6), normal(4, 2, 2, 5), normal(4, 9)]
    together = np.asarray(layer(inputs))
    alone = np.concatenate(
        [np.asarray(layer([x[i : i + 1] for x in inputs])) for i in range(4)]
    )
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_hcma_pooled_attention_is_the_value():
    layer = HCMA(dim=16, heads=4, tokens="pooled")
    spatial, frequency = normal(2, 4, 4, 6), normal(2, 2, 2, 5)
    found = np.asarray(layer([spatial, frequency]))
    s = layer.project_spatial(spatial.mean((1, 2))[:, None])
    f = layer.project_frequency(frequency.mean((1, 2))[:, None])
    value = layer.attention._value_dense(f)  # (B, 1, heads, 4)
    attended = layer.attention._output_dense(value)
    expected = attended + layer.norm(layer.residual(s))
    np.testing.assert_allclose(found, np.asarray(expected)[:, 0], atol=1e-5)


def test_hcma_gate_scales_the_embedding():
    layer = HCMA(dim=16, heads=4)
    inputs = [normal(2, 4, 4, 6), normal(2, 2, 2, 5), normal(2, 9)]
    gated = np.asarray(layer(inputs))
    open_gate = np.asarray(layer([*inputs[:2], np.zeros((2, 9), "float32")]))
    gate = np.asarray(layer.gate(inputs[2]))
    np.testing.assert_allclose(gated, open_gate / 0.5 * gate, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Standardize(floor=0), "Expected `floor` above 0"),
        (lambda: SBCM(filters=(1, 2)), "of one length"),
        (lambda: HCMA(tokens="words"), "Expected `tokens`"),
        (lambda: HCMA(dim=10, heads=4), "`heads` to divide `dim`"),
        (lambda: BlockDCT().build((None, None, 8, 3)), "known H and W"),
        (lambda: BlockDCT("rgb"), "Expected `channels` of ycbcr, y"),
        (lambda: CompressSIDA().build((None, 9)), r"Expected \(B, 2304\)"),
        (lambda: SBCM().build((None, 4, 4, 3)), r"Expected \(B, h, w, C, K\)"),
        (lambda: Standardize().build((3, None)), "known sizes"),
        (lambda: Logit(units=2), "Expected `units` of 1"),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_half_precision_leaves_the_gates_input_whole():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = HCMA(dim=16, heads=4)
        maps = [tf.ones((1, 4, 4, 6), "bfloat16"), tf.ones((1, 2, 2, 5), "bfloat16")]
        statistics = np.full((1, 9), 1.001, "float32")  # 1 in bfloat16
        fused = layer([*maps, statistics])
        assert fused.dtype == "bfloat16"
        layer.gate.kernel.assign(1000 * np.ones((9, 16)))
        layer.gate.bias.assign(-9000 * np.ones(16))  # open at 1.001, half at 1
        opened = np.asarray(layer([*maps, statistics]), "float32")
        layer.gate.bias.assign(np.full(16, 100.0))
        widest = np.asarray(layer([*maps, statistics]), "float32")
        np.testing.assert_allclose(opened, widest, rtol=0.02)
    finally:
        keras.config.set_dtype_policy("float32")


def test_half_precision_leaves_the_spectrum_whole():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = BlockDCT()
        image = pixels(1, 16, 16, 3)
        found = layer(image)
        assert found.dtype == "float32"
        np.testing.assert_allclose(found, np.asarray(ops.block_dct(image)), atol=2e-3)
        faae = FAAE()
        faae.build([(None, 6, 6, 5), (None, 6, 6, 7)])
        alpha = faae.attention(tf.ones((1, 6, 6, 5)), tf.ones((1, 6, 6, 7)))
        assert alpha.dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")
