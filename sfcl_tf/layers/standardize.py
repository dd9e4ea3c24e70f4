import keras
from keras import ops

from sfcl_tf.layers.precision import full_precision


@keras.saving.register_keras_serializable(package="sfcl_tf")
class Standardize(keras.layers.Layer):
    """Subtracts a stored mean and divides by a stored standard deviation.

    The statistics are non-trainable weights: they travel with the model and are
    filled once from the training set (`sfcl_tf.training.fill_standardize`).
    Until then the layer is the identity. Always computes in full precision.

    Args:
        axis: Axis or axes that keep statistics of their own. Defaults to -1.
        floor: Least standard deviation divided by, in the input's unit. Keeps
            bands that hardly vary from being blown up to noise.
        **kwargs: Passed to `keras.layers.Layer`.

    Call arguments:
        inputs: Tensor of any rank whose `axis` sizes are known.

    Returns:
        A tensor of the input's shape.

    Raises:
        ValueError: If `floor` is not positive or a kept axis has unknown size.

    Reference:
        Xu et al., "Learning in the Frequency Domain", CVPR 2020; docs/fidelity.md,
        points 7 and 12.
    """

    def __init__(self, axis=-1, floor: float = 0.3, **kwargs):
        kwargs.setdefault("dtype", full_precision())
        super().__init__(**kwargs)
        if not floor > 0:
            raise ValueError(f"Expected `floor` above 0. Received: floor={floor}.")
        self.axis = (axis,) if isinstance(axis, int) else tuple(axis)
        self.floor = floor

    def build(self, input_shape):
        rank = len(input_shape)
        kept = sorted(axis % rank for axis in self.axis)
        shape = tuple(input_shape[axis] for axis in kept)
        if None in shape:
            raise ValueError(
                f"Expected known sizes on axes {self.axis}. "
                f"Received: shape={tuple(input_shape)}."
            )
        self._broadcast = tuple(
            input_shape[axis] if axis in kept else 1 for axis in range(rank)
        )
        self.reduced_axes = tuple(axis for axis in range(rank) if axis not in kept)
        self.mean = self.add_weight(
            name="mean", shape=shape, initializer="zeros", trainable=False
        )
        self.std = self.add_weight(
            name="std", shape=shape, initializer="ones", trainable=False
        )

    def set_statistics(self, mean, std):
        """Stores the statistics: arrays of the kept axes' shape, in input units."""
        self.mean.assign(mean)
        self.std.assign(std)

    def call(self, inputs):
        mean = ops.reshape(self.mean, self._broadcast)
        std = ops.reshape(ops.maximum(self.std, self.floor), self._broadcast)
        return (inputs - mean) / std

    def get_config(self):
        return {**super().get_config(), "axis": self.axis, "floor": self.floor}
