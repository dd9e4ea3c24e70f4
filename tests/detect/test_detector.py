"""The detector: the same numbers by every engine, whatever it is asked beside."""

import dataclasses
import json
import math
import shutil
import subprocess
import sys
from concurrent import futures

import av
import cv2
import numpy as np
import pytest
from helpers import model_inputs, needs

import sfcl_tf
from sfcl_tf.detect import Detector, SamplingOptions
from sfcl_tf.detect.models import Score, ServedModel
from sfcl_tf.detect.report import limits, summary
from sfcl_tf.evaluation import Calibration, Predictor
from sfcl_tf.evaluation.thresholds import Thresholds
from sfcl_tf.inputs.crop import crop_face
from sfcl_tf.media.video import decode
from sfcl_tf.models import load_model
from sfcl_tf.system.errors import DataError, ModelError, UsageError


@pytest.fixture(scope="module")
def detector(run):
    return Detector.load(run, "tensorflow")


def moments(result):
    return [moment for track in result.tracks for moment in track.moments]


def scores(result):
    return np.array([moment.score for moment in moments(result)])


def test_scores_are_keras_own_of_the_crops_that_training_sees(detector, run, clips):
    result = detector.predict(clips / "face.mp4", fps=5)
    assert (result.status, result.pictures, result.pictures_with_face) == ("ok", 10, 10)
    assert [moment.frame_index for moment in moments(result)] == list(range(0, 50, 5))
    frames = list(decode(clips / "face.mp4"))
    config = detector.model.config
    inputs = []
    for moment in moments(result):
        frame = frames[moment.frame_index].rgb()
        crop = crop_face(frame, moment.box, config.data.margin, 8)
        inputs.append(model_inputs(crop, config.model.image_size))
    batch = {name: np.stack([x[name] for x in inputs]) for name in inputs[0]}
    logits = Predictor(load_model(run))(batch)
    np.testing.assert_allclose([m.logit for m in moments(result)], logits, atol=1e-4)
    calibration = Calibration.read(run)
    np.testing.assert_allclose(scores(result), calibration.score(logits), atol=1e-5)
    assert result.score == pytest.approx(scores(result).mean())
    assert {m.verdict for m in moments(result)} <= {"real", "uncertain", "fake"}
    assert (result.width, result.height, result.frames) == (300, 300, 50)


def test_of_a_short_clip_eight_pictures_are_looked_at(detector, clips):
    result = detector.predict(clips / "face.mp4")
    found = [moment.frame_index for moment in moments(result)]
    assert len(found) == result.pictures == 8
    assert found[0] <= 4
    assert found[-1] >= 45
    assert detector.predict(clips / "face.png").pictures == 1


def test_a_score_depends_on_nothing_beside_it(detector, run, clips):
    video, image = clips / "face.mp4", clips / "face.png"
    alone = detector.predict(video, fps=4)
    picture = detector.predict(image)
    for batch, sources in ((1, [image, video]), (3, [video, video]), (64, [video])):
        other = Detector.load(run, "tensorflow", batch=batch)
        found = other.predict(sources, fps=4)
        np.testing.assert_allclose(scores(found[-1]), scores(alone), atol=1e-5)
        if sources[0] == image:
            np.testing.assert_allclose(scores(found[0]), scores(picture), atol=1e-5)
    assert moments(detector.predict(video, fps=4)) == moments(alone)


@pytest.mark.parametrize(
    "name", ["openvino", pytest.param("onnx", marks=pytest.mark.slow)]
)
def test_engines_agree_and_are_converted_once(detector, run, clips, tmp_path, name):
    needs("openvino" if name == "openvino" else "onnxruntime")
    copy = shutil.copytree(run, tmp_path / "run")
    said = []
    other = Detector.load(copy, name, say=said.append)
    assert other.model.engine == f"{name}, float32"
    assert len(said) == 1
    expected = detector.predict(clips / "face.mp4")
    found = other.predict(clips / "face.mp4")
    np.testing.assert_allclose(scores(found), scores(expected), atol=1e-3)
    np.testing.assert_allclose(
        [m.logit for m in moments(found)],
        [m.logit for m in moments(expected)],
        atol=1e-3,
    )
    again = Detector.load(copy, name, say=said.append)
    assert len(said) == 1
    assert scores(again.predict(clips / "face.png")).shape == (1,)
    folder = copy / "engines" / f"{name}-float32"
    of_folder = Detector.load(folder)
    assert scores(of_folder.predict(clips / "face.png")) == scores(
        again.predict(clips / "face.png")
    )
    # Other weights: converted anew.
    model = load_model(copy)
    model.get_layer("logit").bias.assign([1.0])
    model.save(copy / "model.keras")
    changed = Detector.load(copy, name, say=said.append)
    assert len(said) == 2
    shift = moments(changed.predict(clips / "face.png"))[0].logit
    before = moments(again.predict(clips / "face.png"))[0].logit
    assert shift == pytest.approx(before + 1, abs=1e-3)


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    from sfcl_tf.config import read_config
    from sfcl_tf.serving import export_savedmodel, extra_files

    config = read_config(run / "config.toml")
    path = tmp_path_factory.mktemp("models") / "small" / "3"
    export_savedmodel(
        load_model(run),
        config,
        path,
        calibration=Calibration.read(run),
        extra=extra_files(run, config, {}),
    )
    return path


