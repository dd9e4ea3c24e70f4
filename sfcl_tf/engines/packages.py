"""The engines' packages: imported when they are first used, and silent.

Both report home unless kept from it. `import openvino` sends an event by
openvino_telemetry, where that is installed, and `openvino.convert_model` sends more.
ONNX Runtime from 1.29 on stores an identifier of the device when it is imported, and
uploads names and hashes of the models that it loads.
"""

import contextlib
import importlib
import importlib.metadata
import os
import sys

from sfcl_tf.system.errors import ModelError


def import_openvino():
    """Returns the module `openvino`, imported without its telemetry.

    Raises:
        ModelError: If it is not installed.
    """
    with _absent("openvino_telemetry"):
        return _import("openvino", "openvino")


def import_onnxruntime():
    """Returns the module `onnxruntime`, imported without its telemetry.

    Raises:
        ModelError: If it is not installed.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    return _import("onnxruntime", "onnx")


def import_tf2onnx():
    """Returns the module `tf2onnx`.

    Raises:
        ModelError: If it is not installed.
    """
    return _import("tf2onnx", "onnx")


def versions(*names: str) -> dict[str, str]:
    """Returns the versions of packages by name."""
    return {name: importlib.metadata.version(name) for name in names}


def _import(name, extra):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ModelError(
            f"Expected the package {name}. Received: {error}. Install it: "
            f'pip install "sfcl_tf[{extra}]".'
        ) from error


@contextlib.contextmanager
def _absent(name):
    """Makes a package look as if it were not installed."""
    kept = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if kept is None:
            del sys.modules[name]
        else:
            sys.modules[name] = kept
