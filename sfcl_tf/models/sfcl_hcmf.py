"""SFCL-HCMF: spatial and frequency branches, joined shallow and deep."""

import dataclasses
import importlib

import keras

from sfcl_tf.layers import FAAE, HCMA, SBCM, BlockDCT, CompressSIDA, Standardize
from sfcl_tf.models.parts import logit
from sfcl_tf.models.registry import BACKBONES
from sfcl_tf.models.xception_f import FrequencyBranch
from sfcl_tf.ops import SIDA_SIZE

_FLOAT32 = (
    "block_dct",  # coefficients span -1024..1024, and traces of a forgery are under 1
    "standardize_dct",
    "sbcm",  # reads them standardised, with tails that take most of the 256 steps
    "compress_sida",
    "standardize_sida",
    "gate",  # HCMA's, which reads the standardised descriptor
)
"""What 8 bits are too few for."""


def sfcl_hcmf(
    config, *, dct_channels="ycbcr", spatial_weights=None, frequency_weights=None
):
    """Builds SFCL-HCMF as a Functional model.

    Args:
        config: A `sfcl_tf.config.ModelConfig`.
        dct_channels: `"ycbcr"`, or `"y"`: the frequency branches see luma alone.
        spatial_weights: Path of the backbone's `_notop.h5`, or `None`.
        frequency_weights: Path of Keras's Xception `_notop.h5`, or `None`.

    Returns:
        A `keras.Model` from `{"image": (B, S, S, 3) RGB 0..255, "sida": (B, 2304)}`
        to one full-precision logit `(B, 1)`; sigmoid of it is P(fake).

    Reference:
        Qiao et al., Fig. 2; docs/fidelity.md, points 6-21.
    """
    size, momentum = config.image_size, config.bn_momentum
    image = keras.Input((size, size, 3), name="image")
    sida = keras.Input((SIDA_SIZE,), name="sida")

    bands = BlockDCT(dct_channels, name="block_dct")(image)  # (B, h, w, C, K)
    bands = Standardize((-2, -1), floor=0.3, name="standardize_dct")(bands)
    spectrum = _spectrum(config, bands)  # (B, h, w, 192); without SBCM C * 64
    frequency = FrequencyBranch(
        config.cnn_f_width, config.cnn_f_middle, frequency_weights, momentum
    )(spectrum)

    module = importlib.import_module(BACKBONES[config.spatial].module)
    branch = module.SpatialBranch(config.spatial, size, spatial_weights, momentum)
    shallow = branch.shallow(image)
    if config.faae:
        shallow = FAAE(config.faae_zero_gamma, momentum, name="faae")(
            [shallow, spectrum]
        )
    spatial = branch.deep(shallow)

    statistics = []
    if config.sida:
        compressed = CompressSIDA(name="compress_sida")(sida)
        statistics = [Standardize(floor=1e-3, name="standardize_sida")(compressed)]

    if config.hcma:
        fused = HCMA(
            config.hcma_dim,
            config.hcma_heads,
            config.hcma_tokens,
            momentum,
            name="hcma",
        )([spatial, frequency, *statistics])
    else:
        pool = keras.layers.GlobalAveragePooling2D
        pooled = [pool(name="pool_s")(spatial), pool(name="pool_f")(frequency)]
        fused = keras.layers.Concatenate(name="concatenate")([*pooled, *statistics])
    fused = keras.layers.Dropout(config.dropout, name="dropout")(fused)
    parts = dataclasses.replace(
        branch.parts, float32=(*_FLOAT32, *branch.parts.float32)
    )
    output = logit(parts)(fused)
    model = keras.Model({"image": image, "sida": sida}, output, name="sfcl_hcmf")
    # Layers taken out of Keras's networks still belong to those graphs too, and
    # `get_layer(...).output` would be theirs. In a clone each has one output: ours.
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    return clone


def _spectrum(config, bands):
    """Standardised coefficients to the channels that CNN-F and FAAE read."""
    if not config.sbcm:
        _, h, w, channels, count = bands.shape
        return keras.layers.Reshape((h, w, channels * count), name="flat_dct")(bands)
    strided = config.sbcm_reading == "strided"
    filters, strides = config.sbcm_filters, config.sbcm_strides
    if not strided:
        filters, strides = (*filters[:-1], 3), (1,) * len(filters)
    return SBCM(filters, config.sbcm_kernels, strides, config.bn_momentum, name="sbcm")(
        bands
    )
