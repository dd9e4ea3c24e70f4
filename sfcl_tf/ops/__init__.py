"""The spectral core: pure functions on NumPy arrays and Keras tensors."""

from sfcl_tf.ops.block_dct import block_dct
from sfcl_tf.ops.color import YCBCR_FROM_RGB, rgb_to_ycbcr
from sfcl_tf.ops.dct_basis import CHANNELS, dct_basis, dct_kernel
from sfcl_tf.ops.sida import SIDA_SIZE, sida
from sfcl_tf.ops.zigzag import ZIGZAG

__all__ = [
    "CHANNELS",
    "SIDA_SIZE",
    "YCBCR_FROM_RGB",
    "ZIGZAG",
    "block_dct",
    "dct_basis",
    "dct_kernel",
    "rgb_to_ycbcr",
    "sida",
]
