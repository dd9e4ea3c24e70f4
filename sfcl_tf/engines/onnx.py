"""ONNX Runtime: `model.onnx`, on the CPU."""

import contextlib
import logging
from pathlib import Path

import numpy as np

from sfcl_tf.engines.base import Engine
from sfcl_tf.engines.packages import import_onnxruntime, import_tf2onnx
from sfcl_tf.system.errors import ModelError

FILE = "model.onnx"
OPSET = 17
"""Read by every ONNX Runtime since 1.12 (2022). Quantisation needs 13."""


class OnnxEngine(Engine):
    """A model in ONNX.

    Args:
        path: `model.onnx`.
        precision: `"float32"`, or `"int8"` for a file that was quantised.
        threads: How many; `None`: one a core.

    Raises:
        ModelError: If ONNX Runtime is not installed or cannot read the file, or for
            another precision.
    """

    name = "onnx"

    def __init__(self, path: Path, precision: str, threads: int | None = None):
        if precision == "bf16":
            raise ModelError(
                "Expected float32 or int8 for ONNX Runtime, whose CPU provider does "
                "not compute in bfloat16. Received: bf16. Take OpenVINO for it."
            )
        runtime = import_onnxruntime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.inter_op_num_threads = 1
        # Threads that wait would else keep the cores from decoding and detection:
        # where cores are shared, batches then take 1.2 to 1.6 times as long.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3  # errors
        try:
            self._session = runtime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its own, without a common base
            raise ModelError(
                f"Expected an ONNX model at {path}. Received: {error}. Export it "
                "anew: sfcl export RUN --format onnx."
            ) from error
        inputs = self._session.get_inputs()
        super().__init__(precision, {each.name: each.shape[1:] for each in inputs})

    def _logits(self, arrays):
        return self._session.run(["logit"], arrays)[0]


def convert_graph(graph, path: Path) -> None:
    """Writes a `FrozenGraph` as a float32 ONNX file."""
    tf2onnx = import_tf2onnx()
    inputs = [f"{name}:0" for name in graph.inputs]
    names = {name: name.split(":")[0] for name in inputs}
    with _without_warnings("tensorflow", "tf2onnx"):
        tf2onnx.convert.from_graph_def(
            graph.definition,
            name="sfcl_tf",
            input_names=inputs,
            output_names=[graph.output],
            opset=OPSET,
            custom_op_handlers={"Log1p": (_log1p, []), "Erfc": (_erfc, [])},
            tensors_to_rename={**names, graph.output: "logit"},
            output_path=str(path),
        )


def _log1p(context, node, name, _):
    """Writes log(1 + x), which ONNX has no operation for.

    SIDA's means and deviations are either 0 or far above float32's resolution at 1.
    """
    one = context.make_const(f"{name}_one", np.array(1, np.float32)).output[0]
    node.type = "Log"
    context.insert_new_node_on_input(
        node, "Add", [node.input[0], one], name=f"{name}_add"
    )


def _erfc(context, node, name, _):
    """Writes 1 - erf(x), of which GELU is made, as 1 + erf(-x)."""
    one = context.make_const(f"{name}_one", np.array(1, np.float32)).output[0]
    node.type = "Erf"
    context.insert_new_node_on_input(node, "Neg", node.input[0], name=f"{name}_neg")
    context.insert_new_node_on_output(
        "Add", node.output[0], name=f"{name}_add", inputs=[node.output[0], one]
    )


@contextlib.contextmanager
def _without_warnings(*names):
    """Silences loggers: tf2onnx uses functions that TensorFlow advises against."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
