import keras
import numpy as np
import pytest

from sfcl_tf.engines.inference import BandProducts, PooledHCMA, faster
from sfcl_tf.layers import HCMA, SBCM


def trained(layer, inputs):
    """Builds a layer and gives every weight a value of its own."""
    layer(inputs)
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        positive = "variance" in weight.path
        weight.assign(
            rng.uniform(0.5, 1.5, weight.shape)
            if positive
            else rng.normal(0, 0.3, weight.shape)
        )
    return layer


@pytest.mark.parametrize(
    ("channels", "filters", "kernels", "strides"),
    [
        (3, (16, 32, 64), (7, 5, 3), (4, 3, 2)),
        (1, (4, 5), (3, 2), (2, 5)),
        (2, (3,), (1,), (7,)),
    ],
)
def test_products_of_matrices_give_what_sbcm_does(channels, filters, kernels, strides):
    bands = np.random.default_rng(0).normal(size=(2, 3, 4, channels, 64))
    bands = bands.astype("float32")
    sbcm = trained(SBCM(filters, kernels, strides), bands)
    found = BandProducts(sbcm, bands.shape)(bands)
    np.testing.assert_allclose(found, sbcm(bands), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("side", [3, 1])
@pytest.mark.parametrize("tokens", ["spatial", "pooled"])
def test_averaging_early_gives_what_hcma_does(gated, side, tokens):
    rng = np.random.default_rng(0)
    shapes = [(2, 4, 4, 24), (2, side, side, 20), (2, 7)][: 2 + gated]
    inputs = [rng.normal(size=shape).astype("float32") for shape in shapes]
    hcma = trained(HCMA(16, 4, tokens), inputs)
    found = PooledHCMA(hcma, shapes)(inputs)
    np.testing.assert_allclose(found, hcma(inputs), rtol=1e-5, atol=1e-5)


def test_only_what_gains_is_replaced():
    assert faster(SBCM()) is BandProducts
    assert faster(SBCM((16, 32, 3), (7, 5, 3), (1, 1, 1))) is None
    assert faster(HCMA(16, 4)) is PooledHCMA
    assert faster(keras.layers.Dense(1)) is None
