import math

import keras
from keras import ops

from sfcl_tf.layers.precision import full_precision


@keras.saving.register_keras_serializable(package="sfcl_tf")
class FAAE(keras.layers.Layer):
    """Frequency-Aware Attention Enhancement of a shallow spatial map.

    1x1 convolutions bring both maps to the spatial map's channels. Then, for each
    sample and channel, with H x W matrices,

        M_query = [q_F | q_S]  (H x 2W),   M_key = [k_F^T ; k_S^T]  (2W x H),
        alpha = softmax(M_query M_key / sqrt(2H))  (H x H),
        Y_S = X_S + BN(Conv_S(alpha * Conv_F(X_f) * sigmoid(gamma_S))).

    The maps are square, so that alpha and Conv_F(X_f) multiply element by
    element. The softmax is always taken in full precision.

    Args:
        zero_gamma: Whether the batch normalisation's gamma starts at 0, so that a
            pretrained backbone starts undisturbed.
        momentum: Momentum of the batch normalisation.
        **kwargs: Passed to `keras.layers.Layer`.

    Call arguments:
        inputs: `[spatial, frequency]`: `(B, H, H, C)` and `(B, H, H, N)`.
        training: Whether batch statistics are used.

    Returns:
        `(B, H, H, C)` enhanced spatial map.

    Raises:
        ValueError: If the maps are not square or differ in size.

    Reference:
        Qiao et al., Sec. 3.3.1, Eqs. 10-13; docs/fidelity.md, points 16-17.
    """

    def __init__(self, zero_gamma: bool = True, momentum: float = 0.99, **kwargs):
        super().__init__(**kwargs)
        self.zero_gamma = zero_gamma
        self.momentum = momentum

    def build(self, input_shape):
        spatial, frequency = input_shape
        sides = {*spatial[1:3], *frequency[1:3]}
        if len(sides) != 1:
            raise ValueError(
                "Expected square spatial and frequency maps of one size. "
                f"Received: {tuple(spatial)} and {tuple(frequency)}."
            )
        channels = spatial[-1]

        def conv(name, shape, use_bias=True):
            layer = keras.layers.Conv2D(
                channels,
                1,
                use_bias=use_bias,
                data_format="channels_last",
                dtype=self.dtype_policy,
                name=name,
            )
            layer.build(shape)
            return layer

        self.query_frequency = conv("query_frequency", frequency)
        self.query_spatial = conv("query_spatial", spatial)
        # No bias where it would cancel: a key bias adds one number to a whole
        # softmax row, and the batch normalisation subtracts the projection's.
        self.key_frequency = conv("key_frequency", frequency, use_bias=False)
        self.key_spatial = conv("key_spatial", spatial, use_bias=False)
        self.value = conv("value", frequency)
        self.project = conv("project", spatial, use_bias=False)
        self.norm = keras.layers.BatchNormalization(
            momentum=self.momentum,
            gamma_initializer="zeros" if self.zero_gamma else "ones",
            dtype=self.dtype_policy,
            name="norm",
        )
        self.norm.build(spatial)
        self.gamma_s = self.add_weight(name="gamma_s", shape=(), initializer="zeros")

    def attention(self, spatial, frequency):
        """Returns alpha, `(B, C, H, H)` in full precision; its rows sum to 1."""

        def channel_first(x):
            x = ops.cast(x, full_precision())
            return ops.transpose(x, (0, 3, 1, 2))

        query = ops.concatenate(
            [
                channel_first(self.query_frequency(frequency)),
                channel_first(self.query_spatial(spatial)),
            ],
            axis=-1,
        )  # (B, C, H, 2W)
        key = ops.concatenate(
            [
                channel_first(self.key_frequency(frequency)),
                channel_first(self.key_spatial(spatial)),
            ],
            axis=-1,
        )
        logits = ops.matmul(query, ops.swapaxes(key, -1, -2))  # (B, C, H, H)
        return ops.softmax(logits / math.sqrt(2 * spatial.shape[1]), axis=-1)

    def call(self, inputs, training=None):
        spatial, frequency = inputs
        alpha = self.attention(spatial, frequency)
        alpha = ops.cast(ops.transpose(alpha, (0, 2, 3, 1)), self.compute_dtype)
        gate = ops.cast(ops.sigmoid(self.gamma_s), self.compute_dtype)
        enhanced = self.project(alpha * self.value(frequency) * gate)
        return spatial + self.norm(enhanced, training=training)

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        return {
            **super().get_config(),
            "zero_gamma": self.zero_gamma,
            "momentum": self.momentum,
        }
