"""Filling the `Standardize` layers from the training set."""

from collections.abc import Callable

import keras
import numpy as np

from sfcl_tf.layers import Standardize


def fill_standardize(
    model: keras.Model, batches, on_batch: Callable[[int], None] | None = None
) -> int:
    """Fills every `Standardize` layer with the statistics of what reaches it.

    One streaming pass; moments are merged in float64 by Chan's update, so a
    million images cost no more memory than one batch. Do it before the model is
    traced.

    Args:
        model: A Functional model whose `Standardize` layers do not stand behind one
            another.
        batches: Iterable of the model's inputs: the unaugmented training set.
        on_batch: Called with the number of examples seen so far.

    Returns:
        The number of examples seen.
    """
    layers = [x for x in model.layers if isinstance(x, Standardize)]
    if not layers:
        return 0
    before = keras.Model(model.input, {layer.name: layer.input for layer in layers})
    totals = {layer.name: _Moments() for layer in layers}
    examples = 0
    for inputs in batches:
        outputs = before(inputs, training=False)
        for layer in layers:
            totals[layer.name].add(outputs[layer.name], layer.reduced_axes)
        examples += int(outputs[layers[0].name].shape[0])
        if on_batch:
            on_batch(examples)
    for layer in layers:
        layer.set_statistics(totals[layer.name].mean, totals[layer.name].std)
    return examples


class _Moments:
    """Running mean and population standard deviation, in float64."""

    def __init__(self):
        self.count = 0
        self.mean = 0.0
        self._squares = 0.0

    def add(self, values, axes):
        values = np.asarray(values, "float64")
        count = np.prod([values.shape[axis] for axis in axes])
        mean = values.mean(axes)
        squares = values.var(axes) * count
        delta = mean - self.mean
        both = self.count + count
        self._squares = self._squares + squares + delta**2 * (self.count * count / both)
        self.mean = self.mean + delta * (count / both)
        self.count = both

    @property
    def std(self):
        return np.sqrt(self._squares / self.count)