def test_a_savedmodel_agrees(detector, exported, clips):
    expected = detector.predict(clips / "face.mp4")
    for path in (exported, exported.parent):
        found = Detector.load(path)
        result = found.predict(clips / "face.mp4")
        np.testing.assert_allclose(scores(result), scores(expected), atol=1e-5)
        assert result.verdict == expected.verdict
        assert found.model.reference is not None
        assert found.model.card


@pytest.mark.slow
def test_a_server_agrees(detector, exported, clips, run):
    pytest.importorskip("tensorflow_serving")
    from serving import servers

    expected = detector.predict(clips / "face.mp4")
    with servers.dev_server(exported.parent) as server:
        found = Detector.connect(server.address, run=run)
        result = found.predict(clips / "face.mp4")
        explained = found.model.explain(np.full((64, 64, 3), 99, np.uint8))
    np.testing.assert_allclose(scores(result), scores(expected), atol=1e-5)
    assert (result.verdict, result.reason) == (expected.verdict, expected.reason)
    assert found.model.calibration == Calibration.read(run)
    assert result.real_to == pytest.approx(expected.real_to)
    assert result.fake_from == pytest.approx(expected.fake_from)
    assert explained["heatmap"].ndim == 2
    with pytest.raises(ModelError, match=r"UNAVAILABLE|DEADLINE"):
        Detector.connect("127.0.0.1:1").predict(clips / "face.png")


@pytest.mark.parametrize(
    ("thresholds", "verdict", "shown"),
    [((0.3, 0.7), "fake", (0.3, 0.7)), ((0.5, 0.5), "uncertain", (None, None))],
)
def test_a_server_of_an_earlier_export_has_one_pair_of_thresholds(
    clips, thresholds, verdict, shown
):
    pytest.importorskip("grpc")
    from sfcl_tf.serving.client import Answer

    class Earlier:
        """Answers as exports did that told the thresholds of pictures alone."""

        def score(self, regions):
            for _ in regions:
                told = (math.nan, math.nan, "")
                yield Answer(1.0, 0.75, "fake", "", *thresholds, *told)

    result = Detector(ServedModel(Earlier(), "earlier")).predict(clips / "face.mp4")
    assert (result.verdict, result.score) == (verdict, pytest.approx(0.75))
    assert (result.real_to, result.fake_from) == shown


def test_a_run_with_a_temperature_is_judged_by_its_one_pair(run, clips, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    told = {"temperature": 2.0, "real_to": 0.0, "fake_from": 1e-6, "calibrated": True}
    told |= {"frames": 9, "ece_before": 0.2, "ece_after": 0.1, "date": "2026-01-01"}
    (copy / "calibration.json").write_text(json.dumps(told))
    found = Detector.load(copy, "tensorflow")
    for name in ("face.mp4", "face.png"):
        result = found.predict(clips / name)
        logits = np.array([moment.logit for moment in moments(result)])
        np.testing.assert_allclose(scores(result), 1 / (1 + np.exp(-logits / 2)))
        assert (result.real_to, result.fake_from) == (0.0, 1e-6)
    assert "(the prior)" not in limits(found.model)
    assert "Calibrate it anew" in limits(found.model)
    assert "its prior is unknown" in found.model.card


def test_arrays_files_and_lists(detector, clips, astronaut):
    one = detector.predict(astronaut)
    assert (one.source, one.status, one.pictures) == ("0", "ok", 1)
    image = detector.predict(str(clips / "face.png"))
    np.testing.assert_allclose(scores(one), scores(image))
    found = detector.predict([astronaut, clips / "none.mp4", clips / "grey.mp4"])
    assert [each.status for each in found] == ["ok", "unreadable", "no_face"]
    assert [each.verdict for each in found][1:] == ["", "no_face"]
    assert "nothing at" in found[1].reason
    assert found[2].score is None
    with pytest.raises(DataError, match="nothing at"):
        detector.predict(clips / "none.mp4")
    wrong = (astronaut[..., 0], astronaut[:0], "http://127.0.0.1/a.mp4", 3, b"a", None)
    for source in wrong:
        for given in (source, [source]):
            with pytest.raises(UsageError, match="Expected"):
                detector.predict(given)
    for given in ("a.mp4", 3):
        with pytest.raises(UsageError, match="Expected several"):
            list(detector.results(given))
    (result,) = detector.results([clips / "face.mp4"], frames=3)
    assert result.pictures == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"fps": 0},
        {"frames": -1},
        {"frames": 1.5},
        {"fps": True},
        {"fps": 1, "frames": 1},
        {"faces": "some"},
    ],
)
def test_what_cannot_be_looked_at_is_told(detector, clips, wrong):
    with pytest.raises(UsageError, match="Expected"):
        detector.predict(clips / "face.png", **wrong)


