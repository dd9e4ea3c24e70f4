import json
import os
import re
import subprocess
import sys
import textwrap
import threading

import keras
import numpy as np
import pytest
from helpers import model_inputs, published, small_model
from small_data import SIDE, small_config

from sfcl_tf.config import load_config
from sfcl_tf.engines import (
    available_engines,
    export_engine,
    load_engine,
    verify_engine,
)
from sfcl_tf.engines.export import require_exportable
from sfcl_tf.engines.graph import freeze, in_float32
from sfcl_tf.engines.openvino import _parts as cut
from sfcl_tf.engines.openvino import convert_graph, has_bf16
from sfcl_tf.evaluation import Predictor
from sfcl_tf.models import build_model
from sfcl_tf.system.errors import ModelError, UsageError

pytestmark = [
    # tf2onnx's, which reads protobufs and NumPy types as older ones had them.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
FORMATS = ("openvino", "onnx")


@pytest.fixture(scope="module", params=FORMATS)
def exported(request, small, tmp_path_factory):
    path = tmp_path_factory.mktemp("engine") / request.param
    record = export_engine(small[0], path, request.param)
    return path, record


def test_agrees_with_keras(exported, small):
    _, batches, logits = small
    largest, found = verify_engine(load_engine(exported[0]), batches, logits)
    assert largest <= 1e-5
    assert found.dtype == np.float32
    assert found.shape == (16,)


def test_tensorflow_agrees_with_keras(small, tmp_path):
    model, batches, logits = small
    model.save(tmp_path / "model.keras")
    engine = load_engine(tmp_path)
    assert (engine.name, engine.precision) == ("tensorflow", "float32")
    assert verify_engine(engine, batches, logits)[0] <= 1e-5


def test_score_does_not_depend_on_batch_mates(exported, small):
    _, batches, logits = small
    engine = load_engine(exported[0], threads=1)
    for size in (1, 3, 16):
        batch = {name: value[:size] for name, value in batches[0].items()}
        np.testing.assert_allclose(engine(batch), logits[:size], atol=1e-5)


def test_takes_bytes_and_refuses_other_shapes(exported, small):
    engine = load_engine(exported[0])
    image = np.full((2, SIDE, SIDE, 3), 200)
    sida = small[1][0]["sida"][:2]
    found = engine({"image": image.astype("uint8"), "sida": sida})
    np.testing.assert_array_equal(
        found, engine({"image": image.astype("float32"), "sida": sida})
    )
    for wrong in (image[:1], image[:, :-1], image[..., :1], image[0]):
        with pytest.raises(ValueError, match=r"Expected image \(B, 32, 32, 3\)"):
            engine({"image": wrong, "sida": sida})
    with pytest.raises(ValueError, match="Expected image"):
        engine({"image": image[:0], "sida": sida[:0]})


def test_several_threads_may_ask_at_once(exported, small):
    _, batches, logits = small
    engine = load_engine(exported[0], threads=1)
    differences = []

    def ask():
        for _ in range(20):
            differences.append(np.abs(engine(batches[0]) - logits).max())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(differences) == 80
    assert max(differences) <= 1e-5


def test_names_and_shapes_are_stable(exported):
    path, _ = exported
    if (path / "model.xml").is_file():
        from sfcl_tf.engines.packages import import_openvino

        model = import_openvino().Core().read_model(path / "model.xml")
        inputs = {t.any_name: str(t.partial_shape) for t in model.inputs}
        outputs = {t.any_name: str(t.partial_shape) for t in model.outputs}
        assert str(path.parent) not in (path / "model.xml").read_text()
        assert "graph.pb" not in (path / "model.xml").read_text()
    else:
        import onnx

        model = onnx.load(path / "model.onnx")
        onnx.checker.check_model(model)
        opsets = {opset.domain: opset.version for opset in model.opset_import}
        assert opsets[""] == 17
        inputs, outputs = (
            {
                v.name: str([d.dim_value or "?" for d in v.type.tensor_type.shape.dim])
                for v in values
            }
            for values in (model.graph.input, model.graph.output)
        )
    plain = str.maketrans("", "", "' ")
    assert {name: text.translate(plain) for name, text in inputs.items()} == {
        "image": "[?,32,32,3]",
        "sida": "[?,2304]",
    }
    assert {name: text.translate(plain) for name, text in outputs.items()} == {
        "logit": "[?,1]"
    }


def test_the_folder_tells_how_it_was_made(small, tmp_path):
    model, batches, logits = small
    run = tmp_path / "run"
    run.mkdir()
    model.save(run / "model.keras")
    (run / "config.toml").write_text("told")
    path = tmp_path / "engines" / "openvino"

    def check(engine):
        assert not path.exists()
        return {"max_abs_difference": verify_engine(engine, batches, logits)[0]}

    record = export_engine(model, path, "openvino", check=check, run_dir=run)
    assert json.loads((path / "engine.json").read_text()) == record
    assert record["format"] == "openvino"
    assert record["precision"] == "float32"
    assert record["image_size"] == SIDE
    assert len(record["model_sha256"]) == 64
    assert record["max_abs_difference"] <= 1e-5
    assert {"openvino", "tensorflow"} == set(record["packages"])
    assert {"sfcl_tf", "date"} <= set(record)
    files = {file.name for file in path.iterdir()}
    assert files == {"model.xml", "model.bin", "engine.json", "config.toml"}
    assert published(path.parent) == ["openvino"]


@pytest.mark.parametrize("format", FORMATS)
def test_a_model_that_differs_is_not_published(small, tmp_path, format):
    model, batches, logits = small
    path = tmp_path / "engine"

    def check(engine):
        verify_engine(engine, batches, logits + 0.002)

    with pytest.raises(ModelError, match=r"Received: a difference of 0\.002"):
        export_engine(model, path, format, check=check)
    assert published(tmp_path) == []


def test_not_a_number_is_an_error_in_any_precision(small):
    class Broken:
        name, precision = "openvino", "bf16"

        def __call__(self, batch):
            return np.full(len(batch["sida"]), np.nan, np.float32)

    with pytest.raises(ModelError, match="16 of 16 are not"):
        verify_engine(Broken(), small[1], small[2])


@pytest.mark.parametrize("format", FORMATS)
def test_int8_is_near_and_keeps_the_spectrum_in_float(small, tmp_path, format):
    model, batches, logits = small
    record = export_engine(model, tmp_path / "e", format, "int8", calibration=batches)
    assert record["calibration_crops"] == 16
    engine = load_engine(tmp_path / "e")
    assert engine.precision == "int8"
    difference = np.abs(engine(batches[0]) - logits)
    assert 0 < difference.max() < 0.1 * np.ptp(logits) + 0.02
    if format == "onnx":
        import onnx

        graph = onnx.load(tmp_path / "e" / "model.onnx").graph
        makers = {name: node for node in graph.node for name in node.output}
        quantized = {
            node.name: any(
                makers[name].op_type == "DequantizeLinear"
                for name in node.input
                if name in makers
            )
            for node in graph.node
            if node.op_type in ("Conv", "MatMul", "Gemm")
        }
        kept = {name for name, found in quantized.items() if not found}
        assert any("block_dct" in name for name in kept)
        assert any("logit" in name for name in kept)
        assert any(quantized.values())


def test_int8_needs_crops(small, tmp_path):
    with pytest.raises(ModelError, match="Expected crops to calibrate int8 on"):
        export_engine(small[0], tmp_path / "e", "onnx", "int8")
    assert published(tmp_path) == []


def test_bf16_spares_what_stands_before_the_standardisation(small, tmp_path):
    if not has_bf16():
        pytest.skip("this CPU does not compute in bfloat16")
    model, batches, logits = small
    record = export_engine(model, tmp_path / "e", "openvino", "bf16")
    assert record["precision"] == "bf16"
    engine = load_engine(tmp_path / "e")
    assert engine.precision == "bf16"
    difference = np.abs(engine(batches[0]) - logits).max()
    assert 0 < difference < 0.02 * np.abs(logits).max() + 0.01
    again = load_engine(tmp_path / "e", "float32")
    assert verify_engine(again, batches, logits)[0] <= 1e-5


@pytest.mark.parametrize("told", [True, False])
def test_the_file_tells_where_bf16_may_begin(small, tmp_path, told):
    """With names of its own, and without a word as earlier versions wrote it."""
    from sfcl_tf.engines.packages import import_openvino

    openvino = import_openvino()
    model, batches, logits = small

    def renamed(layer):
        if not isinstance(layer, keras.layers.Layer):
            return layer
        config = layer.get_config()
        if told:
            config["name"] = config["name"].replace("standardize_", "own_")
        return type(layer).from_config(config)

    twin = keras.models.clone_model(model, clone_function=renamed)
    twin.set_weights(model.get_weights())
    convert_graph(freeze(twin), tmp_path)
    text = (tmp_path / "model.xml").read_text()
    assert ("own_dct own_sida" in text) == told
    if not told:
        (tmp_path / "model.xml").write_text(re.sub("<standardized .*?/>", "", text))
    whole = openvino.Core().read_model(tmp_path / "model.xml")
    assert whole.has_rt_info(["sfcl_tf", "standardized"]) == told
    prefix = "own" if told else "standardize"
    beginning, _ = cut(openvino, whole)
    names = {name for output in beginning.outputs for name in output.get_names()}
    assert names == {f"{prefix}_dct", f"{prefix}_sida"}
    engine = load_engine(tmp_path / "model.xml")
    assert verify_engine(engine, batches, logits)[0] <= 1e-5


def test_a_cpu_without_bf16_is_told(exported, monkeypatch):
    if not (exported[0] / "model.xml").is_file():
        with pytest.raises(ModelError, match="does not compute in bfloat16"):
            load_engine(exported[0], "bf16")
        return
    monkeypatch.setattr("sfcl_tf.engines.openvino.has_bf16", lambda: False)
    with pytest.raises(ModelError, match=r"Take float32 or int8"):
        load_engine(exported[0], "bf16")


def test_a_model_trained_in_mixed_precision_is_exported_in_float32(small):
    model, batches, logits = small

    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        copy = small_model(small_config())
    finally:
        keras.config.set_dtype_policy(policy)
    copy.set_weights(model.get_weights())
    assert np.abs(Predictor(copy)(batches[0]) - logits).max() > 1e-4
    assert in_float32(model) is model
    found = Predictor(in_float32(copy))(batches[0])
    np.testing.assert_allclose(found, logits, atol=1e-5)


def test_what_cannot_be_loaded_is_told(exported, tmp_path):
    path, _ = exported
    with pytest.raises(ModelError, match=r"Expected model\.xml, model\.onnx"):
        load_engine(tmp_path)
    with pytest.raises(ModelError, match="Expected a model that computes in int8"):
        load_engine(path, "int8")
    with pytest.raises(ValueError, match="Expected `precision`"):
        load_engine(path, "fp64")
    with pytest.raises(ValueError, match="Expected `threads`"):
        load_engine(path, threads=0)
    for name in ("model.xml", "model.onnx"):
        (tmp_path / name).write_text("no model")
        with pytest.raises(ModelError, match=r"Export it anew"):
            load_engine(tmp_path / name)
    (tmp_path / "engine.json").write_text("{}")
    with pytest.raises(ModelError, match="Export the engine anew"):
        load_engine(tmp_path)


@pytest.mark.parametrize(
    ("format", "package", "extra"),
    [("openvino", "openvino", "openvino"), ("onnx", "onnxruntime", "onnx")],
)
def test_a_missing_package_names_the_extra(
    small, tmp_path, monkeypatch, format, package, extra
):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModelError, match=rf'pip install "sfcl_tf\[{extra}\]"'):
        export_engine(small[0], tmp_path / "e", format)
    (tmp_path / f"model.{'xml' if format == 'openvino' else 'onnx'}").touch()
    with pytest.raises(ModelError, match=rf"Expected the package {package}"):
        load_engine(tmp_path)


