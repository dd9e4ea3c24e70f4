import subprocess
import sys
import textwrap

import cv2
import numpy as np
import pytest
import tensorflow as tf
from helpers import small_model
from small_data import small_config, small_manifest

from sfcl_tf.data.pipeline import InputPipeline
from sfcl_tf.errors import ModelError
from sfcl_tf.evaluation import Predictor
from sfcl_tf.serving import export_savedmodel, verify_savedmodel


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    config = small_config()
    model = small_model(config)
    pipeline = InputPipeline(small_manifest(folder / "records"), config)
    logits = Predictor(model).logits(pipeline.evaluation("test"))[1]
    path = folder / "model" / "1"
    export_savedmodel(model, config, path)
    return path, pipeline, logits


def test_agrees_with_keras_on_every_frame(served):
    path, pipeline, logits = served
    crops = (crop for crop, _, _ in pipeline.crops("test"))
    assert verify_savedmodel(path, crops, logits, 5) <= 1e-5


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
    path, pipeline, logits = served
    crops = (crop for crop, _, _ in pipeline.crops("test"))
    with pytest.raises(ModelError, match=r"Received: a difference of 1"):
        verify_savedmodel(path, crops, logits + 1, 5)


def test_signature_has_stable_names(served):
    signature = tf.saved_model.load(str(served[0])).signatures["serving_default"]
    (_, inputs) = signature.structured_input_signature
    assert inputs == {"image_bytes": tf.TensorSpec((None,), tf.string, "image_bytes")}
    outputs = signature.structured_outputs
    assert {name: (spec.dtype, spec.shape.rank) for name, spec in outputs.items()} == {
        "logit": (tf.float32, 1),
        "score": (tf.float32, 1),
    }


def test_takes_jpeg_and_crops_of_any_size_without_stretching(served):
    loaded = tf.saved_model.load(str(served[0]))
    serve = loaded.signatures["serving_default"]
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3)).astype("uint8")
    wide = cv2.imencode(".png", image)[1].tobytes()
    centre = cv2.imencode(".png", image[:, 16:80])[1].tobytes()
    jpeg = cv2.imencode(".jpg", image)[1].tobytes()
    found = serve(image_bytes=tf.constant([wide, centre, jpeg]))
    assert found["logit"][0] == found["logit"][1]
    np.testing.assert_allclose(found["score"], tf.sigmoid(found["logit"]))
    assert np.isfinite(found["score"]).all()


def test_needs_no_python_of_ours(served):
    """The TF1 loader goes the way that TensorFlow Serving goes."""
    path, pipeline, logits = served
    crop = next(iter(pipeline.crops("test")))[0].numpy()
    png = path.parent / "crop.png"
    cv2.imwrite(str(png), crop[..., ::-1])
    program = textwrap.dedent(
        """
        import sys
        import tensorflow.compat.v1 as tf
        with tf.Session(graph=tf.Graph()) as session:
            meta = tf.saved_model.load(session, ["serve"], sys.argv[1])
            signature = meta.signature_def["serving_default"]
            png = open(sys.argv[2], "rb").read()
            feed = {signature.inputs["image_bytes"].name: [png]}
            print(session.run(signature.outputs["logit"].name, feed)[0])
        assert "sfcl_tf" not in sys.modules
        """
    )
    found = subprocess.run(
        [sys.executable, "-c", program, str(path), str(png)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert found.returncode == 0, found.stderr[-2000:]
    assert float(found.stdout) == pytest.approx(logits[0], abs=1e-4)


def test_a_model_that_fails_its_check_is_not_published(tmp_path):
    config = small_config()

    def check(path):
        assert (path / "saved_model.pb").is_file()
        raise ModelError("differs")

    with pytest.raises(ModelError, match="differs"):
        export_savedmodel(small_model(config), config, tmp_path / "1", check)
    assert list(tmp_path.iterdir()) == []


def test_a_crop_too_small_is_named(served):
    loaded = tf.saved_model.load(str(served[0]))
    png = cv2.imencode(".png", np.zeros((24, 40, 3), "uint8"))[1].tobytes()
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 32x32"):
        loaded.signatures["serving_default"](image_bytes=tf.constant([png]))
