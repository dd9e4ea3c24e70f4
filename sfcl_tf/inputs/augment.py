"""Which op of the augmentation an example gets, and how much of it."""

import zlib
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from sfcl_tf.inputs import augment_ops as ops


class _Op(NamedTuple):
    function: Callable
    range: str | None = None  # key of the configuration
    pair: bool = False  # whether it takes two values of that
    seeded: bool = False  # whether it draws more itself


# By the key of its probability, in the order in which they are applied.
_BOX_OPS = {
    "jitter": _Op(ops.shift_box, "jitter_shift", pair=True),
    "scale": _Op(ops.scale_box, "scale_factor"),
}
_CROP_OPS = {
    "flip": _Op(ops.flip),
    "brightness": _Op(ops.brightness, "brightness_shift"),
    "contrast": _Op(ops.contrast, "contrast_factor"),
    "saturation": _Op(ops.saturation, "saturation_factor"),
    "blur": _Op(ops.blur, "blur_sigma"),
    "noise": _Op(ops.noise, "noise_sigma", seeded=True),
    "grey_block": _Op(ops.grey_block, "grey_block_count", seeded=True),
    "resize": _Op(ops.resize, "resize_factor"),
    "chroma_420": _Op(ops.chroma_420),
    "jpeg": _Op(ops.jpeg, "jpeg_quality"),
}


class Draw(NamedTuple):
    """What an op does to one example.

    Attributes:
        applied: Whether it is, a boolean scalar; Python's `True` where it always is.
        arguments: What the op takes besides box or crop: its value, its seed.
    """

    applied: tf.Tensor | bool
    arguments: tuple


def draw(config, seed) -> dict[str, Draw]:
    """Draws what is done to one example.

    Each op draws from a seed of its own, made of `seed` and its name: switching one
    on or off leaves what another draws as it was. An op of probability 0 is left
    out, and so is no part of a graph.

    Args:
        config: A `sfcl_tf.config.AugmentConfig`.
        seed: `(2,)` integers, made of seed, epoch and example.

    Returns:
        A `Draw` for each op, by the key of its probability.
    """
    seed = tf.cast(seed, tf.int64)
    drawn = {}
    for name, op in (_BOX_OPS | _CROP_OPS).items():
        probability = getattr(config, name)
        if probability > 0:
            # Not of `hash`, which differs from process to process.
            word = tf.constant(zlib.crc32(name.encode()), tf.int64)
            own = tf.random.experimental.stateless_fold_in(seed, word)
            limits = getattr(config, op.range) if op.range else None
            drawn[name] = _draw(op, probability, limits, own)
    return drawn


def _draw(op, probability, limits, seed):
    chance, *fractions = tf.unstack(tf.random.stateless_uniform((3,), seed))
    arguments: tuple = ()
    if limits:
        low, high = limits
        fraction = tf.stack(fractions) if op.pair else fractions[0]
        arguments += (_between(low, high, fraction),)
    if op.seeded:
        arguments += (tf.random.experimental.stateless_fold_in(seed, 1),)
    return Draw(True if probability >= 1 else chance < probability, arguments)


def _between(low, high, fraction):
    """Even over low..high for `fraction` in [0, 1); whole numbers both included."""
    if isinstance(low, int):
        return low + tf.cast(fraction * (high - low + 1), tf.int32)
    return low + fraction * (high - low)


def vary_box(box, drawn: dict[str, Draw]):
    """Moves and scales a face box before `crop_face` cuts it out.

    `crop_face` keeps the crop inside the stored region and on the grid.

    Args:
        box: `(4,)` x0, y0, x1, y1 in pixels.
        drawn: As `draw` gives it.

    Returns:
        The box, `(4,)` float32.
    """
    return _vary(tf.cast(box, tf.float32), _BOX_OPS, drawn)


def vary_crop(crop, drawn: dict[str, Draw]):
    """Applies what was drawn to a crop.

    Args:
        crop: `(side, side, 3)` uint8 RGB at native resolution.
        drawn: As `draw` gives it.

    Returns:
        A crop of the same shape and dtype.
    """
    return _vary(crop, _CROP_OPS, drawn)


def _vary(x, ops_by_name, drawn):
    shape = x.shape
    for name, op in ops_by_name.items():
        if name not in drawn:
            continue
        applied, arguments = drawn[name]
        if applied is True:
            x = op.function(x, *arguments)
        else:
            x = tf.cond(applied, _applying(op.function, x, arguments), lambda x=x: x)
        x = tf.ensure_shape(x, shape)
    return x


def _applying(function, x, arguments):
    return lambda: function(x, *arguments)
