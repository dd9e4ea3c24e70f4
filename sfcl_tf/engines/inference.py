"""Layers that give in inference what two of ours give, with less work."""

import math

import keras
import numpy as np
from keras import ops

from sfcl_tf.layers import HCMA, SBCM


def faster(layer):
    """Returns what makes the layer that stands for one in inference, or `None`.

    Returns:
        A function of the layer and the shape, or shapes, of its input.
    """
    if isinstance(layer, SBCM) and any(stride > 1 for stride in layer.strides):
        return BandProducts
    return PooledHCMA if isinstance(layer, HCMA) else None


class BandProducts(keras.layers.Layer):
    """A trained, strided `SBCM`: one 1x1 convolution a stage.

    A convolution along the bands of one block is linear in the block's coefficients:
    a matrix, into which the batch normalisation goes too. The matrices are mostly
    zeros and hold 3.5 times as many products as the convolutions, but nothing has to
    be transposed before or after, and every engine is at its best with them. Were
    all strides 1, they would be too large.

    Args:
        sbcm: The built layer.
        shape: `(B, h, w, C, K)` of its input.
    """

    def __init__(self, sbcm: SBCM, shape):
        super().__init__(name=sbcm.name)
        self._stages = []
        bands = shape[-1]
        for conv, norm in zip(sbcm.convs, sbcm.norms, strict=True):
            matrix, bias, bands = _stage(conv, norm, bands)
            self._stages.append((matrix[None, None], bias))

    def call(self, bands, training=None):
        """`(B, h, w, C, K)` to `(B, h, w, N)`, as `SBCM` but for rounding."""
        _, h, w, channels, count = bands.shape
        x = ops.reshape(bands, (-1, h, w, channels * count))
        for matrix, bias in self._stages:
            x = ops.conv(x, matrix, data_format="channels_last") + bias
            x = ops.relu(x)
        return x


def _stage(conv, norm, bands):
    """Returns a stage's matrix, bias, and number of bands it gives.

    Rows are `channel * bands + band`, columns `filter * bands + band`.
    """
    kernel = np.asarray(conv.kernel, np.float64)[:, 0, 0]  # (k, C, F)
    length, channels, filters = kernel.shape
    stride = conv.strides[0]
    given = -(-bands // stride)
    padding = max((given - 1) * stride + length - bands, 0) // 2  # "same"
    matrix = np.zeros((channels, bands, filters, given))
    for band in range(given):
        for tap in range(length):
            source = band * stride + tap - padding
            if 0 <= source < bands:
                matrix[:, source, :, band] = kernel[tap]
    scale, shift = _affine(norm)
    matrix *= scale[:, None]
    matrix = matrix.reshape(channels * bands, filters * given)
    return _single(matrix), _single(np.repeat(shift, given)), given


class PooledHCMA(keras.layers.Layer):
    """A trained `HCMA` that averages over the tokens as early as it can.

    What follows the softmax is linear, as is the residual in inference: the mean
    over the queries' tokens may be taken before both. Then only the queries are
    needed for each token, and the two matrices that make them are one.

    Args:
        hcma: The built layer.
        shapes: Shapes of its inputs.
    """

    def __init__(self, hcma: HCMA, shapes):
        super().__init__(name=hcma.name)
        self.autocast = False
        self._hcma = hcma
        query, query_bias, *others = (
            np.asarray(weight, np.float64) for weight in hcma.attention.get_weights()
        )
        self._others = [_single(weight) for weight in others]
        kernel, bias = (
            np.asarray(weight, np.float64)
            for weight in (hcma.project_spatial.kernel, hcma.project_spatial.bias)
        )
        dim, heads, width = query.shape
        query, query_bias = query.reshape(dim, -1), query_bias.reshape(-1)
        scale = 1 / math.sqrt(width)
        self._query = _single(kernel @ query * scale)
        self._query_bias = _single((bias @ query + query_bias) * scale)
        gain, shift = _affine(hcma.norm)
        residual = np.asarray(hcma.residual.kernel, np.float64)[0] * gain
        self._residual = _single(kernel @ residual)
        self._residual_bias = _single(bias @ residual + shift)
        self._heads, self._width = heads, width

    def call(self, inputs, training=None):
        """As `HCMA` but for rounding: `(B, dim)`."""
        spatial, frequency, *statistics = inputs
        spatial, frequency = self._tokens(spatial), self._tokens(frequency)
        key, key_bias, value, value_bias, output, output_bias = self._others
        frequency = self._hcma.project_frequency(frequency)  # (B, T', dim)
        query = ops.matmul(spatial, self._query) + self._query_bias
        query = self._split(query)  # (B, heads, T, width)
        keys = self._split(self._product(frequency, key) + key_bias.reshape(-1))
        values = self._split(self._product(frequency, value) + value_bias.reshape(-1))
        attended = values
        if keys.shape[2] > 1:  # else the softmax is 1
            alpha = ops.softmax(ops.matmul(query, ops.swapaxes(keys, -1, -2)))
            alpha = ops.mean(alpha, axis=2, keepdims=True)  # (B, heads, 1, T')
            attended = ops.matmul(alpha, values)
        attended = ops.reshape(attended, (-1, self._hcma.dim))
        attended = ops.matmul(attended, output.reshape(-1, self._hcma.dim))
        residual = ops.matmul(ops.mean(spatial, axis=1), self._residual)
        fused = attended + output_bias + residual + self._residual_bias
        if statistics:
            fused = fused * self._hcma.gate(statistics[0])
        return fused

    def _split(self, x):
        count = x.shape[1]
        x = ops.reshape(x, (-1, count, self._heads, self._width))
        return ops.transpose(x, (0, 2, 1, 3))

    @staticmethod
    def _product(x, kernel):
        return ops.matmul(x, kernel.reshape(kernel.shape[0], -1))

    def _tokens(self, x):
        _, height, width, channels = x.shape
        x = ops.reshape(x, (-1, height * width, channels))
        if self._hcma.tokens == "pooled":
            x = ops.mean(x, axis=1, keepdims=True)
        return x


def _affine(norm):
    """Returns what a batch normalisation multiplies by and adds in inference."""
    gamma, beta, mean, variance = (
        np.asarray(weight, np.float64)
        for weight in (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance)
    )
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return scale, beta - mean * scale


def _single(array):
    return array.astype(np.float32)
