"""The model on TensorFlow, OpenVINO and ONNX Runtime, in every precision.

`python benchmarks/engines.py tiny` or `... paper`, and a size of batch (4). Weights
are random, and int8 is calibrated on noise: good for times, not for accuracy, which
`sfcl export RUN --format ...` tells of a trained model.
"""

import os
import statistics
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
from timing import interleaved

from sfcl_tf.config import load_config
from sfcl_tf.engines import load_engine, onnx, openvino
from sfcl_tf.engines.graph import freeze
from sfcl_tf.engines.quantize import quantize
from sfcl_tf.evaluation import Predictor
from sfcl_tf.models import build_model
from sfcl_tf.ops import SIDA_SIZE

BATCH = 4
# By preset and batch: how many times as fast as TensorFlow. bf16 where the CPU has it.
CLAIMS = {("paper", BATCH): {"OpenVINO float32": 1.15, "OpenVINO bf16": 2.0}}


def convert(model, folder, batches):
    """Writes every file; returns how each engine is loaded."""
    graph = freeze(model)
    files = {}
    for name in ("openvino", "openvino8", "onnx", "onnx8"):
        files[name] = folder / name
        files[name].mkdir()
    openvino.convert_graph(graph, files["openvino"])
    onnx.convert_graph(graph, files["onnx"] / onnx.FILE)
    quantize(
        files["onnx"] / onnx.FILE, files["onnx8"] / onnx.FILE, batches, graph.float32
    )
    openvino.convert_onnx(
        files["onnx8"] / onnx.FILE, files["openvino8"], graph.standardized
    )
    for name in ("openvino8", "onnx8"):
        (files[name] / "engine.json").write_text('{"precision": "int8"}')
    engines = {"OpenVINO float32": (files["openvino"], "float32")}
    if openvino.has_bf16():
        engines["OpenVINO bf16"] = (files["openvino"], "bf16")
    return engines | {
        "OpenVINO int8": (files["openvino8"], "int8"),
        "ONNX Runtime float32": (files["onnx"], "float32"),
        "ONNX Runtime int8": (files["onnx8"], "int8"),
    }


def main(preset, batch=BATCH, rounds=9):
    """Prints times and ratios; returns whether the claims hold."""
    config = load_config(preset=preset, overrides=["model.spatial_weights=none"])
    size = config.model.image_size
    rng = np.random.default_rng(0)

    def noise():
        return {
            "image": rng.uniform(0, 255, (batch, size, size, 3)).astype("float32"),
            "sida": rng.uniform(0, 10, (batch, SIDA_SIZE)).astype("float32"),
        }

    model, inputs = build_model(config), noise()
    predictor = Predictor(model)
    functions = {"TensorFlow": lambda: predictor(inputs)}
    with tempfile.TemporaryDirectory() as folder:
        found = convert(model, Path(folder), [noise() for _ in range(4)])
        for name, (path, precision) in found.items():
            engine = load_engine(path, precision)
            functions[name] = lambda engine=engine: engine(inputs)
        times = interleaved(functions, rounds=rounds)
    print(f"\n{preset} preset, {size} px, batch {batch}, {os.cpu_count()} cores")
    holds = True
    for name, values in times.items():
        pairs = zip(times["TensorFlow"], values, strict=True)
        ratio = statistics.median(theirs / own for theirs, own in pairs)
        milliseconds = statistics.median(values) / batch * 1e3
        line = f"  {name:<22}{milliseconds:9.2f} ms/image {ratio:6.2f}x TensorFlow"
        claim = CLAIMS.get((preset, batch), {}).get(name)
        if claim:
            good = ratio >= claim
            holds &= good
            line += f"   claim: at least {claim:g}x, "
            line += "holds" if good else "DOES NOT HOLD"
        print(line)
    return holds


if __name__ == "__main__":
    preset, *more = sys.argv[1:]
    sys.exit(not main(preset, *map(int, more)))
