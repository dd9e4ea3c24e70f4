"""Block-wise DCT of an RGB image."""

from keras import ops

from sfcl_tf.ops.dct_basis import dct_kernel


def block_dct(image, *, basis=None, channels="ycbcr"):
    """Computes the 8x8 block DCT of an RGB image in YCbCr, or of its luma.

    Each block is level-shifted by 128, converted to YCbCr at full chroma
    resolution, transformed by the orthonormal DCT-II (JPEG's scaling) and read
    in zigzag order. 128 is taken off R, G and B, which equals taking it off Y,
    Cb and Cr and rounds less.

    Args:
        image: `(..., H, W, 3)` RGB in 0..255, uint8 or float. Rows and columns
            beyond the last multiple of 8 are dropped.
        basis: `(8, 8)` NumPy DCT basis; see `dct_kernel`.
        channels: `"ycbcr"` (C = 3), or `"y"` for luma alone (C = 1).

    Returns:
        `(..., H // 8, W // 8, C, 64)` float32 tensor.

    Raises:
        ValueError: If the last axis is not 3, the image is known to be smaller than
            one block, or `channels` is neither of the two.

    Example:
        >>> import numpy as np
        >>> tuple(block_dct(np.zeros((20, 16, 3), "uint8")).shape[:2])
        (2, 2)

    Reference:
        Qiao et al., Sec. 3.2; docs/fidelity.md, points 1-5.
    """
    if len(image.shape) < 3 or image.shape[-1] != 3:
        raise ValueError(
            "Expected an RGB image of shape (..., H, W, 3). "
            f"Received: shape={tuple(image.shape)}."
        )
    *lead, height, width, _ = ops.shape(image)
    if any(isinstance(n, int) and n < 8 for n in (height, width)):
        raise ValueError(
            "Expected an image of at least one 8x8 block. "
            f"Received: {height}x{width} pixels."
        )
    h, w = height // 8, width // 8
    centred = ops.cast(image[..., : h * 8, : w * 8, :], "float32") - 128.0
    blocks = ops.reshape(centred, (-1, h, 8, w, 24))
    blocks = ops.transpose(blocks, (0, 1, 3, 2, 4))  # (N, h, w, 8, 8 * 3)
    kernel = dct_kernel(basis, channels).reshape(192, -1)
    bands = ops.matmul(ops.reshape(blocks, (-1, 192)), kernel)
    return ops.reshape(bands, (*lead, h, w, kernel.shape[1] // 64, 64))
