"""TensorFlow: the model as Keras saved it."""

from pathlib import Path

import tensorflow as tf

from sfcl_tf.engines.base import Engine
from sfcl_tf.engines.graph import in_float32, input_shapes
from sfcl_tf.evaluation import Predictor
from sfcl_tf.models import load_model
from sfcl_tf.system.errors import ModelError

FILE = "model.keras"


class TensorFlowEngine(Engine):
    """A `model.keras`, in float32.

    Args:
        path: The file.
        precision: `"float32"`.
        threads: Threads of one operation, which holds for the whole process;
            `None`: TensorFlow's own choice, one a core.

    Raises:
        ModelError: If the file is no model of this package, or TensorFlow has
            started its threads already.
    """

    name = "tensorflow"

    def __init__(self, path: Path, precision: str, threads: int | None = None):
        if threads is not None:
            _limit(threads)
        model = in_float32(load_model(path))
        super().__init__(precision, input_shapes(model))
        self._predictor = Predictor(model)

    def _logits(self, arrays):
        return self._predictor(arrays)


def _limit(threads):
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    except RuntimeError as error:
        raise ModelError(
            f"Expected to give TensorFlow {threads} threads before it computes "
            "anything. Received: a process in which it has begun. Load this engine "
            "first, or leave out `threads`."
        ) from error
