"""The 8x8 DCT-II in closed form, and the kernel that folds colour into it."""

import numpy as np

from sfcl_tf.ops.color import YCBCR_FROM_RGB
from sfcl_tf.ops.zigzag import ZIGZAG

CHANNELS = {"ycbcr": 3, "y": 1}
"""How many channels are transformed, by name: all three, or luma alone."""


def dct_basis() -> np.ndarray:
    """Returns the orthonormal DCT-II basis of length 8.

    Returns:
        `(8, 8)` float64, `basis[k, n] = c_k cos(pi (2n + 1) k / 16)` with
        `c_0 = sqrt(1/8)` and `c_k = sqrt(2/8)` otherwise; rows are frequencies.
    """
    k, n = np.ogrid[:8, :8]
    basis = np.cos(np.pi * (2 * n + 1) * k / 16) * np.sqrt(2 / 8)
    basis[0] /= np.sqrt(2)
    return basis


def dct_kernel(basis: np.ndarray | None = None, channels: str = "ycbcr") -> np.ndarray:
    """Returns colour conversion, 8x8 DCT and zigzag as one linear map.

    Args:
        basis: `(8, 8)` DCT-II basis, rows are frequencies. Defaults to the
            closed form, `dct_basis()`.
        channels: `"ycbcr"`, or `"y"` for luma alone.

    Returns:
        `(8, 8, 3, C * 64)` float32: rows, columns and RGB of a block (less 128) to
        the coefficients, channel-major: Y's 64 in zigzag order, then Cb's, Cr's.

    Raises:
        ValueError: If `basis` is not `(8, 8)` or `channels` is neither of the two.
    """
    if channels not in CHANNELS:
        raise ValueError(
            f"Expected `channels` of {', '.join(CHANNELS)}. Received: {channels!r}."
        )
    basis = dct_basis() if basis is None else np.asarray(basis, "float64")
    if basis.shape != (8, 8):
        raise ValueError(f"Expected a basis of shape (8, 8). Received: {basis.shape}.")
    plane = np.einsum("um,vn->mnuv", basis, basis).reshape(8, 8, 64)[..., ZIGZAG]
    rows = YCBCR_FROM_RGB[: CHANNELS[channels]]
    kernel = np.einsum("mnk,cr->mnrck", plane, rows)
    return kernel.reshape(8, 8, 3, len(rows) * 64).astype("float32")
