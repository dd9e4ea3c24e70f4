import keras
from keras import ops

from sfcl_tf.layers.precision import full_precision
from sfcl_tf.ops import SIDA_SIZE


@keras.saving.register_keras_serializable(package="sfcl_tf")
class CompressSIDA(keras.layers.Layer):
    """Takes log(1 + x) of SIDA's means and standard deviations.

    Those range over 0..570 while skewness and kurtosis stay near 10; without this
    the gate's sigmoid is saturated from the first step. Always computes in full
    precision.

    Args:
        **kwargs: Passed to `keras.layers.Layer`.

    Call arguments:
        sida: `(B, 2304)` descriptor as `sfcl_tf.ops.sida` gives it.

    Returns:
        `(B, 2304)` tensor in the same order.

    Raises:
        ValueError: If the last axis is not 2304.

    Reference:
        docs/fidelity.md, point 12.
    """

    def __init__(self, **kwargs):
        kwargs.setdefault("dtype", full_precision())
        super().__init__(**kwargs)

    def build(self, input_shape):
        if input_shape[-1] != SIDA_SIZE:
            raise ValueError(
                f"Expected (B, {SIDA_SIZE}). Received: {tuple(input_shape)}."
            )

    def call(self, sida):
        half = SIDA_SIZE // 2
        return ops.concatenate([ops.log1p(sida[:, :half]), sida[:, half:]], axis=-1)
