"""What the SavedModel answers, by signature, in this process."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_data import small_config

from sfcl_tf.evaluation import Calibration
from sfcl_tf.serving.signatures import MAX_BOXES, MAX_FACES

from .images import BAD_IMAGES, jpeg, png

STRING, FLOAT = tf.string, tf.float32
ANSWERS = {"logit": FLOAT, "score": FLOAT, "verdict": STRING, "status": STRING}


@pytest.fixture(scope="module")
def ask(served):
    signatures = tf.saved_model.load(str(served.path)).signatures

    def call(name="serving_default", **inputs):
        tensors = {k: tf.constant(v) for k, v in inputs.items()}
        return {k: v.numpy() for k, v in signatures[name](**tensors).items()}

    call.signatures = signatures
    return call


def test_names_and_ranks_are_stable(ask):
    found = {
        name: (
            {
                k: (v.dtype, v.shape.rank)
                for k, v in f.structured_input_signature[1].items()
            },
            {k: (v.dtype, v.shape.rank) for k, v in f.structured_outputs.items()},
        )
        for name, f in ask.signatures.items()
    }
    encoded = {"image_bytes": (STRING, 1)}
    by_face = {k: (v, 1) for k, v in ANSWERS.items()}
    shown = {"status": (STRING, 1), "logit": (FLOAT, 1), "score": (FLOAT, 1)}
    assert found == {
        "serving_default": (encoded, by_face),
        "crops": ({"crops": (tf.uint8, 4)}, by_face),
        "frame": (
            encoded | {"boxes": (FLOAT, 3)},
            {k: (v, 2) for k, v in ANSWERS.items()}
            | {"real_to": (FLOAT, 2), "fake_from": (FLOAT, 2)}
            | {"video_real_to": (FLOAT, 2), "video_fake_from": (FLOAT, 2)}
            | {"calibration": (STRING, 1)},
        ),
        "features": (encoded, {"embedding": (FLOAT, 2), "status": (STRING, 1)}),
        "explain": (
            encoded,
            shown | {"heatmap": (FLOAT, 3), "bands": (FLOAT, 3), "blocks": (FLOAT, 3)},
        ),
    }


def test_every_signature_agrees_with_keras(ask, served):
    crops, expected = served.crops, served.logits
    encoded = [png(crop) for crop in crops]
    frames = [np.pad(c, ((16, 40), (24, 32), (0, 0)), mode="edge") for c in crops]
    height, width = crops[0].shape[:2]
    # The box whose 1.3x square is the crop.
    side = round(height / 1.3)
    x, y = 24 + (width - side) / 2, 16 + (height - side) / 2
    boxes = np.full((len(frames), 3, 4), -1, np.float32)
    boxes[:, 1] = x, y, x + side, y + side
    found = {
        "serving_default": ask(image_bytes=encoded)["logit"],
        "crops": ask("crops", crops=np.stack(crops))["logit"],
        "frame": ask("frame", image_bytes=[png(f) for f in frames], boxes=boxes)[
            "logit"
        ][:, 1],
        "explain": ask("explain", image_bytes=encoded)["logit"],
    }
    for name, logit in found.items():
        np.testing.assert_allclose(logit, expected, atol=1e-5, err_msg=name)
    embedding = ask("features", image_bytes=encoded)["embedding"]
    last = served.model.get_layer("logit")
    np.testing.assert_allclose(last(embedding)[:, 0], expected, atol=1e-5)


def test_score_and_verdict_follow_the_calibration(ask, served):
    found = ask(image_bytes=[png(crop) for crop in served.crops])
    score = served.calibration.score(served.logits)
    np.testing.assert_allclose(found["score"], score, atol=1e-5)
    verdict = served.calibration.verdict(score)
    assert found["verdict"].astype(str).tolist() == verdict.tolist()
    assert set(verdict) == {"real", "uncertain", "fake"}


def test_a_frame_tells_whoever_averages_the_thresholds_of_means(ask, served):
    frames = [png(crop) for crop in served.crops[:3]]
    side = float(served.crops[0].shape[0])
    boxes = np.full((3, 2, 4), [0, 0, side, side], np.float32)
    found = ask("frame", image_bytes=frames, boxes=boxes)
    for prefix, level in (
        ("", served.calibration.frame),
        ("video_", served.calibration.video),
    ):
        for name in ("real_to", "fake_from"):
            expected = np.full((3, 2), getattr(level, name))
            np.testing.assert_allclose(found[prefix + name], expected, rtol=1e-6)
    assert not np.allclose(found["real_to"], found["video_real_to"])
    for told in found["calibration"]:
        assert Calibration.from_dict(json.loads(told)) == served.calibration


def test_an_explained_score_is_calibrated_too(ask, served):
    found = ask("explain", image_bytes=[png(crop) for crop in served.crops[:4]])
    score = served.calibration.score(found["logit"])
    np.testing.assert_allclose(found["score"], score, atol=1e-5)


def test_without_calibration_the_score_is_the_sigmoid_and_no_verdict_is_given(served):
    from sfcl_tf.serving.signatures import Signatures

    plain = Signatures(served.model, served.config, Calibration())
    found = plain.score_crops(tf.constant(np.stack(served.crops)))
    np.testing.assert_allclose(found["score"], tf.sigmoid(found["logit"]), rtol=1e-6)
    assert set(found["verdict"].numpy()) == {b"uncertain"}


def test_one_bad_image_stays_its_own_problem(ask, served):
    good = png(served.crops[0])
    batch = [good]
    for bad, _ in BAD_IMAGES.values():
        batch += [bad, good]
    batch += [good[: len(good) // 2], jpeg(served.crops[0])[:-400]]
    for name in ("serving_default", "features", "explain"):
        found = ask(name, image_bytes=batch)
        status = found.pop("status").astype(str)
        found.pop("verdict", None)
        for row, image in enumerate(batch):
            for output, values in found.items():
                if image == good:
                    np.testing.assert_allclose(
                        values[row], values[0], 1e-5, 1e-5, err_msg=output
                    )
                    assert np.isfinite(values[row]).all()
                else:
                    assert np.isnan(values[row]).all(), (row, output)
        assert all((s == "") == (i == good) for s, i in zip(status, batch, strict=True))
        for place, (_, told) in enumerate(BAD_IMAGES.values()):
            assert told in status[2 * place + 1]
    assert "decodes as a whole" in ask(image_bytes=batch)["status"].astype(str)[-1]


def test_faces_of_a_frame_do_not_disturb_each_other(ask, served):
    frame = np.pad(served.crops[0], ((16, 40), (24, 32), (0, 0)), mode="edge")
    good = [30.0, 20, 70, 60]
    inf, nan = float("inf"), float("nan")
    rows = {
        "good": good,
        "unused": [-1.0] * 4,
        "reversed": [70, 60, 30, 20],
        "nan": [30, nan, 70, 60],
        "infinite": [30, 20, inf, 60],
        "tiny": [30, 20, 34, 24],
        "outside": [5000, 5000, 5040, 5040],
        "left of it": [-90, 20, -50, 60],
        "partly outside": [-20, 20, 20, 60],
        "enormous": [-1e30, -1e30, 1e30, 1e30],
    }
    boxes = np.array([list(rows.values())], np.float32)
    alone = ask("frame", image_bytes=[png(frame)], boxes=boxes[:, :1])["logit"][0, 0]
    found = ask("frame", image_bytes=[png(frame)], boxes=boxes)
    status = dict(zip(rows, found["status"][0].astype(str), strict=True))
    logit = dict(zip(rows, found["logit"][0], strict=True))
    # A crop is shifted into the frame.
    scored = {"good", "partly outside", "enormous"}
    assert {name for name, text in status.items() if not text} == scored
    assert logit["good"] == pytest.approx(alone, abs=1e-5)
    assert all(np.isnan(logit[name]) == (name not in scored) for name in rows)
    assert "box is empty" in status["unused"]
    assert "outside of the image" in status["outside"]
    assert "outside of the image" in status["left of it"]
    assert "at least 32x32" in status["tiny"]


def test_a_bad_frame_leaves_the_others_alone(ask, served):
    frame = png(np.pad(served.crops[0], ((16, 40), (24, 32), (0, 0)), mode="edge"))
    boxes = np.array([[[30, 20, 70, 60]]] * 3, np.float32)
    found = ask("frame", image_bytes=[frame, b"junk", frame], boxes=boxes)
    assert np.isnan(found["score"][1, 0])
    assert found["score"][0, 0] == found["score"][2, 0]
    assert found["status"][:, 0].astype(str).tolist()[::2] == ["", ""]


def test_empty_requests_have_empty_answers(ask):
    assert ask(image_bytes=np.zeros(0, object).astype("S1"))["score"].shape == (0,)
    found = ask("crops", crops=np.zeros((0, 64, 64, 3), np.uint8))
    assert found["status"].shape == (0,)
    found = ask("crops", crops=np.zeros((2, 0, 0, 3), np.uint8))
    assert np.isnan(found["score"]).all()
    found = ask("frame", image_bytes=[b"x"] * 2, boxes=np.zeros((2, 0, 4), np.float32))
    assert found["score"].shape == (2, 0)


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("serving_default", {"image_bytes": [b""] * (MAX_FACES + 1)}),
        ("crops", {"crops": np.zeros((MAX_FACES + 1, 0, 0, 3), np.uint8)}),
        (
            "frame",
            {"image_bytes": [b""], "boxes": np.zeros((1, MAX_BOXES + 1, 4), "f")},
        ),
        (
            "frame",
            {"image_bytes": [b""] * 100, "boxes": np.zeros((100, 20, 4), "f")},
        ),
        ("explain", {"image_bytes": [b""] * (MAX_FACES + 1)}),
    ],
)
def test_a_request_has_a_bounded_number_of_faces(ask, name, inputs):
    with pytest.raises(tf.errors.InvalidArgumentError, match="Expected at most"):
        ask(name, **inputs)


def test_more_faces_than_go_through_the_network_together(ask, served):
    rows = np.arange(75) % len(served.crops)
    found = ask("crops", crops=np.stack(served.crops)[rows])["logit"]
    np.testing.assert_allclose(found, served.logits[rows], atol=1e-5)
    encoded = np.array([png(crop) for crop in served.crops], object)[rows[:19]]
    found = ask("explain", image_bytes=encoded.tolist())
    np.testing.assert_allclose(found["logit"], served.logits[rows[:19]], atol=1e-5)
    alone = ask("explain", image_bytes=[encoded[-1]])
    np.testing.assert_allclose(found["bands"][-1], alone["bands"][0], atol=1e-4)


def test_as_many_frames_as_rows_of_boxes(ask):
    with pytest.raises(tf.errors.InvalidArgumentError, match="as many images"):
        ask("frame", image_bytes=[b""], boxes=np.zeros((2, 1, 4), "f"))


def test_crops_of_any_size_are_never_stretched(ask):
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3)).astype("uint8")
    found = ask(image_bytes=[png(image), png(image[:, 16:80]), jpeg(image)])
    assert found["logit"][0] == found["logit"][1]
    assert np.isfinite(found["score"]).all()
    together = ask("crops", crops=image[None])
    np.testing.assert_allclose(together["logit"][0], found["logit"][0], atol=1e-5)


def test_jpeg_is_decoded_as_others_decode_it(ask, served):
    import cv2

    image = served.crops[0]
    decoded = cv2.imdecode(np.frombuffer(jpeg(image), np.uint8), 1)[..., ::-1]
    logit = ask(image_bytes=[jpeg(image)])["logit"]
    np.testing.assert_allclose(logit, served.keras([decoded]), atol=1e-5)


def test_band_contributions_are_the_slope_along_each_band(ask, served):
    """Oracle: central differences of the logit while a band is scaled."""
    crop = served.crops[0]
    found = ask("explain", image_bytes=[png(crop)])["bands"][0]
    bands = served.model.get_layer("standardize_dct").output
    front = keras.Model(served.model.input, bands)
    behind = keras.Model([bands, served.model.input["sida"]], served.model.output)
    from helpers import model_inputs

    inputs = model_inputs(crop, served.config.model.image_size)
    inputs = {name: value[None] for name, value in inputs.items()}
    values = front(inputs).numpy()
    for channel, band in ((0, 0), (0, 5), (1, 1), (2, 63)):
        step = np.zeros_like(values)
        step[..., channel, band] = 1e-2 * values[..., channel, band]
        up, down = (
            behind([tf.constant(values + sign * step), inputs["sida"]]).numpy()[0, 0]
            for sign in (1, -1)
        )
        slope = (up - down) / 2e-2
        assert found[channel, band] == pytest.approx(slope, abs=2e-4), (channel, band)


def test_the_heatmap_is_grad_cam(ask, served):
    from helpers import model_inputs

    from sfcl_tf.models.views import last_map

    crop = served.crops[0]
    found = ask("explain", image_bytes=[png(crop)])["heatmap"][0]
    spatial = served.model.get_layer(last_map(served.model)).output
    front = keras.Model(served.model.input, spatial)
    behind = keras.Model([spatial, served.model.input["sida"]], served.model.output)
    inputs = model_inputs(crop, served.config.model.image_size)
    inputs = {name: value[None] for name, value in inputs.items()}
    values = tf.Variable(front(inputs))
    with tf.GradientTape() as tape:
        logit = behind([values, inputs["sida"]])
    weights = tape.gradient(logit, values).numpy().mean((1, 2))[0]
    expected = np.maximum(values.numpy()[0] @ weights, 0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_luma_alone_is_explained_for_one_channel():
    from helpers import small_model

    from sfcl_tf.evaluation import Calibration
    from sfcl_tf.serving.signatures import Signatures

    config = small_config("data.dct_channels=y")
    signatures = Signatures(small_model(config), config, Calibration())
    crop = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype("uint8")
    assert signatures.explain(tf.constant([png(crop)]))["bands"].shape == (1, 1, 64)