def test_faces_are_counted_and_small_ones_are_not_scored(detector, astronaut):
    wall = np.full((400, 1000, 3), 90, np.uint8)
    wall[40:340, 40:340] = astronaut
    wall[40:340, 600:900] = astronaut[:, ::-1]
    result = detector.predict(wall)
    assert [len(track.moments) for track in result.tracks] == [1, 1]
    assert result.score == max(scores(result))
    assert len(detector.predict(wall, faces="largest").tracks) == 1
    small = cv2.resize(astronaut, (75, 75), interpolation=cv2.INTER_AREA)
    result = detector.predict(small)
    assert (result.status, result.verdict) == ("no_face", "no_face")
    assert "under 46 pixels" in result.reason or "no face" in result.reason


@pytest.mark.parametrize(
    ("scores", "verdict", "told"),
    [
        ((0.75, 0.1), "uncertain", "the highest of 2 real faces may reach 0.800"),
        ((0.85, 0.1), "fake", "1 of 2 faces is called fake"),
        ((0.85, 0.9), "fake", "2 of 2 faces are called fake"),
        ((0.2, 0.1), "real", ""),
    ],
)
def test_each_face_more_is_a_chance_of_a_false_alarm(
    detector, astronaut, monkeypatch, scores, verdict, told
):
    def fixed(faces):
        for _, score in zip(faces, scores, strict=True):
            yield Score(0.0, score)

    monkeypatch.setattr(detector.model, "scores", fixed)
    wall = np.full((400, 1000, 3), 90, np.uint8)
    wall[40:340, 40:340] = astronaut
    wall[40:340, 600:900] = astronaut[:, ::-1]
    result = detector.predict(wall)
    assert result.verdict == verdict
    assert result.faces_fake == sum(score > 0.8 for score in scores)
    assert told in result.reason
    assert (result.real_to, result.fake_from) == (0.3, 0.8)
    assert told in summary(result)
    assert told in json.loads(result.to_json())["reason"]


def test_files_are_read_in_a_process_of_their_own(run, clips, detector):
    with Detector.load(run, "tensorflow", isolated=True) as isolated:
        found = isolated.predict([clips / "none.mp4", clips / "face.mp4"])
    assert found[0].status == "unreadable"
    assert moments(found[1]) == moments(detector.predict(clips / "face.mp4"))


def test_an_error_of_ours_costs_its_own_file(detector, clips, monkeypatch):
    real, calls = detector.model.scores, []

    def once(faces):
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("out of luck")
        return real(faces)

    monkeypatch.setattr(detector.model, "scores", once)
    found = detector.predict([clips / "face.png", clips / "face.png"])
    assert [each.status for each in found] == ["failed", "ok"]
    assert "out of luck" in found[0].reason


def test_memory_holds_a_bounded_number_of_moments(detector, clips):
    from sfcl_tf.detect.highlights import Highlights

    kept = Highlights(most=6)
    sampling = SamplingOptions(fps=25.0, previews=True)
    result = detector.examine(clips / "face.mp4", sampling, on_face=kept)
    assert 3 <= len(kept.all()) <= 6
    best = max(moments(result), key=lambda moment: moment.score)
    assert kept.worst(1)[0].moment == best
    assert kept.all()[0].preview[:2] == b"\xff\xd8"
    times = [each.moment.time for each in kept.all()]
    assert times == sorted(times)


def test_models_that_are_none_are_told(run, tmp_path):
    with pytest.raises(ModelError, match="Expected a run's directory"):
        Detector.load(tmp_path)
    with pytest.raises(UsageError, match="Expected an engine"):
        Detector.load(run, "abacus")
    shutil.copy(run / "config.toml", tmp_path)
    with pytest.raises(ModelError, match="--resume"):
        Detector.load(tmp_path)
    with pytest.raises(ModelError, match="int8"):
        Detector.load(run, "openvino", "int8")
    with pytest.raises(ModelError, match="float32 with TensorFlow"):
        Detector.load(run, "tensorflow", "bf16")
    with pytest.raises(UsageError, match="batch"):
        Detector.load(run, batch=0)


