"""Encoded images to pixels in the graph, with sizes known before they are decoded."""

import tensorflow as tf

from sfcl_tf.media.container import MAX_SCANS

MAX_PIXELS = 4096 * 4096
"""Most pixels of an image that is decoded."""

NOT_AN_IMAGE = "Expected a JPEG or PNG image."
TOO_LARGE = f"Expected an image of at most {MAX_PIXELS} pixels."
TOO_MANY_SCANS = f"Expected a JPEG of at most {MAX_SCANS} scans."
DAMAGED = "Expected an image that decodes as a whole."

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_SCAN = b"\xff\xda"  # begins each scan; in its data no \xff is followed by that


def decode_bounded(encoded) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes a JPEG or PNG image whose header promises a bearable size.

    Args:
        encoded: Scalar string tensor.

    Returns:
        `(H, W, 3)` uint8 RGB, and a scalar string: what is wrong with it, empty if
        nothing is; the image is then `(0, 0, 3)`.

    Raises:
        tf.errors.InvalidArgumentError: When it runs, for an image that is damaged.
    """
    is_png = _starts_with(encoded, _PNG)
    is_jpeg = _starts_with(encoded, _JPEG)
    pixels = tf.case(
        [
            (is_png, lambda: _png_pixels(encoded)),
            (is_jpeg, lambda: _jpeg_pixels(encoded)),
        ],
        default=lambda: tf.constant(0, tf.int64),
        exclusive=True,
    )
    problem = tf.case(
        [
            (tf.logical_not(is_png | is_jpeg), lambda: tf.constant(NOT_AN_IMAGE)),
            (pixels > MAX_PIXELS, lambda: tf.constant(TOO_LARGE)),
            (
                is_jpeg & (_scans(encoded) > MAX_SCANS),
                lambda: tf.constant(TOO_MANY_SCANS),
            ),
        ],
        default=lambda: tf.constant(""),
    )
    fine = tf.equal(problem, "")
    image = tf.case(
        [
            (fine & is_png, lambda: tf.io.decode_png(encoded, channels=3)),
            (
                fine & is_jpeg,
                lambda: tf.io.decode_jpeg(
                    encoded, channels=3, dct_method="INTEGER_ACCURATE"
                ),
            ),
        ],
        default=lambda: tf.zeros((0, 0, 3), tf.uint8),
        exclusive=True,
    )
    return tf.ensure_shape(image, (None, None, 3)), problem


def _starts_with(encoded, magic):
    return tf.equal(tf.strings.substr(encoded, 0, len(magic)), magic)


def _png_pixels(encoded):
    """Width times height, as the header has them: 4 bytes each, the highest first."""
    size = tf.io.decode_raw(tf.strings.substr(encoded, 16, 8), tf.uint8)
    size = tf.reshape(tf.cast(tf.ensure_shape(size, (8,)), tf.int64), (2, 4))
    worth = tf.constant([1 << 24, 1 << 16, 1 << 8, 1], tf.int64)
    return tf.reduce_prod(tf.reduce_sum(size * worth, axis=1))


def _scans(encoded):
    """Returns how often a JPEG's picture is gone over: a progressive one's work."""
    return tf.size(tf.strings.split(encoded, _SCAN)) - 1


def _jpeg_pixels(encoded):
    shape = tf.io.extract_jpeg_shape(encoded, output_type=tf.int32)
    return tf.reduce_prod(tf.cast(shape[:2], tf.int64))
