"""The export as a file: published when it is right, read by others, with its extras."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from helpers import published, small_model
from small_data import small_config, small_manifest
from tensorflow.core.protobuf import config_pb2, saved_model_pb2

from sfcl_tf.evaluation import Calibration, Predictor
from sfcl_tf.evaluation.thresholds import Thresholds
from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.serving import export_savedmodel, extra_files, verify_savedmodel
from sfcl_tf.system.errors import ModelError

from .images import png

# Goes the way that TensorFlow Serving goes: its C++ loader, in a session.
SESSION = textwrap.dedent(
    """
    import sys
    import numpy as np
    import tensorflow.compat.v1 as tf
    path, asked, answered = sys.argv[1:]
    asked = np.load(asked, allow_pickle=False)
    found = {}
    plain = lambda value: value.astype("S") if value.dtype == "O" else value
    with tf.Session(graph=tf.Graph()) as session:
        meta = tf.saved_model.load(session, ["serve"], path)
        for name in sorted({key.split("/")[0] for key in asked}):
            signature = meta.signature_def[name]
            feed = {
                spec.name: list(asked[f"{name}/{key}"])
                for key, spec in signature.inputs.items()
            }
            fetched = {key: spec.name for key, spec in signature.outputs.items()}
            for key, value in session.run(fetched, feed).items():
                found[f"{name}/{key}"] = plain(value)
    assert "sfcl_tf" not in sys.modules
    np.savez(answered, **found)
    """
)
# Python's loader, with nothing of ours.
LOADER = textwrap.dedent(
    """
    import sys
    import numpy as np
    import tensorflow as tf
    path, asked, answered = sys.argv[1:]
    asked = np.load(asked, allow_pickle=False)
    signatures = tf.saved_model.load(path).signatures
    found = {}
    for name in sorted({key.split("/")[0] for key in asked}):
        inputs = {
            key.split("/")[1]: tf.constant(asked[key])
            for key in asked if key.startswith(name + "/")
        }
        for key, value in signatures[name](**inputs).items():
            value = value.numpy()
            found[f"{name}/{key}"] = value.astype("S") if value.dtype == "O" else value
    assert "sfcl_tf" not in sys.modules
    np.savez(answered, **found)
    """
)


def requests_of(crops):
    """Every signature's inputs for crops of one size."""
    height, width = crops[0].shape[:2]
    boxes = np.array([[[0, 0, width, height]]] * len(crops), np.float32)
    encoded = np.array([png(crop) for crop in crops])
    return {
        "serving_default/image_bytes": encoded,
        "crops/crops": np.stack(crops),
        "frame/image_bytes": encoded,
        "frame/boxes": boxes,
        "features/image_bytes": encoded,
        "explain/image_bytes": encoded,
    }


def elsewhere(program, path, requests, folder):
    """Asks in a process that imports nothing of ours; returns its answers."""
    np.savez(folder / "asked.npz", **requests)
    found = subprocess.run(
        [sys.executable, "-c", program, path, folder / "asked.npz", folder / "a.npz"],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=folder,
    )
    assert found.returncode == 0, found.stderr[-2000:]
    return np.load(folder / "a.npz", allow_pickle=False)


def by_command_line(path, requests, folder):
    """Asks by `saved_model_cli run`; returns its answers."""
    tool = Path(sys.executable).with_name("saved_model_cli")
    answers = {}
    for name in sorted({key.split("/")[0] for key in requests}):
        inputs = []
        for key, value in requests.items():
            if key.startswith(f"{name}/"):
                place = folder / f"{key.replace('/', '.')}.npy"
                np.save(place, value)
                inputs.append(f"{key.split('/')[1]}={place}")
        out = folder / f"out-{name}"
        command = [tool, "run", "--dir", path, "--tag_set", "serve", "--signature_def"]
        command += [name, "--inputs", ";".join(inputs), "--outdir", out, "--overwrite"]
        found = subprocess.run(command, capture_output=True, text=True, timeout=240)
        assert found.returncode == 0, found.stderr[-2000:]
        for file in out.glob("*.npy"):
            # Arrays of texts are pickled.
            if file.stem not in ("verdict", "status", "calibration"):
                answers[f"{name}/{file.stem}"] = np.load(file, allow_pickle=False)
    return answers


def check_answers(answers, logits, calibration, last_layer):
    for name in ("serving_default", "crops", "frame", "explain"):
        logit = answers[f"{name}/logit"].reshape(-1)
        np.testing.assert_allclose(logit, logits, atol=1e-5, err_msg=name)
        score = answers[f"{name}/score"].reshape(-1)
        np.testing.assert_allclose(score, calibration.score(logits), atol=1e-5)
    embedding = answers["features/embedding"]
    np.testing.assert_allclose(last_layer(embedding)[:, 0], logits, atol=1e-5)


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(SESSION, id="session"),
        pytest.param(LOADER, id="loader", marks=pytest.mark.slow),
    ],
)
def test_needs_no_python_of_ours(served, tmp_path, program):
    answers = elsewhere(program, served.path, requests_of(served.crops), tmp_path)
    check_answers(
        answers, served.logits, served.calibration, served.model.get_layer("logit")
    )


@pytest.mark.slow
def test_the_command_line_tool_runs_every_signature(served, tmp_path):
    answers = by_command_line(served.path, requests_of(served.crops), tmp_path)
    check_answers(
        answers, served.logits, served.calibration, served.model.get_layer("logit")
    )


