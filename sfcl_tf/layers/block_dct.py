import keras
from keras import ops

from sfcl_tf.layers.precision import full_precision
from sfcl_tf.ops import dct_kernel


@keras.saving.register_keras_serializable(package="sfcl_tf")
class BlockDCT(keras.layers.Layer):
    """Block-wise DCT of an RGB image, as one constant convolution.

    Colour conversion, level shift, 8x8 DCT and zigzag order are folded into one
    kernel of stride 8 on `image - 128`. Sides that are not a multiple of 8 are
    padded by reflection, evenly on both ends. Has no weights, and always computes
    in full precision.

    Args:
        channels: `"ycbcr"` (C = 3), or `"y"` for luma alone (C = 1).
        **kwargs: Passed to `keras.layers.Layer`.

    Call arguments:
        image: `(B, H, W, 3)` RGB in 0..255.

    Returns:
        `(B, ceil(H / 8), ceil(W / 8), C, 64)` coefficients: channel Y, Cb, Cr,
        then band in zigzag order.

    Raises:
        ValueError: If the input is not `(B, H, W, 3)` with known H and W, or
            `channels` is neither of the two.

    Example:
        >>> import numpy as np
        >>> tuple(BlockDCT()(np.zeros((1, 380, 380, 3))).shape[1:])
        (48, 48, 3, 64)

    Reference:
        Qiao et al., Sec. 3.2; docs/fidelity.md, points 1-6.
    """

    def __init__(self, channels: str = "ycbcr", **kwargs):
        kwargs.setdefault("dtype", full_precision())
        super().__init__(**kwargs)
        self.channels = channels
        self._kernel = dct_kernel(channels=channels)

    def build(self, input_shape):
        if len(input_shape) != 4 or input_shape[-1] != 3 or None in input_shape[1:]:
            raise ValueError(
                "Expected an input of shape (B, H, W, 3) with known H and W. "
                f"Received: {tuple(input_shape)}."
            )

    def call(self, image):
        shifted = ops.cast(image, self.compute_dtype) - 128.0
        padding = [(-side % 8) for side in image.shape[1:3]]
        if any(padding):
            ends = [(n // 2, n - n // 2) for n in padding]
            shifted = ops.pad(shifted, ((0, 0), *ends, (0, 0)), mode="reflect")
        kernel = ops.convert_to_tensor(self._kernel, dtype=self.compute_dtype)
        bands = ops.conv(
            shifted, kernel, strides=8, padding="valid", data_format="channels_last"
        )
        _, h, w, filters = bands.shape
        return ops.reshape(bands, (-1, h, w, filters // 64, 64))  # (B, h, w, C, K)

    def get_config(self):
        return {**super().get_config(), "channels": self.channels}
