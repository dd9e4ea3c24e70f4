"""Concurrent calls of a signature, computed together."""

import dataclasses
import itertools
import threading
from collections.abc import Mapping

import cv2
import numpy as np
import tensorflow as tf

# Shapes that have a queue of their own, which costs seconds and tens of megabytes for
# good; calls of others are computed alone.
_MOST_SHAPES = 8
_ENCODED_UP_TO = 4096  # pixels a side
_serial = itertools.count()


@dataclasses.dataclass(frozen=True)
class Batching:
    """How calls are put together.

    Attributes:
        most: Rows of a batch; 1 for none.
        timeout: How long a call waits for others, in s.
        threads: Batches computed at the same time.
        queued: Batches that may wait.
    """

    most: int = 16
    timeout: float = 0.002
    threads: int = 2
    queued: int = 1024


class Batched:
    """A signature whose concurrent calls are computed together.

    Only calls whose inputs differ in nothing but the number of rows can share a batch:
    each such shape has a queue of its own.

    Args:
        function: A signature of a loaded SavedModel; the first axis of every input
            and output is the batch.
        batching: How.
    """

    def __init__(self, function, batching: Batching):
        self._function = function
        self._batching = batching
        self._names = sorted(function.structured_input_signature[1])
        self._outputs = sorted(function.structured_outputs)
        self._lock = threading.Lock()
        self._queues: dict[tuple, tf.types.experimental.ConcreteFunction] = {}

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Calls it; returns its outputs."""
        tensors = [tf.constant(inputs[name]) for name in self._names]
        rows = {tensor.shape[0] for tensor in tensors}
        if len(rows) == 1 and 0 < next(iter(rows)) <= self._batching.most > 1:
            queue = self._queue(tensors)
            if queue is not None:
                outputs = queue(*tensors)
                return {
                    n: x.numpy() for n, x in zip(self._outputs, outputs, strict=True)
                }
        outputs = self._function(**dict(zip(self._names, tensors, strict=True)))
        return {name: value.numpy() for name, value in outputs.items()}

    def _queue(self, tensors):
        key = tuple(tuple(tensor.shape[1:]) for tensor in tensors)
        queue = self._queues.get(key)
        if queue is not None:
            return queue
        with self._lock:
            if key not in self._queues and len(self._queues) < _MOST_SHAPES:
                self._queues[key] = self._trace(tensors)
            return self._queues.get(key)

    def _trace(self, tensors):
        batching = self._batching

        def compute(*rows):
            outputs = self._function(**dict(zip(self._names, rows, strict=True)))
            return [outputs[name] for name in self._outputs]

        def call(*rows):
            # TensorFlow tells queues apart by this name alone, in the whole process.
            with tf.name_scope(f"queue_{next(_serial)}"):
                return tf.nondifferentiable_batch_function(
                    batching.threads,
                    batching.most,
                    round(batching.timeout * 1e6),
                    max_enqueued_batches=batching.queued,
                )(compute)(*rows)

        specs = [tf.TensorSpec((None, *t.shape[1:]), t.dtype) for t in tensors]
        traced = tf.function(call, input_signature=specs, autograph=False)
        return traced.get_concrete_function()


class CropsOfAnySize:
    """The signature of pixels, answered by that of encoded crops.

    Crops of all sizes share one queue then. PNG keeps every pixel, so that the answers
    are the same; it is not compressed, so that it costs next to nothing.

    Args:
        encoded: The signature of encoded crops.
        pixels: The signature of pixels, for what cannot be encoded.
    """

    def __init__(self, encoded: Batched, pixels: Batched):
        self._encoded, self._pixels = encoded, pixels

    @staticmethod
    def fits(signatures: Mapping) -> bool:
        """Tells whether a model's signatures are these two."""
        try:
            encoded, pixels = signatures["serving_default"], signatures["crops"]
        except KeyError:
            return False
        return (
            {*encoded.structured_input_signature[1]} == {"image_bytes"}
            and {*pixels.structured_input_signature[1]} == {"crops"}
            and {*encoded.structured_outputs} == {*pixels.structured_outputs}
        )

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Calls it; returns its outputs."""
        crops = inputs["crops"]
        if not 0 < max(crops.shape[1:3]) <= _ENCODED_UP_TO or not crops.size:
            return self._pixels(inputs)
        encoded = np.array([_png(crop) for crop in crops], object)
        return self._encoded({"image_bytes": encoded})


def _png(crop):
    bgr = cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2BGR)
    _, png = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 0])
    return png.tobytes()
