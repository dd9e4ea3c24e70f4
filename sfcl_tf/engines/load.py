"""Which engines there are, and loading one."""

import importlib
import importlib.util
from pathlib import Path

from sfcl_tf.engines.base import PRECISIONS, Engine
from sfcl_tf.runs.schemas import ENGINE
from sfcl_tf.system.errors import ModelError

RECORD = "engine.json"
_MOST_THREADS = 1024

# By speed in float32, the fastest first: benchmarks/engines.py.
_ENGINES = {
    "openvino": ("openvino", "OpenVINOEngine"),
    "onnx": ("onnxruntime", "OnnxEngine"),
    "tensorflow": ("tensorflow", "TensorFlowEngine"),
}
_FILES = {"model.xml": "openvino", "model.onnx": "onnx", "model.keras": "tensorflow"}
_SUFFIXES = {Path(file).suffix: name for file, name in _FILES.items()}


def available_engines() -> list[str]:
    """Returns the engines whose packages are installed, the fastest first."""
    return [
        name
        for name, (package, _) in _ENGINES.items()
        if importlib.util.find_spec(package)
    ]


def load_engine(
    path: str | Path, precision: str | None = None, threads: int | None = None
) -> Engine:
    """Loads a model on the engine that its file is for.

    Args:
        path: A folder that `export_engine` wrote, a run's directory for TensorFlow,
            or a file: `model.xml`, `model.onnx`, `model.keras`.
        precision: `"float32"`, `"bf16"` or `"int8"`; by default what the folder's
            `engine.json` says, and float32 without one.
        threads: How many threads compute; by default one a core.

    Returns:
        The engine; called with `{image, sida}`, it gives logits.

    Raises:
        ModelError: If nothing that can be loaded is there, its package is missing,
            or it does not have the precision.
        ValueError: If `precision` or `threads` is out of range.
    """
    if precision not in (None, *PRECISIONS):
        raise ValueError(
            f"Expected `precision` of {', '.join(PRECISIONS)}. Received: {precision}."
        )
    if threads is not None and not 1 <= threads <= _MOST_THREADS:
        raise ValueError(
            f"Expected `threads` in 1..{_MOST_THREADS}. Received: {threads}."
        )
    file, name = _find(Path(path))
    exported = _read_record(file.parent).get("precision", "float32")
    precision = precision or exported
    fits = precision == exported or (
        name == "openvino" and {precision, exported} == {"float32", "bf16"}
    )
    if not fits and (name, precision) != ("onnx", "bf16"):
        raise ModelError(
            f"Expected a model that computes in {precision}. Received: {file}, in "
            f"{exported}. Export it: sfcl export RUN --format openvino --precision "
            f"{precision}."
        )
    module = importlib.import_module(f"sfcl_tf.engines.{name}")
    return getattr(module, _ENGINES[name][1])(file, precision, threads)


def _find(path):
    """Returns the model's file and the engine that it is for."""
    if path.is_dir():
        for file, name in _FILES.items():
            if (path / file).is_file():
                return path / file, name
    elif path.is_file() and path.suffix in _SUFFIXES:
        return path, _SUFFIXES[path.suffix]
    raise ModelError(
        f"Expected {', '.join(_FILES)}, or a folder that holds one. Received: {path}. "
        "Export an engine: sfcl export RUN --format openvino."
    )


def _read_record(folder):
    path = folder / RECORD
    return ENGINE.read(path) if path.is_file() else {}
