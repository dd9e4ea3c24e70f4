"""The one face crop: training, evaluation and serving all call it."""

import tensorflow as tf


def crop_square(box, height, width, margin=1.3, snap=8):
    """Places the square crop around a face box, in whole pixels.

    The square has side `floor(margin * longer side of the box)` around the box's
    centre. It is never larger than the frame's short side, and is shifted to stay
    inside. With `snap` it is then shrunk inwards to the grid: origin and side
    are multiples of `snap`, so that crop and codec share their 8x8 blocks.

    Args:
        box: `(4,)` x0, y0, x1, y1 in pixels, any real dtype.
        height: Frame height in pixels, int32 scalar.
        width: Frame width in pixels, int32 scalar.
        margin: Side of the crop in sides of the box.
        snap: Grid in pixels; 1 for none.

    Returns:
        x, y, side: int32 scalar tensors. `side` is 0 where no block of the grid
        fits.
    """
    box = tf.cast(tf.round(tf.cast(box, tf.float32)), tf.int32)
    x0, y0, x1, y1 = tf.unstack(box)
    # Floor of a float product: the epsilon keeps 1.3 * 80 = 104 from being 103.
    longer = tf.cast(tf.maximum(x1 - x0, y1 - y0), tf.float32)
    side = tf.cast(tf.floor(margin * longer + 1e-3), tf.int32)
    side = tf.maximum(tf.minimum(side, tf.minimum(height, width)), 0)
    x = tf.clip_by_value((x0 + x1 - side) // 2, 0, width - side)
    y = tf.clip_by_value((y0 + y1 - side) // 2, 0, height - side)
    left, top = -(-x // snap), -(-y // snap)
    blocks = tf.minimum((x + side) // snap - left, (y + side) // snap - top)
    return left * snap, top * snap, tf.maximum(blocks, 0) * snap


def crop_face(image, box, margin=1.3, snap=8):
    """Cuts the square face crop out of a frame at native resolution.

    Args:
        image: `(H, W, 3)` frame, or any region of it that holds the crop, starts
            on a multiple of `snap` and ends where the frame ends if it is cut
            there: the result is then the same to the byte.
        box: `(4,)` x0, y0, x1, y1 of the face in pixels of `image`.
        margin: Side of the crop in sides of the face's square box.
        snap: Grid in pixels that origin and side keep to; 1 for none.

    Returns:
        `(side, side, 3)` tensor of the image's dtype: never stretched, never padded.

    Reference:
        Roessler et al., 2019 (FaceForensics++'s 1.3x square); docs/fidelity.md,
        point 8.
    """
    shape = tf.shape(image)
    x, y, side = crop_square(box, shape[0], shape[1], margin, snap)
    crop = image[y : y + side, x : x + side]
    return tf.ensure_shape(crop, (None, None, 3))