@pytest.mark.slow
def test_real_crops_and_frames_have_keras_scores(served, media, face_crops, tmp_path):
    from sfcl_tf.faces.hog import HogFinder
    from sfcl_tf.inputs.crop import crop_face
    from sfcl_tf.media.video import decode

    crops = face_crops[0][:: len(face_crops[0]) // 16][:16]
    requests = requests_of(crops)
    frames, boxes, cut = [], [], []
    for path in sorted(media.glob("ff/**/videos/*.mp4")):
        frame = next(decode(path)).rgb()
        found = HogFinder()(frame)[:2]
        frames.append(png(frame))
        boxes.append(found + [(-1, -1, -1, -1)] * (2 - len(found)))
        cut += [crop_face(frame, box).numpy() for box in found]
    assert len(cut) >= len(frames) == 7
    requests["frame/image_bytes"] = np.array(frames)
    requests["frame/boxes"] = np.array(boxes, np.float32)
    for program in (SESSION, LOADER):
        answers = dict(elsewhere(program, served.path, requests, tmp_path))
        logit = answers["frame/logit"].reshape(-1)
        logit = logit[np.isfinite(logit)]
        np.testing.assert_allclose(logit, served.keras(cut), atol=1e-5)
        answers["frame/logit"] = answers["serving_default/logit"]
        answers["frame/score"] = answers["serving_default/score"]
        last = served.model.get_layer("logit")
        check_answers(answers, served.keras(crops), served.calibration, last)


def test_the_graph_holds_nothing_that_nobody_needs(served):
    raw = (served.path / "saved_model.pb").read_bytes()
    (graph,) = saved_model_pb2.SavedModel.FromString(raw).meta_graphs
    functions = graph.graph_def.library.function
    nodes = [node for function in functions for node in function.node_def]
    assert {"Conv2D", "Conv2DBackpropInput"} <= {node.op for node in nodes}
    assert "Conv2DBackpropFilter" not in {node.op for node in nodes}
    assert not any("_gradient_op_type" in node.attr for node in nodes)
    for node in nodes:
        if "config_proto" in node.attr:
            config = config_pb2.ConfigProto.FromString(node.attr["config_proto"].s)
            assert config.graph_options.rewrite_options.disable_meta_optimizer


def test_agrees_with_keras_on_every_frame(served):
    assert verify_savedmodel(served.path, served.crops, served.logits, 5) <= 1e-5


def test_luma_alone_agrees_with_keras_too(tmp_path):
    config = small_config("data.dct_channels=y")
    model = small_model(config)
    pipeline = InputPipeline(small_manifest(tmp_path / "records"), config)
    inputs, _, _ = next(iter(pipeline.evaluation("test")))
    sida = inputs["sida"].numpy().reshape(-1, 4, 3, 3, 64)
    assert (sida[:, :, :, 1:] == 0).all()
    assert (sida[:, 0, :2, 0] > 0).all()
    logits = Predictor(model).logits(pipeline.evaluation("test"))[1]
    export_savedmodel(model, config, tmp_path / "1")
    crops = (crop for crop, _, _ in pipeline.crops("test"))
    assert verify_savedmodel(tmp_path / "1", crops, logits, 5) <= 1e-5


def test_disagreement_is_an_error(served):
    with pytest.raises(ModelError, match=r"Received: a difference of 1"):
        verify_savedmodel(served.path, served.crops, served.logits + 1, 5)


def test_a_model_that_fails_its_check_is_not_published(tmp_path):
    config = small_config()

    def check(path):
        assert (path / "saved_model.pb").is_file()
        raise ModelError("differs")

    with pytest.raises(ModelError, match="differs"):
        export_savedmodel(small_model(config), config, tmp_path / "1", check)
    assert published(tmp_path) == []


def test_settings_card_and_warm_up_travel_along(served, tmp_path):
    prediction_log_pb2 = pytest.importorskip(
        "tensorflow_serving.apis.prediction_log_pb2"
    )
    from sfcl_tf.config import read_config

    run = tmp_path / "run"
    run.mkdir()
    levels = (Thresholds(0.3, 0.7), Thresholds(0.4, 0.6, 8, ((14, 0.8125),), 10, 20))
    told = Calibration(0.75, -0.5, levels, True, prior=0.5, date="2026-01-01")
    told.write(run)
    figures = {
        "auc": 0.75,
        "n_real": 10,
        "n_fake": 20,
        "intervals": {"auc": [0.6, 0.9]},
    }
    results = {"summary": {"frame": figures, "video": figures}}
    extra = extra_files(run, served.config, results)
    export_savedmodel(served.model, served.config, tmp_path / "m" / "1", extra=extra)
    folder = tmp_path / "m" / "1" / "assets.extra"
    assert read_config(folder / "config.toml") == served.config
    card = (folder / "model_card.md").read_text()
    assert "0.7500 (0.6000 to 0.9000)" in card
    assert "sigmoid(0.75 * logit -0.5)" in card
    assert "for a prior of 0.5" in card
    assert "uncertain in between" in card
    assert "| 8 | 0.4 | 0.6 | 0.8125 | 0.8125 | not measured | 10 / 20 |" in card
    assert Calibration.read(folder) == told
    asked = []
    signatures = tf.saved_model.load(str(tmp_path / "m" / "1")).signatures
    for record in tf.data.TFRecordDataset(str(folder / "tf_serving_warmup_requests")):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        inputs = {k: tf.make_ndarray(v) for k, v in request.inputs.items()}
        name = request.model_spec.signature_name
        found = signatures[name](**{k: tf.constant(v) for k, v in inputs.items()})
        assert (found["status"].numpy() == b"").all()
        asked.append(name)
    assert set(asked) == set(signatures)


def test_a_run_without_figures_has_an_honest_card(served, tmp_path):
    card = extra_files(tmp_path, served.config, {})["model_card.md"].decode()
    assert "The test split: not measured." in card
    assert "Not calibrated" in card