def test_the_package_offers_it():
    assert sfcl_tf.Detector is Detector
    assert dataclasses.is_dataclass(sfcl_tf.detect.Result)


@pytest.mark.slow
def test_several_threads_get_the_same_scores(detector, clips, run):
    with Detector.load(run, "tensorflow", isolated=True) as isolated:
        for each in (detector, isolated):
            with futures.ThreadPoolExecutor(4) as pool:
                found = list(pool.map(each.predict, [clips / "face.mp4"] * 8))
            assert len({result.score for result in found}) == 1


def test_a_damaged_video_is_not_called_real(detector, clips, tmp_path, monkeypatch):
    data = bytearray((clips / "face.mp4").read_bytes())
    with av.open(str(clips / "face.mp4")) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.size]
    for place in places[20:23]:
        data[place : place + 8] = b"\xff" * 8  # the length of its first unit
    (tmp_path / "damaged.mp4").write_bytes(data)
    real = Calibration(levels=(Thresholds(0.98, 0.99),), calibrated=True)
    monkeypatch.setattr(detector.model, "calibration", real)
    monkeypatch.setattr(detector.model, "reference", None)
    assert detector.predict(clips / "face.mp4").damaged == 0
    result = detector.predict(tmp_path / "damaged.mp4")
    assert result.damaged == 3
    assert result.verdict == "uncertain"
    assert "damaged" in result.reason


def test_video_unlike_what_was_trained_on_is_not_called_real(
    detector, clips, tmp_path, monkeypatch, astronaut
):
    real = Calibration(levels=(Thresholds(0.98, 0.99),), calibrated=True)
    monkeypatch.setattr(detector.model, "calibration", real)
    monkeypatch.setattr(detector.model, "reference", None)
    assert detector.predict(clips / "face.mp4").verdict == "real"
    with av.open(str(tmp_path / "hdr.mp4"), "w") as container:
        track = container.add_stream("libx264", rate=25)
        track.height, track.width = astronaut.shape[:2]
        track.pix_fmt = "yuv420p"
        track.codec_context.color_trc = 18
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(astronaut, format="rgb24")
            container.mux(track.encode(frame))
        container.mux(track.encode())
    result = detector.predict(tmp_path / "hdr.mp4")
    assert result.verdict == "uncertain"
    assert "it is HDR video (HLG)" in result.reason


def test_what_is_out_of_the_ordinary_is_told(detector, clips, tmp_path):
    part = tmp_path / "part.ts"
    with av.open(str(clips / "face.mp4")) as before, av.open(str(part), "w") as after:
        track = after.add_stream_from_template(before.streams.video[0])
        for packet in before.demux(video=0):
            if packet.dts is not None:
                packet.stream = track
                after.mux(packet)
    (tmp_path / "joined.ts").write_bytes(2 * part.read_bytes())
    result = detector.predict(tmp_path / "joined.ts")
    assert result.frames == 100
    assert result.pictures == 8
    assert "its time begins anew once, as where files were joined" in result.reason


def test_a_file_is_what_it_holds_not_what_it_is_called(detector, clips, tmp_path):
    for name, other in (("face.mp4", "a.jpg"), ("face.png", "b.mp4")):
        shutil.copy(clips / name, tmp_path / other)
        found, expected = (
            detector.predict(path) for path in (tmp_path / other, clips / name)
        )
        assert moments(found) == moments(expected)


SCRIPT = """
import sys
from sfcl_tf import Detector
detector = Detector.load(sys.argv[1], "tensorflow", isolated=True)
print(list(detector.results([sys.argv[2]])))
"""


@pytest.mark.slow
def test_a_script_without_a_main_guard_is_told(run, clips, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    found = subprocess.run(
        [sys.executable, str(script), str(run), str(clips / "face.png")],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert found.returncode == 1
    assert "__main__" in found.stderr.splitlines()[-1]
    assert found.stdout == ""


def test_another_run_than_the_one_that_is_served_is_told(
    exported, clips, run, tmp_path
):
    pytest.importorskip("tensorflow_serving")
    from serving import servers

    other = shutil.copytree(run, tmp_path / "other")
    Calibration(levels=(Thresholds(0.1, 0.2),), calibrated=True).write(other)
    with servers.dev_server(exported.parent) as server:
        detector = Detector.connect(server.address, run=other)
        with pytest.raises(ModelError, match="another one"):
            detector.predict(clips / "face.png")
    with pytest.raises(ModelError, match=r"config\.toml"):
        Detector.connect("127.0.0.1:1", run=tmp_path / "none")
