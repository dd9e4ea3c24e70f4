"""Scale-Invariant Differential Analysis: the global spectral statistics."""

from keras import ops

from sfcl_tf.ops.block_dct import block_dct

SIDA_SIZE = 2304
"""4 statistics x 3 difference maps x 3 channels x 64 bands."""

_MIN_BLOCKS = 4
_FLAT_VARIANCE = 1e-6


def sida(image, *, basis=None, channels="ycbcr"):
    """Computes SIDA's descriptor D of a face crop at native resolution.

    On the block DCT of the crop, `(h, w, 3, 64)`, three maps of absolute
    differences are taken: `row` between horizontal neighbours `(h, w - 1)`, `col`
    between vertical ones `(h - 1, w)`, `intra` between successive zigzag
    coefficients, whose 64th is 0. Over each map's own blocks: mean, population
    standard deviation, skewness and (not excess) kurtosis; the last two are 0
    where the variance is below 1e-6.

    Args:
        image: `(..., H, W, 3)` RGB in 0..255, uint8 or float, at least 32x32.
            Remainders of 8 are dropped.
        basis: `(8, 8)` NumPy DCT basis; see `dct_kernel`.
        channels: `"ycbcr"`, or `"y"`: Cb and Cr are left out, and 0 in the result.

    Returns:
        `(..., 2304)` float32 tensor, ordered statistic, map, channel, band.

    Raises:
        ValueError: If the image is known to hold fewer than 4x4 blocks.

    Reference:
        Qiao et al., Sec. 3.2.1, Eqs. 1-8; docs/fidelity.md, points 8-11.
    """
    bands = block_dct(image, basis=basis, channels=channels)
    *lead, h, w, _, _ = ops.shape(bands)
    if any(isinstance(n, int) and n < _MIN_BLOCKS for n in (h, w)):
        raise ValueError(
            f"Expected at least {_MIN_BLOCKS}x{_MIN_BLOCKS} blocks of 8x8 pixels. "
            f"Received: {h}x{w} blocks. Use a crop of at least 32x32 pixels."
        )
    bands = ops.reshape(bands, (-1, h, w, bands.shape[-2], 64))
    row = ops.abs(bands[:, :, 1:] - bands[:, :, :-1])
    col = ops.abs(bands[:, 1:] - bands[:, :-1])
    intra = ops.abs(bands[..., 1:] - bands[..., :-1])
    row, col, intra = (_moments(x) for x in (row, col, intra))  # (N, 4, C, 63|64)
    intra = ops.pad(intra, ((0, 0), (0, 0), (0, 0), (0, 1)))
    statistics = ops.stack([row, col, intra], axis=2)  # (N, 4, map, C, band)
    absent = 3 - bands.shape[-2]
    if absent:
        statistics = ops.pad(statistics, ((0, 0),) * 3 + ((0, absent), (0, 0)))
    return ops.reshape(statistics, (*lead, SIDA_SIZE))


def _moments(x):
    """`(N, rows, columns, C, K)` to mean, std, skewness, kurtosis `(N, 4, C, K)`."""
    over_blocks = (1, 2)
    mean = ops.mean(x, axis=over_blocks, keepdims=True)
    centred = x - mean
    square = centred * centred
    variance = ops.mean(square, axis=over_blocks)
    third = ops.mean(square * centred, axis=over_blocks)
    fourth = ops.mean(square * square, axis=over_blocks)
    flat = variance < _FLAT_VARIANCE
    safe = ops.where(flat, 1.0, variance)
    skewness = ops.where(flat, 0.0, third / (safe * ops.sqrt(safe)))
    kurtosis = ops.where(flat, 0.0, fourth / (safe * safe))
    return ops.stack(
        [ops.squeeze(mean, over_blocks), ops.sqrt(variance), skewness, kurtosis], axis=1
    )
