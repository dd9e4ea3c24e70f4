"""From a face crop to the model's inputs, in tf.data and in the SavedModel."""

import numpy as np
import tensorflow as tf

from sfcl_tf import ops

MIN_SIDE = 32
"""Least side of a crop in pixels: SIDA needs 4x4 blocks."""


def tf_basis() -> np.ndarray:
    """Returns the `(8, 8)` float32 DCT basis as TensorFlow's own DCT has it."""
    with tf.init_scope():  # eager, also when called while a graph is traced
        return tf.signal.dct(tf.eye(8), norm="ortho").numpy().T


def model_inputs(
    crop,
    image_size: int,
    basis: np.ndarray,
    channels: str = "ycbcr",
    *,
    sida: bool = True,
) -> dict[str, tf.Tensor]:
    """Turns a face crop into the model's inputs.

    Args:
        crop: `(side, side, 3)` RGB in 0..255, uint8 or float, native resolution.
        image_size: Side of the model's image in pixels.
        basis: `tf_basis()`.
        channels: `data.dct_channels`: what of the crop enters SIDA.
        sida: Whether the model reads SIDA; if not, it is spared, and given as zeros.

    Returns:
        `image` `(S, S, 3)` float32 RGB in 0..255, resized bilinearly with
        anti-aliasing, and `sida` `(2304,)` float32 of the crop as it is.

    Raises:
        tf.errors.InvalidArgumentError: If the crop holds fewer than 4x4 blocks.
    """
    tf.debugging.assert_greater_equal(
        tf.reduce_min(tf.shape(crop)[:2]),
        MIN_SIDE,
        f"Expected a face crop of at least {MIN_SIDE}x{MIN_SIDE} pixels on the grid.",
    )
    pixels = tf.cast(crop, tf.float32)
    image = tf.image.resize(pixels, (image_size, image_size), antialias=True)
    image = tf.ensure_shape(image, (image_size, image_size, 3))
    if not sida:
        return {"image": image, "sida": tf.zeros((ops.SIDA_SIZE,))}
    descriptor = ops.sida(pixels, basis=basis, channels=channels)
    return {"image": image, "sida": tf.ensure_shape(descriptor, (ops.SIDA_SIZE,))}
