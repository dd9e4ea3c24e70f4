"""OpenVINO: `model.xml` and `model.bin`, on the CPU."""

import errno
import functools
import tempfile
import threading
from collections.abc import Collection
from pathlib import Path
from typing import Any

from sfcl_tf.engines.base import Engine
from sfcl_tf.engines.names import layers_of
from sfcl_tf.engines.packages import import_openvino
from sfcl_tf.models.parts import STANDARDIZED
from sfcl_tf.system.errors import ModelError

FILE = "model.xml"
_HINT = "INFERENCE_PRECISION_HINT"
_STANDARDIZED = ("sfcl_tf", "standardized")
"""Where a file names the tensors up to which nothing is computed in bf16."""
# As Linux names them: AVX-512's and AMX's bfloat16, and Arm's.
_BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}


class OpenVINOEngine(Engine):
    """A model in OpenVINO's own format.

    Args:
        path: `model.xml`; `model.bin` lies beside it.
        precision: `"float32"`; `"bf16"`, which computes a float32 file so; or
            `"int8"`, for a file that was quantised.
        threads: How many; `None`: one a core.

    Raises:
        ModelError: If OpenVINO is not installed, cannot read the file, or the CPU
            does not compute in bfloat16.
    """

    name = "openvino"

    def __init__(self, path: Path, precision: str, threads: int | None = None):
        openvino = import_openvino()
        if precision == "bf16" and not has_bf16():
            raise ModelError(
                "Expected a CPU that computes in bfloat16 (AVX512_BF16, AMX). "
                "Received: one that does not, on which it would be slower than "
                "float32. Take float32 or int8."
            )
        settings: dict[str, Any] = {
            # OpenVINO's own choice is bf16 wherever the CPU has it.
            _HINT: "bf16" if precision == "bf16" else "f32",
            "PERFORMANCE_HINT": "LATENCY",  # all threads work on one batch
        }
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        core = _core()
        try:
            model = core.read_model(path)
            shapes = {
                port.any_name: [side.get_length() for side in [*port.partial_shape][1:]]
                for port in model.inputs
            }
            super().__init__(precision, shapes)
            parts = _parts(openvino, model) if precision == "bf16" else [model]
            self._steps = []
            for part in parts:
                own = settings | ({_HINT: "f32"} if part is not parts[-1] else {})
                # Named before compiling, which may drop a tensor and its names.
                names = [
                    [tensor.any_name for tensor in tensors]
                    for tensors in (part.inputs, part.outputs)
                ]
                compiled = core.compile_model(part, "CPU", own)
                self._steps.append((compiled.create_infer_request(), *names))
        except RuntimeError as error:
            raise ModelError(
                f"Expected an OpenVINO model at {path}. Received: "
                f"{str(error).strip().splitlines()[-1]} Export it anew: sfcl export "
                "RUN --format openvino."
            ) from error
        self._lock = threading.Lock()

    def _logits(self, arrays):
        with self._lock:
            for request, fed, given in self._steps:
                outputs = request.infer(
                    [arrays[name] for name in fed],
                    share_inputs=True,
                    share_outputs=True,
                )
                arrays = arrays | dict(zip(given, outputs.values(), strict=True))
            return arrays["logit"].copy()


@functools.cache
def _core():
    """Returns OpenVINO's core, the one of this process.

    Its CPU plugin sets a stack for signal handlers, and puts back what it found when
    it goes. Of two whose lives overlap, the second would put back that of the first,
    which is no memory any more: the next signal would end the process by SIGSEGV.
    """
    return import_openvino().Core()


def _parts(openvino, model):
    """Cuts a model behind what must not be computed in bf16.

    In bf16 the coefficients, which span -1024..1024, lose what tells a fake before
    they are standardised: then the logits of a trained `tiny` are off by 1.4 (root
    mean square), without by 0.06. The CPU plugin has no such setting by node.

    Returns:
        The model's beginning and its rest, or the model alone if it has none.
    """
    standardized = set(STANDARDIZED)  # of files of earlier versions, which name none
    if model.has_rt_info([*_STANDARDIZED]):
        standardized = set(model.get_rt_info([*_STANDARDIZED]).astype(str).split())
    inputs = model.get_parameters()
    cut, replaced = [], []
    for node in model.get_ordered_ops():
        for output in node.outputs():
            for name in output.get_names() & standardized:
                parameter = openvino.op.Parameter(
                    output.get_element_type(), output.get_partial_shape()
                )
                parameter.output(0).get_tensor().set_names({name})
                targets = list(output.get_target_inputs())
                for target in targets:
                    target.replace_source_output(parameter.output(0))
                output.get_tensor().set_names({name})
                cut.append(output)
                replaced.append(parameter)
    if not cut:
        return [model]
    rest = openvino.Model(model.get_results(), [*inputs, *replaced], "rest")
    return [openvino.Model(cut, inputs, "beginning"), rest]


def has_bf16() -> bool:
    """Tells whether the CPU itself computes in bfloat16.

    OpenVINO lists it for any CPU with AVX-512, where it is emulated.
    """
    core = _core()
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return False
    try:
        flags = Path("/proc/cpuinfo").read_text("utf-8").split()
    except OSError:
        return True
    return not _BF16_FLAGS.isdisjoint(flags)


def convert_graph(graph, folder: Path) -> None:
    """Writes a `FrozenGraph` as float32 `model.xml` and `model.bin`."""
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary) / "graph.pb"
        source.write_bytes(graph.definition.SerializeToString())
        _convert(source, folder, graph.standardized)


def convert_onnx(source: Path, folder: Path, standardized: Collection[str]) -> None:
    """Writes an ONNX file, quantised or not, as `model.xml` and `model.bin`.

    Args:
        source: The file.
        folder: Where to.
        standardized: See `FrozenGraph.standardized`.
    """
    _convert(source, folder, standardized)


def _convert(source, folder, standardized):
    # By `read_model`: `convert_model` reports to its maker what it is called with.
    openvino = import_openvino()
    model = _core().read_model(source)
    # An input that the model does not read is taken for an output as well.
    results = [
        result
        for result in model.get_results()
        if result.input_value(0).get_node().get_type_name() != "Parameter"
    ]
    model = openvino.Model(results, model.get_parameters(), "sfcl_tf")
    for parameter, tensor in zip(model.get_parameters(), model.inputs, strict=True):
        name = tensor.any_name.split(":")[0]
        tensor.get_tensor().set_names({name})
        parameter.set_friendly_name(name)
    for node in model.get_ordered_ops():
        for layer in layers_of(node.get_friendly_name()).intersection(standardized):
            if node.get_type_name() == "Divide":
                node.output(0).get_tensor().add_names({layer})
    (output,) = model.outputs
    output.get_tensor().set_names({"logit"})
    model.set_rt_info(" ".join(sorted(standardized)), [*_STANDARDIZED])
    try:
        openvino.save_model(model, folder / FILE, compress_to_fp16=False)
    except RuntimeError as error:
        if "iostream" not in str(error):
            raise
        # What C++ tells of a write that failed, a full disk among others.
        raise OSError(errno.EIO, f"OpenVINO could not write it ({error})") from error
