"""Writing a model for an engine, checked before it is there."""

import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import keras

from sfcl_tf import __version__
from sfcl_tf.engines import onnx, openvino
from sfcl_tf.engines.base import PRECISIONS, Engine
from sfcl_tf.engines.graph import freeze, image_size, in_float32
from sfcl_tf.engines.load import RECORD, load_engine
from sfcl_tf.engines.packages import versions
from sfcl_tf.engines.quantize import quantize
from sfcl_tf.runs import files
from sfcl_tf.system.errors import UsageError
from sfcl_tf.system.output import (
    AGAIN,
    explain_write_errors,
    publish_folder,
    write_json,
)

FORMATS = ("openvino", "onnx")
_BESIDE = (files.CONFIG, files.CALIBRATION, files.REFERENCE)


def require_exportable(format: str, precision: str, path: Path | None = None) -> None:
    """Raises for what cannot be exported, before any work is done.

    Args:
        format: `"openvino"` or `"onnx"`.
        precision: `"float32"`, `"bf16"` or `"int8"`.
        path: The folder that would be replaced.

    Raises:
        UsageError: For an unknown format or precision, a pair of which there is no
            engine, or a folder that holds something else.
    """
    if format not in FORMATS or precision not in PRECISIONS:
        raise UsageError(
            f"Expected a format of {', '.join(FORMATS)} and a precision of "
            f"{', '.join(PRECISIONS)}. Received: {format} and {precision}."
        )
    if (format, precision) == ("onnx", "bf16"):
        raise UsageError(
            "Expected float32 or int8 for onnx: ONNX Runtime's CPU provider does not "
            "compute in bfloat16. Received: bf16. Take --format openvino for it."
        )
    if path and path.is_dir() and any(path.iterdir()) and not _is_engine(path):
        raise UsageError(
            f"Expected a new folder, or that of an engine, which is replaced. "
            f"Received: {path}, which holds something else. Give another one."
        )


def _is_engine(path):
    return (path / RECORD).is_file()


def export_engine(
    model: keras.Model,
    path: Path,
    format: str,
    precision: str = "float32",
    *,
    calibration: Iterable[dict] = (),
    check: Callable[[Engine], dict] | None = None,
    run_dir: Path | None = None,
) -> dict:
    """Writes a folder that one engine computes a model from.

    It holds `model.xml` and `model.bin`, or `model.onnx`: inputs `image`
    `(B, S, S, 3)` float32, RGB in 0..255, and `sida` `(B, 2304)` float32, output
    `logit` `(B, 1)` float32, for any B. A model that does not read SIDA may lack
    that input. `engine.json` tells how it was made and checked.

    Args:
        model: The trained model.
        path: The folder; replaced if it is an engine's.
        format: `"openvino"` or `"onnx"`.
        precision: `"float32"`; `"bf16"`, the same file, run so (OpenVINO alone); or
            `"int8"`.
        calibration: For int8, batches `{image, sida}` of training crops.
        check: Called with the engine before its folder is there; what it returns
            is written into `engine.json`, what it raises keeps it from being
            published.
        run_dir: The run, whose configuration and calibration are copied beside it.

    Returns:
        What `engine.json` holds.

    Raises:
        UsageError: See `require_exportable`.
        ModelError: If a package is missing, or there is nothing to calibrate on.
        NotWrittenError: If it cannot be written; an engine that is there stays.
    """
    require_exportable(format, precision, path)
    model = in_float32(model)
    with publish_folder(path) as folder:
        with explain_write_errors(path, AGAIN):
            record = {
                "format": format,
                "precision": precision,
                "image_size": image_size(model),
                **_write(model, folder, format, precision, calibration),
                "sfcl_tf": __version__,
                "date": time.strftime("%Y-%m-%d"),
            }
            if run_dir is not None:
                record |= _copy(run_dir, folder)
        write_json(folder / RECORD, record)
        if check is not None:
            record |= check(load_engine(folder))
            write_json(folder / RECORD, record)
    return record


def _write(model, folder, format, precision, calibration):
    """Writes the model's file; returns what is to be told of it."""
    if format == "openvino" and precision != "int8":
        openvino.import_openvino()  # told before minutes of work, if it is missing
        openvino.convert_graph(freeze(model), folder)
        return {"packages": versions("openvino", "tensorflow")}
    packages = ["onnxruntime", "tf2onnx", "tensorflow"]
    onnx.import_onnxruntime()
    if format == "openvino":
        openvino.import_openvino()
        packages.insert(0, "openvino")
    record = {"opset": onnx.OPSET, "packages": versions(*packages)}
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary) / onnx.FILE
        graph = freeze(model)
        onnx.convert_graph(graph, source)
        target = source
        if precision == "int8":
            target = Path(temporary) / "int8.onnx"
            record["calibration_crops"] = quantize(
                source, target, calibration, graph.float32
            )
        if format == "openvino":
            openvino.convert_onnx(target, folder, graph.standardized)
        else:
            shutil.copyfile(target, folder / onnx.FILE)
    return record


def _copy(run_dir, folder):
    for name in _BESIDE:
        if (run_dir / name).is_file():
            shutil.copyfile(run_dir / name, folder / name)
    model = run_dir / files.MODEL
    if not model.is_file():
        return {}
    with model.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"model_sha256": digest}
