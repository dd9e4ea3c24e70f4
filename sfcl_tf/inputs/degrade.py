"""Named degradations at a level, for tests of robustness.

```
jpeg=50  blur=2  noise=8  resize=0.5  ...
```
They are the ops of the augmentation, with a level that is given instead of drawn.
"""

import dataclasses
import zlib
from collections.abc import Callable, Iterable

import tensorflow as tf

from sfcl_tf.inputs import augment_ops as ops
from sfcl_tf.system.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of degradation.

    Attributes:
        function: From a crop and a level, and a seed where it takes one, to a crop.
        low: Least level.
        high: Greatest level.
        unit: What the level is.
        integer: Whether it is a whole number.
        seeded: Whether it draws.
    """

    function: Callable[..., tf.Tensor]
    low: float
    high: float
    unit: str
    integer: bool = False
    seeded: bool = False


KINDS = {
    "brightness": Kind(ops.brightness, -255, 255, "grey levels added"),
    "contrast": Kind(ops.contrast, 0, 10, "factor about the mean"),
    "saturation": Kind(ops.saturation, 0, 10, "factor about each pixel's luma"),
    "blur": Kind(ops.blur, 0.1, 10, "sigma in pixels"),
    "noise": Kind(ops.noise, 0, 255, "sigma in grey levels", seeded=True),
    "grey_block": Kind(
        ops.grey_block, 1, 256, "squares of 8x8 pixels", integer=True, seeded=True
    ),
    "resize": Kind(ops.resize, 0.1, 1, "factor down, and up again"),
    "jpeg": Kind(ops.jpeg, 1, 100, "libjpeg's quality", integer=True),
}
"""By name, in the order of a picture's life, in which they are applied."""


@dataclasses.dataclass(frozen=True)
class Degradation:
    """One of `KINDS` at a level.

    Attributes:
        kind: A key of `KINDS`.
        level: In the kind's unit.
    """

    kind: str
    level: float

    def __str__(self):
        return f"{self.kind}={self.level:g}"


def parse_degradations(texts: Iterable[str]) -> tuple[Degradation, ...]:
    """Reads `kind=level`, in the order in which they are applied.

    Raises:
        UsageError: For an unknown kind, a level out of range, or a kind twice.

    Example:
        >>> [str(d) for d in parse_degradations(["jpeg=50", "blur=2"])]
        ['blur=2', 'jpeg=50']
    """
    degradations = [_parse(text) for text in texts]
    kinds = [each.kind for each in degradations]
    if repeated := sorted({kind for kind in kinds if kinds.count(kind) > 1}):
        raise UsageError(
            f"Expected each degradation once. Received: {' and '.join(repeated)} "
            "several times. Evaluate at each level in turn."
        )
    return tuple(sorted(degradations, key=lambda each: [*KINDS].index(each.kind)))


def _parse(text: str) -> Degradation:
    name, _, given = text.partition("=")
    kind = KINDS.get(name)
    if kind is None:
        raise UsageError(
            f"Expected a degradation such as jpeg=50, of {', '.join(KINDS)}. "
            f"Received: {text!r}."
        )
    try:
        level = float(given)
    except ValueError:
        level = float("nan")
    if not kind.low <= level <= kind.high or (kind.integer and level != int(level)):
        what = "a whole number" if kind.integer else "a number"
        raise UsageError(
            f"Expected {name} with {what} in {kind.low:g}..{kind.high:g} ({kind.unit}),"
            f" such as {name}={kind.high if kind.integer else kind.low:g}. Received: "
            f"{text!r}."
        )
    return Degradation(name, level)


def degrade(crop, degradation: Degradation, seed) -> tf.Tensor:
    """Degrades a crop.

    Args:
        crop: `(side, side, 3)` uint8 RGB at native resolution.
        degradation: How.
        seed: `(2,)` int64, of the example.

    Returns:
        A crop of the same shape and dtype.
    """
    kind = KINDS[degradation.kind]
    level = int(degradation.level) if kind.integer else float(degradation.level)
    arguments = [level]
    if kind.seeded:
        word = zlib.crc32(degradation.kind.encode())
        arguments.append(tf.random.experimental.stateless_fold_in(seed, word))
    return tf.ensure_shape(kind.function(crop, *arguments), crop.shape)
