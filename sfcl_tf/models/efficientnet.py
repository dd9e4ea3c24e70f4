"""EfficientNet as the spatial branch, cut where the frequency branch joins it."""

import keras
from keras import ops

from sfcl_tf.layers.precision import full_precision
from sfcl_tf.models.parts import Parts
from sfcl_tf.models.weight_files import read_weights

# ImageNet's channel statistics on RGB in 0..1: what Keras's weights expect.
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)

VARIANTS = {
    "efficientnet_b0": keras.applications.EfficientNetB0,
    "efficientnet_b4": keras.applications.EfficientNetB4,
}
TAP = "block4a_expand_conv"
"""First layer after block 3: its input is the stride-8 map that FAAE enhances."""


@keras.saving.register_keras_serializable(package="sfcl_tf")
class ImageNetScale(keras.layers.Layer):
    """Maps RGB 0..255 to `(x / 255 - mean) / std` with ImageNet's constants.

    Args:
        **kwargs: Passed to `keras.layers.Layer`.

    Call arguments:
        image: `(B, H, W, 3)` RGB in 0..255.

    Returns:
        A tensor of the same shape, in full precision: bfloat16 would round pixels
        to whole numbers.
    """

    def __init__(self, **kwargs):
        kwargs.setdefault("dtype", full_precision())
        super().__init__(**kwargs)

    def call(self, image):
        mean = ops.convert_to_tensor(_MEAN, dtype=self.compute_dtype)
        std = ops.convert_to_tensor(_STD, dtype=self.compute_dtype)
        return (ops.cast(image, self.compute_dtype) / 255.0 - mean) / std


class SpatialBranch:
    """EfficientNet in two halves, before and after the stride-8 map.

    Keras's own graph is used from `stem_conv_pad` on. Its normalisation is left
    out: with `weights=None` it is another one than with ImageNet weights, so ours
    stands before it.

    Args:
        variant: `"efficientnet_b4"` or `"efficientnet_b0"`.
        image_size: Side of the input in pixels.
        weights: Path of a `..._notop.h5` file, or `None` for random weights.
        momentum: Momentum of every batch normalisation.

    Attributes:
        parts: What a model that consists of it says of itself.

    Reference:
        Tan and Le, 2019, arXiv:1905.11946; docs/fidelity.md, points 16 and 17.
    """

    def __init__(self, variant, image_size, weights=None, momentum=0.99):
        # The name stays the default: pooling and classifier are not ours.
        self.network = VARIANTS[variant](
            include_top=False, weights=None, input_shape=(image_size, image_size, 3)
        )
        if weights is not None:
            read_weights(self.network, weights)
        set_momentum(self.network, momentum)
        start = self.network.get_layer("stem_conv_pad").input
        tap = self.network.get_layer(TAP).input
        self._head = keras.Model(start, tap)
        self._tail = keras.Model(tap, self.network.output)
        self.parts = self._parts()

    def _parts(self):
        used = {layer.name for layer in (*self._head.layers, *self._tail.layers)}
        layers = [layer for layer in self.network.layers if layer.name in used]
        third = [layer.name for layer in layers if layer.name.startswith("block3")]
        return Parts(
            last_map=layers[-1].name,
            tap=third[-1],
            backbone=tuple(layer.name for layer in layers if layer.weights),
            float32=("imagenet_scale",),
        )

    def shallow(self, image):
        """Image `(B, S, S, 3)`, RGB 0..255, to the map after block 3."""
        return self._head.call(ImageNetScale(name="imagenet_scale")(image))

    def deep(self, tap):
        """The map after block 3 to the last map `(B, S/32, S/32, C)`."""
        return self._tail.call(tap)


def set_momentum(model, momentum):
    """Sets the momentum of all batch normalisations of a model not yet traced."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = momentum