def test_engines_that_are_installed(monkeypatch):
    assert set(available_engines()) == {"onnx", "openvino", "tensorflow"}
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: name != "onnxruntime" or None
    )
    assert available_engines() == ["openvino", "tensorflow"]


def test_nobody_is_told_that_it_is_used(small, tmp_path):
    """Their packages report home, and keep an identifier for it, unless kept from it.

    In a process and a home of its own, in which any connection is an error.
    """
    model, batches, _ = small
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "batch.npz", **batches[0])
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path

        def audit(event, arguments):
            if event in ("socket.connect", "socket.getaddrinfo"):
                reached.append((event, arguments))

        reached = []
        sys.addaudithook(audit)
        import numpy as np
        from sfcl_tf.models import load_model
        from sfcl_tf.engines import export_engine, load_engine

        folder = Path(sys.argv[1])
        model = load_model(folder / "model.keras")
        batch = dict(np.load(folder / "batch.npz"))
        for format in ("openvino", "onnx"):
            for precision in ("float32", "int8"):
                path = folder / f"{format}-{precision}"
                export_engine(model, path, format, precision, calibration=[batch])
                load_engine(path)(batch)
        assert not [name for name in sys.modules if "openvino_telemetry" in name]
        assert not reached, reached
        """
    )
    home = tmp_path / "home"
    home.mkdir()
    hidden = {"CI", "ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME"}
    kept = {k: v for k, v in os.environ.items() if k not in hidden}
    found = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**kept, "HOME": str(home), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert found.returncode == 0, found.stderr[-2000:]
    left = [str(path.relative_to(home)) for path in home.rglob("*")]
    assert not [name for name in left if "intel" in name or "Microsoft" in name]


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_the_whole_model_agrees_with_keras_on_real_crops(face_crops, tmp_path, format):
    config = load_config(preset="tiny")
    keras.utils.set_random_seed(1)
    model = build_model(config)
    _unsettle(model)
    size = config.model.image_size
    inputs = [model_inputs(image, size) for image in face_crops[0]]
    batch = {name: np.stack([i[name] for i in inputs]) for name in ("image", "sida")}
    logits = Predictor(model)(batch)
    assert np.ptp(logits) > 0.1
    export_engine(model, tmp_path / "e", format)
    assert verify_engine(load_engine(tmp_path / "e"), [batch], logits)[0] <= 1e-3


def _unsettle(model):
    """Gives batch normalisations statistics, and FAAE weight, as training does."""
    rng = np.random.default_rng(0)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.gamma.shape
            layer.gamma.assign(rng.uniform(0.8, 1.2, shape))
            layer.beta.assign(rng.normal(0, 0.1, shape))
            layer.moving_mean.assign(rng.normal(0, 0.1, shape))
            layer.moving_variance.assign(rng.uniform(0.8, 1.2, shape))
    std = model.get_layer("standardize_dct").std
    model.get_layer("standardize_dct").set_statistics(
        np.zeros(std.shape), np.full(std.shape, 30.0)
    )


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "settings",
    [
        *(
            pytest.param(settings, marks=pytest.mark.slow)
            for settings in (
                ("model.sida=false", "model.faae=false"),
                ("model.hcma=false", "model.sbcm_reading=bands"),
                ("model.sbcm=false", "model.hcma_tokens=pooled"),
            )
        ),
        ("model.name=meso4", "model.image_size=256"),
    ],
)
def test_every_model_can_be_exported(tmp_path, format, settings):
    config = load_config(
        preset="tiny", overrides=["model.spatial_weights=none", *settings]
    )
    model = build_model(config)
    size = config.model.image_size
    rng = np.random.default_rng(0)
    batch = {
        "image": rng.uniform(0, 255, (3, size, size, 3)).astype("float32"),
        "sida": rng.uniform(0, 10, (3, 2304)).astype("float32"),
    }
    export_engine(model, tmp_path / "e", format)
    engine = load_engine(tmp_path / "e")
    verify_engine(engine, [batch], Predictor(model)(batch))


def test_there_is_no_other_format():
    with pytest.raises(UsageError, match="Expected a format of openvino, onnx"):
        require_exportable("tflite", "float32")


def test_the_frozen_graph_has_no_variables(small):
    graph = freeze(small[0])
    kinds = {node.op for node in graph.definition.node}
    assert not {"VarHandleOp", "PartitionedCall"} & kinds
    names = [node.name for node in graph.definition.node if node.op == "Placeholder"]
    assert names == ["image", "sida"]


SIGNALLED = """
import faulthandler, signal, sys, time
from sfcl_tf.engines import load_engine

faulthandler.enable()
first, second = load_engine(sys.argv[1]), load_engine(sys.argv[1])
del first
del second
taken = []
signal.signal(signal.SIGTERM, lambda *told: taken.append(told))
signal.raise_signal(signal.SIGTERM)
assert taken
"""


def test_signals_are_taken_after_engines_that_were_loaded_side_by_side(exported):
    command = [sys.executable, "-c", SIGNALLED, str(exported[0])]
    subprocess.run(command, check=True, timeout=120)
