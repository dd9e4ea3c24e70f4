"""One function an op of the augmentation.

All but the first two take and give a `(side, side, 3)` uint8 RGB crop at native
resolution, eagerly and inside `tf.data.map`, where the side is not known. They are
deterministic; those that draw take a `(2,)` integer seed.
"""

import tensorflow as tf

from sfcl_tf.faces.region import GRID
from sfcl_tf.inputs.preprocess import MIN_SIDE
from sfcl_tf.ops import YCBCR_FROM_RGB

BLOCK = 8
"""Side of a grey block in pixels."""

# What preparation asks of a face: snapping takes up to 7 pixels off at each end.
_MIN_FACE = MIN_SIDE + 2 * (GRID - 1)

_LUMA = YCBCR_FROM_RGB[:1].T.astype("float32")
_CHROMA = YCBCR_FROM_RGB[1:].T.astype("float32")
# Rows give R, G, B from Cb and Cr; G's follow from luma staying as it is.
_RGB_FROM_CHROMA = [
    [0.0, -0.114 * 1.772 / 0.587, 1.772],
    [1.402, -0.299 * 1.402 / 0.587, 0.0],
]


def shift_box(box, shift):
    """Moves a face box `(4,)` by `shift` `(2,)`, x and y in its longer sides."""
    box = tf.cast(box, tf.float32)
    move = shift * tf.reduce_max(box[2:] - box[:2])
    return box + tf.concat([move, move], 0)


def scale_box(box, factor):
    """Scales a face box `(4,)` about its centre.

    It is made no smaller than preparation lets a face be, so that SIDA has its 4x4
    blocks.
    """
    box = tf.cast(box, tf.float32)
    centre, half = (box[2:] + box[:2]) / 2, (box[2:] - box[:2]) / 2
    least = tf.minimum(_MIN_FACE / (2 * tf.reduce_max(half)), 1.0)
    half *= tf.maximum(factor, least)
    return tf.concat([centre - half, centre + half], 0)


def flip(crop):
    """Mirrors left to right; on a side that is a multiple of 8 the grid stays."""
    return tf.reverse(crop, [1])  # 16 times as fast as crop[:, ::-1]


def brightness(crop, shift):
    """Adds `shift` grey levels."""
    return _to_uint8(tf.cast(crop, tf.float32) + shift)


def contrast(crop, factor):
    """Scales differences from the crop's mean luma."""
    pixels = tf.cast(crop, tf.float32)
    mean = tf.reduce_mean(tf.matmul(pixels, _LUMA))
    return _to_uint8(mean + factor * (pixels - mean))


def saturation(crop, factor):
    """Scales differences from each pixel's luma; 0 is grey."""
    mix = factor * tf.eye(3) + (1 - factor) * tf.tile(_LUMA, (1, 3))  # (3, 3)
    return _to_uint8(tf.matmul(tf.cast(crop, tf.float32), mix))


def blur(crop, sigma):
    """Convolves with a Gaussian of `sigma` pixels, mirrored at the border."""
    reach = tf.cast(tf.math.ceil(3 * sigma), tf.int32)
    x = tf.cast(tf.range(-reach, reach + 1), tf.float32)
    taps = tf.nn.softmax(-tf.square(x / sigma) / 2)
    taps = tf.tile(taps[:, None, None, None], (1, 1, 3, 1))  # (2 reach + 1, 1, 3, 1)
    ends = [reach, reach]
    pixels = tf.pad(tf.cast(crop, tf.float32), [ends, ends, [0, 0]], "REFLECT")[None]
    pixels = tf.nn.depthwise_conv2d(pixels, taps, (1, 1, 1, 1), "VALID")
    taps = tf.transpose(taps, (1, 0, 2, 3))
    return _to_uint8(tf.nn.depthwise_conv2d(pixels, taps, (1, 1, 1, 1), "VALID")[0])


def noise(crop, sigma, seed):
    """Adds Gaussian noise of `sigma` grey levels to every value."""
    drawn = tf.random.stateless_normal(tf.shape(crop), seed, stddev=sigma)
    return _to_uint8(tf.cast(crop, tf.float32) + drawn)


def grey_block(crop, count, seed):
    """Covers `count` squares of 8x8 pixels, anywhere, with mid-grey.

    Reference:
        Jiang et al., 2020 (DeeperForensics-1.0), "local block-wise distortion".
    """
    side = tf.shape(crop)[0]
    start = tf.random.stateless_uniform((2, count), seed, 0, side - BLOCK + 1, tf.int32)
    offset = tf.range(side)[:, None] - start[:, None]  # (2, side, count)
    inside = tf.cast((offset >= 0) & (offset < BLOCK), tf.float32)
    covered = tf.matmul(inside[0], inside[1], transpose_b=True) > 0
    return tf.where(covered[..., None], tf.constant(128, tf.uint8), crop)


def resize(crop, factor):
    """Resizes to `factor` of the side (bilinear, anti-aliased) and back (bicubic)."""
    side = tf.shape(crop)[0]
    small = tf.cast(tf.round(tf.cast(side, tf.float32) * factor), tf.int32)
    pixels = tf.image.resize(crop, [small, small], antialias=True)
    return _to_uint8(tf.image.resize(pixels, [side, side], "bicubic"))


def chroma_420(crop):
    """Halves the resolution of Cb and Cr, by means of 2x2, and interpolates them."""
    side = tf.shape(crop)[0]
    pixels = tf.cast(crop, tf.float32)
    chroma = tf.matmul(pixels, _CHROMA)[None]  # (1, side, side, 2)
    halved = tf.nn.avg_pool2d(chroma, 2, 2, "SAME")  # an odd side's last by itself
    twice = 2 * tf.shape(halved)[1]
    restored = tf.image.resize(halved, [twice, twice])[:, :side, :side]
    return _to_uint8(pixels + tf.matmul(restored - chroma, _RGB_FROM_CHROMA)[0])


def jpeg(crop, quality):
    """Encodes as JPEG (4:2:0) of a quality of 1..100, and decodes."""
    # Named, since the default differs from system to system.
    return tf.image.adjust_jpeg_quality(crop, quality, dct_method="INTEGER_ACCURATE")


def _to_uint8(pixels):
    return tf.saturate_cast(tf.round(pixels), tf.uint8)
