"""ConvNeXt as the spatial branch, cut where the frequency branch joins it."""

import keras
import numpy as np

from sfcl_tf.models.efficientnet import ImageNetScale
from sfcl_tf.models.parts import Parts
from sfcl_tf.models.weight_files import read_weights

# Keras's network, and of each stage how many blocks and how many channels.
VARIANTS = {
    "convnext_tiny": (
        keras.applications.ConvNeXtTiny,
        (3, 3, 9, 3),
        (96, 192, 384, 768),
    )
}
_SHALLOW = 2
"""Stages before the stride-8 map that FAAE enhances."""


@keras.saving.register_keras_serializable(package="sfcl_tf")
class LayerScale(keras.layers.Layer):
    """Multiplies each channel by a weight of its own, at first next to nothing.

    Args:
        **kwargs: Passed to `keras.layers.Layer`.

    Call arguments:
        x: `(B, h, w, C)`.

    Returns:
        A tensor of the same shape.

    Reference:
        Touvron et al., 2021, arXiv:2103.17239, Eq. 4.
    """

    def build(self, input_shape):
        self.gamma = self.add_weight(
            name="gamma",
            shape=(input_shape[-1],),
            initializer=keras.initializers.Constant(1e-6),
        )

    def call(self, x):
        return x * self.gamma


class SpatialBranch:
    """ConvNeXt in two halves, before and after the stride-8 map.

    Keras's own graph nests layers in models, whose precision cannot be changed,
    numbers its additions anew in each process, and has grouped convolutions, which
    TensorFlow's CPU kernels lack. So the layers are put together here, each under a
    name that stays, and take Keras's weights. Images are padded to whole 8-pixel
    blocks, as `BlockDCT` does, for ConvNeXt's strides would drop what is over.

    Args:
        variant: `"convnext_tiny"`.
        image_size: Side of the input in pixels.
        weights: Path of a `..._notop.h5` file, or `None` for random weights.
        momentum: Not read: there is no batch normalisation.

    Attributes:
        parts: What a model that consists of it says of itself.

    Reference:
        Liu et al., 2022, arXiv:2201.03545.
    """

    def __init__(self, variant, image_size, weights=None, momentum=None):
        self._name = variant
        network, self._blocks, self._channels = VARIANTS[variant]
        before = -image_size % 8 // 2
        after = -image_size % 8 - before
        self._scale = ImageNetScale(name="imagenet_scale")
        self._pad = self._layer("ZeroPadding2D", "pad", ((before, after),) * 2)
        side = image_size + before + after
        start = keras.Input((side, side, 3))
        tap = self._stages(start, range(_SHALLOW))
        end = self._stages(tap, range(_SHALLOW, len(self._blocks)))
        end = self._layer("LayerNormalization", "norm", epsilon=1e-6)(end)
        whole = keras.Model(start, end)
        if weights is not None:
            # Its normalisation is left out: in bfloat16 it would round the pixels.
            theirs = network(
                include_top=False, include_preprocessing=False, weights=None
            )
            read_weights(theirs, weights)
            # Of a grouped convolution, whose kernel is (7, 7, 1, C).
            kernels = [
                np.reshape(given, own.shape)
                for own, given in zip(whole.weights, theirs.get_weights(), strict=True)
            ]
            whole.set_weights(kernels)
        self._head, self._tail = keras.Model(start, tap), keras.Model(tap, end)
        self.parts = Parts(
            last_map=whole.layers[-1].name,
            tap=self._head.layers[-1].name,
            backbone=tuple(layer.name for layer in whole.layers if layer.weights),
            float32=("imagenet_scale",),
        )

    def shallow(self, image):
        """Image `(B, S, S, 3)`, RGB 0..255, to the map after the second stage."""
        return self._head.call(self._pad(self._scale(image)))

    def deep(self, tap):
        """The map after the second stage to the last one, `(B, S/32, S/32, C)`."""
        return self._tail.call(tap)

    def _layer(self, kind, name, *args, **kwargs):
        made = getattr(keras.layers, kind)
        return made(*args, name=f"{self._name}_{name}", **kwargs)

    def _stages(self, x, stages):
        for stage in stages:
            x = self._downsampled(x, stage)
            for block in range(self._blocks[stage]):
                x = self._block(x, self._channels[stage], f"stage{stage}_block{block}")
        return x

    def _downsampled(self, x, stage):
        """By 4 before the first stage, by 2 before each other."""
        steps = [
            self._layer(
                "Conv2D",
                f"down{stage}_conv",
                self._channels[stage],
                kernel_size=2 if stage else 4,
                strides=2 if stage else 4,
            ),
            self._layer("LayerNormalization", f"down{stage}_norm", epsilon=1e-6),
        ]
        for layer in reversed(steps) if stage else steps:
            x = layer(x)
        return x

    def _block(self, x, channels, name):
        y = self._layer("DepthwiseConv2D", f"{name}_conv", 7, padding="same")(x)
        y = self._layer("LayerNormalization", f"{name}_norm", epsilon=1e-6)(y)
        y = self._layer("Dense", f"{name}_dense1", 4 * channels, activation="gelu")(y)
        y = self._layer("Dense", f"{name}_dense2", channels)(y)
        y = LayerScale(name=f"{self._name}_{name}_scale")(y)
        return self._layer("Add", f"{name}_add")([x, y])
