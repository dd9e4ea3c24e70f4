"""Filling the `Standardize` layers from the training set.

The means and deviations of some 10,000 numbers settle long before a million faces were
read. So a spread of the training set is enough, and what was found of it is kept beside
the records for the next run of the same geometry.
"""

import dataclasses
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.layers import Standardize
from sfcl_tf.records.reading import readable
from sfcl_tf.system.output import NotWrittenError, atomic_write
from sfcl_tf.system.storage import explain_access_errors

MOST = 20_000
"""Training examples of which the statistics are taken, evenly spread."""

_VERSION = 1  # raised when the same records would give other numbers
# Of the configuration, what decides on the pixels that a model is given.
_GEOMETRY = ("margin", "snap_to_grid", "dct_channels")


def standardize_on(
    model: keras.Model,
    pipeline: InputPipeline,
    on_batch: Callable[[int], None] | None = None,
) -> int:
    """Fills every `Standardize` layer from the training split, or from what is kept.

    At most `MOST` examples are read, evenly spread over the split, as they are: not
    augmented. What is found is kept beside the records, under a name that differs
    where records, geometry or the layers before differ.

    Args:
        model: See `fill_standardize`.
        pipeline: The data.
        on_batch: Called with the number of examples seen so far, at once with all of
            them where they are known.

    Returns:
        The number of examples.

    Raises:
        DataError: If a record cannot be read.
    """
    layers = _layers(model)
    if not layers:
        return 0
    path = (
        pipeline.manifest.folder / "train" / f"standardize-{_key(model, pipeline)}.npz"
    )
    kept = _read(path, layers)
    if kept is None:
        inputs = readable(pipeline.spread_inputs("train", MOST), "the split train")
        examples = fill_standardize(model, inputs, on_batch)
        _write(path, layers, examples)
        return examples
    for layer, (mean, std) in zip(layers, kept[1], strict=True):
        layer.set_statistics(mean, std)
    if on_batch:
        on_batch(kept[0])
    return kept[0]


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
    layers = _layers(model)
    if not layers:
        return 0
    before = _before(model, layers)
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


def _layers(model):
    return [layer for layer in model.layers if isinstance(layer, Standardize)]


def _before(model, layers):
    """Returns the model from the inputs to what reaches the layers."""
    return keras.Model(model.input, {layer.name: layer.input for layer in layers})


def _key(model, pipeline) -> str:
    """Returns 16 hex digits that differ where other statistics would be found."""
    data = dataclasses.asdict(pipeline.config.data)
    layers = _layers(model)
    facts = {
        "version": _VERSION,
        "most": MOST,
        "records": pipeline.manifest.digest("train"),
        "data": {name: data[name] for name in _GEOMETRY},
        "layers": [
            # But for its name, which may tell how many were built before.
            [type(layer).__name__, {**layer.get_config(), "name": ""}]
            for layer in (*_before(model, layers).layers, *layers)
        ],
    }
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(path, layers):
    """Returns the number of examples, and mean and deviation for each layer."""
    try:
        with explain_access_errors(path):
            if not path.is_file():
                return None
            content = io.BytesIO(path.read_bytes())
        with np.load(content, allow_pickle=False) as kept:
            pairs = [
                (kept[f"{layer.name}_mean"], kept[f"{layer.name}_std"])
                for layer in layers
            ]
            examples = int(kept["examples"])
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None  # damaged: taken anew
    fits = all(
        mean.shape == std.shape == tuple(layer.mean.shape)
        and np.isfinite(mean).all()
        and np.isfinite(std).all()
        for layer, (mean, std) in zip(layers, pairs, strict=True)
    )
    return (examples, pairs) if fits else None


def _write(path, layers, examples) -> None:
    values: dict[str, Any] = {"examples": np.int64(examples)}
    for layer in layers:
        values[f"{layer.name}_mean"] = keras.ops.convert_to_numpy(layer.mean)
        values[f"{layer.name}_std"] = keras.ops.convert_to_numpy(layer.std)
    try:
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **values)
    except NotWrittenError:
        return  # records on a medium that is not written to: taken each time


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
