"""8-bit integers by static quantisation after training."""

import itertools
import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np

from sfcl_tf.engines.names import layers_of
from sfcl_tf.engines.packages import import_onnxruntime
from sfcl_tf.system.errors import ModelError

_OPERATIONS = ["Conv", "MatMul", "Gemm"]


def quantize(
    source: Path, target: Path, batches: Iterable[dict], float32: Collection[str]
) -> int:
    """Quantises an ONNX file: weights by channel, activations by tensor.

    Convolutions and products with weights become 8-bit, between QuantizeLinear and
    DequantizeLinear (QDQ), which OpenVINO reads too. In float32 stay the layers that
    the model names, softmaxes, and products of activations.

    Args:
        source: The float32 file.
        target: The file to write.
        batches: `{image, sida}` of real crops, on which ranges are measured.
        float32: Names of layers whose operations stay as they are; see
            `FrozenGraph.float32`.

    Returns:
        On how many crops.

    Raises:
        ModelError: If there are none.
    """
    batches = iter(batches)
    first = next(batches, None)
    if first is None:
        raise ModelError(
            "Expected crops to calibrate int8 on. Received: none. Give batches of the "
            "training split."
        )
    import_onnxruntime()
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as temporary:
        prepared = Path(temporary) / "prepared.onnx"
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        graph = onnx.load(prepared).graph
        reader = _Reader(
            itertools.chain([first], batches), [tensor.name for tensor in graph.input]
        )
        quantization.quantize_static(
            prepared,
            target,
            reader,
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=_OPERATIONS,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=[n.name for n in graph.node if _is_of(n, float32)],
            extra_options={"MatMulConstBOnly": True},
        )
    return reader.crops


def _is_of(node, layers) -> bool:
    """Tells whether an ONNX node belongs to one of some layers.

    By its name, or that of its weights: with a bias, tf2onnx names it anew.
    """
    names = [node.name, *(name.split(":")[0] for name in node.input[1:])]
    return any(not layers_of(name).isdisjoint(layers) for name in names)


class _Reader:
    """Batches as ONNX Runtime's calibrator asks for them."""

    def __init__(self, batches, names):
        self._batches = iter(batches)
        self._names = names
        self.crops = 0

    def get_next(self):
        batch = next(self._batches, None)
        if batch is None:
            return None
        self.crops += len(batch["image"])
        return {name: np.asarray(batch[name], np.float32) for name in self._names}
