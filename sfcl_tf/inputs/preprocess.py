"""From a face and its surroundings to a model's inputs.

```
region, box -> crop -> image, sida, ...
```
Training, evaluation, detection, exports and engines all have it from one
`Preprocessor`, so that none can drift from the others.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import tensorflow as tf

from sfcl_tf import ops
from sfcl_tf.config import Config
from sfcl_tf.faces.region import GRID
from sfcl_tf.inputs.crop import crop_face
from sfcl_tf.models.registry import DETECTORS

MIN_SIDE = 32
"""Least side of a crop in pixels: SIDA needs 4x4 blocks."""


@dataclasses.dataclass(frozen=True)
class Input:
    """One input of a model.

    Attributes:
        shape: From a configuration to its shape, without the batch.
        make: From a crop `(side, side, 3)` float32 RGB in 0..255 and a configuration
            to the input, float32.
    """

    shape: Callable[[Config], tuple[int, ...]]
    make: Callable[[tf.Tensor, Config], tf.Tensor]


def _image_shape(config):
    return (config.model.image_size, config.model.image_size, 3)


def _image(pixels, config):
    """Resizes bilinearly, with anti-aliasing: RGB in 0..255."""
    size = config.model.image_size
    return tf.image.resize(pixels, (size, size), antialias=True)


def _sida(pixels, config):
    """Describes the crop as it is; zeros for a model that does not read it."""
    if not config.model.reads_sida:
        return tf.zeros((ops.SIDA_SIZE,))
    return ops.sida(pixels, basis=tf_basis(), channels=config.data.dct_channels)


INPUTS: Mapping[str, Input] = {
    "image": Input(_image_shape, _image),
    "sida": Input(lambda config: (ops.SIDA_SIZE,), _sida),
}
"""What a model may ask for, by name. A new input is an entry here, and is named
among the `inputs` of the detector that takes it."""


class Preprocessor:
    """Cuts a face out and makes a model's inputs of it, in a graph or out of one.

    Args:
        config: The model's, and how the face is cut out.
        names: Inputs to make, keys of `INPUTS`; by default those of the model.

    Attributes:
        specs: Shape and dtype of each input by name, without the batch.
    """

    def __init__(self, config: Config, names: Iterable[str] | None = None):
        self._config = config
        names = DETECTORS[config.model.name].inputs if names is None else names
        self._inputs = {name: INPUTS[name] for name in names}
        self.specs = {
            name: tf.TensorSpec(each.shape(config), tf.float32, name)
            for name, each in self._inputs.items()
        }

    def crop(self, region, box, margin: float | tf.Tensor | None = None) -> tf.Tensor:
        """Cuts out what the model sees of a face.

        Args:
            region: `(H, W, 3)` RGB, a frame or the surroundings of a face in it; see
                `sfcl_tf.inputs.crop.crop_face`.
            box: `(4,)` x0, y0, x1, y1 of the face in it, in pixels.
            margin: Side of the crop in sides of the box; by default `data.margin`.

        Returns:
            `(side, side, 3)` of the region's dtype, at native resolution.
        """
        data = self._config.data
        snap = GRID if data.snap_to_grid else 1
        return crop_face(region, box, data.margin if margin is None else margin, snap)

    def inputs(self, crop) -> dict[str, tf.Tensor]:
        """Turns a crop into the model's inputs.

        Args:
            crop: `(side, side, 3)` RGB in 0..255, uint8 or float.

        Returns:
            A tensor of each of `specs`.

        Raises:
            tf.errors.InvalidArgumentError: If the crop is under 32 pixels.
        """
        tf.debugging.assert_greater_equal(
            tf.reduce_min(tf.shape(crop)[:2]),
            MIN_SIDE,
            f"Expected a face crop of at least {MIN_SIDE}x{MIN_SIDE} pixels on the "
            "grid.",
        )
        pixels = tf.cast(crop, tf.float32)
        return {
            name: tf.ensure_shape(each.make(pixels, self._config), spec.shape)
            for (name, each), spec in zip(
                self._inputs.items(), self.specs.values(), strict=True
            )
        }

    def __call__(self, region, box) -> dict[str, tf.Tensor]:
        """Cuts out a face and turns it into the model's inputs."""
        return self.inputs(self.crop(region, box))

    def nothing(self) -> dict[str, tf.Tensor]:
        """Returns inputs of zeros, in the place of a face that cannot be used."""
        return {name: tf.zeros(spec.shape) for name, spec in self.specs.items()}

    def traced(self) -> Callable[..., dict[str, tf.Tensor]]:
        """Returns `__call__`, traced once for uint8 regions and int32 boxes."""
        return tf.function(
            self.__call__,
            input_signature=[
                tf.TensorSpec((None, None, 3), tf.uint8),
                tf.TensorSpec((4,), tf.int32),
            ],
            autograph=False,
            jit_compile=False,
        )


@functools.cache
def tf_basis() -> np.ndarray:
    """Returns the `(8, 8)` float32 DCT basis as TensorFlow's own DCT has it."""
    with tf.init_scope():  # eager, also when called while a graph is traced
        return tf.signal.dct(tf.eye(8), norm="ortho").numpy().T
