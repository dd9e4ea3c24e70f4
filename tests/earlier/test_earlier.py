"""What the release before wrote is read, and gives what it gave; see `make`."""

import json
from pathlib import Path

import numpy as np
import pytest
from earlier.make import DATA, EXPORT, HERE, RUN, answers, detect, unpack

import sfcl_tf
from sfcl_tf.cli import main
from sfcl_tf.config import override, read_config
from sfcl_tf.detect import Detector
from sfcl_tf.evaluation import Calibration
from sfcl_tf.evaluation.calibrate import calibrate
from sfcl_tf.evaluation.predictions import Predictions
from sfcl_tf.evaluation.predictor import Predictor
from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.models import load_model
from sfcl_tf.records.manifest import read_manifest
from sfcl_tf.training import train

SCORES = json.loads((HERE / "scores.json").read_text("utf-8"))
RECORDS = Path("records/ff_c23-c4933f92")


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    """A copy of the folder that somebody worked in, as the working folder."""
    for name in ("SFCL_DATA", "SFCL_RECORDS", "SFCL_RUNS", "SFCL_WEIGHTS", "TF_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    unpack("workspace", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check_same(found, told):
    """Checks that all that was told is found, but for how it is worded."""
    if isinstance(told, dict):
        for key in told.keys() - {"reason"}:
            check_same(found[key], told[key])
    elif isinstance(told, list):
        assert len(found) == len(told)
        for one, other in zip(found, told, strict=True):
            check_same(one, other)
    elif isinstance(told, float):
        assert found == pytest.approx(told, rel=1e-5, abs=1e-5)
    else:
        assert found == told


def read(path):
    return json.loads(Path(path).read_text("utf-8"))


def logits(folder, split):
    pipeline = InputPipeline(
        read_manifest(RECORDS), read_config(folder / "config.toml")
    )
    return Predictor(load_model(folder)).logits(pipeline.evaluation(split))[1]


@pytest.mark.parametrize("split", ["val", "test"])
def test_old_records_give_the_scores_they_gave(split):
    told = Predictions.read_csv(RUN / f"predictions_{split}.csv").logit
    np.testing.assert_allclose(logits(RUN, split), told, rtol=1e-5, atol=1e-5)


def test_old_records_are_not_prepared_again(capsys):
    shards = sorted(RECORDS.rglob("*.tfrecord"))
    before = [path.stat().st_mtime_ns for path in shards]
    assert main(["prepare", "ff_c23", *DATA]) == 0
    assert "12 of 12 videos were prepared before" in capsys.readouterr().out
    assert sorted(Path("records").rglob("*.tfrecord")) == shards
    assert [path.stat().st_mtime_ns for path in shards] == before


def test_an_old_model_of_our_own_layers_gives_the_logits_it_gave(workspace):
    unpack("sfcl_hcmf", workspace / "sfcl_hcmf")
    scale = np.abs(SCORES["sfcl_hcmf"]).max()
    found = logits(workspace / "sfcl_hcmf", "test")
    np.testing.assert_allclose(found / scale, SCORES["sfcl_hcmf"] / scale, atol=1e-5)


def test_an_old_run_is_evaluated_as_it_was():
    scored = RUN / "predictions_test.csv"
    before, told = read(RUN / "results.json"), Predictions.read_csv(scored)
    calibration = (RUN / "calibration.json").read_bytes()
    scored.unlink()
    found = sfcl_tf.evaluate(RUN)
    for part in ("summary", "verdicts", "calibration", "coverage"):
        check_same(found.results[part], before[part])
        check_same(read(RUN / "results.json")[part], before[part])
    now = Predictions.read_csv(scored)
    assert now.video_id.tolist() == told.video_id.tolist()
    np.testing.assert_allclose(now.logit, told.logit, rtol=1e-5, atol=1e-5)
    assert (RUN / "calibration.json").read_bytes() == calibration


def test_an_old_run_is_calibrated_as_it_was():
    found = calibrate(Predictions.read_csv(RUN / "predictions_val.csv"))
    told = read(RUN / "calibration.json")
    check_same(json.loads(found.to_json()), told | {"date": found.date})
    assert Calibration.read(RUN).calibrated


def test_an_old_run_is_listed_with_its_figures(capsys):
    assert main(["runs"]) == 0
    row = next(x for x in capsys.readouterr().out.splitlines() if "meso4" in x)
    assert "done" in row
    assert "100.00" in row


def test_an_old_run_is_exported_to_what_its_export_answered():
    exported = sfcl_tf.export(RUN, to=Path("exported"))
    assert exported.record["frames"] == 12
    assert exported.record["max_abs_difference"] <= 1e-5
    check_same(answers(exported.path, RECORDS), SCORES["export"])


def test_an_old_export_answers_what_it_answered():
    check_same(answers(EXPORT, RECORDS), SCORES["export"])


@pytest.mark.parametrize("path", [RUN, EXPORT], ids=["run", "export"])
def test_what_was_detected_is_detected(path):
    pytest.importorskip("skimage")
    found = detect(Detector.load(path, "tensorflow"), detector="hog")
    check_same(found, SCORES["detected"][str(path)])


def test_an_old_export_is_served():
    pytest.importorskip("skimage")
    pytest.importorskip("tensorflow_serving")
    from serving import servers

    with servers.dev_server(EXPORT.parent) as server:
        found = detect(Detector.connect(server.address), detector="hog")
    told = SCORES["detected"][str(EXPORT)]
    check_same(found, told | {"model": f"{server.address}/sfcl"})


def test_an_old_training_is_finished_and_goes_on_as_it_would_have(capsys):
    assert main(["train", "--resume", str(RUN)]) == 0
    assert "is finished" in capsys.readouterr().out
    manifest, before = read_manifest(RECORDS), logits(RUN, "test")
    for split, digest in read(RUN / "env.json")["records"].items():
        assert manifest.digest(split) == digest
    config = override(read_config(RUN / "config.toml"), [("train.epochs", 4)])
    training = train(config, InputPipeline(manifest, config), RUN)
    for name in ("epoch", "loss", "val_loss", "auc", "val_auc"):
        found, told = training.history[-1][name], SCORES["resumed"][name]
        assert found == pytest.approx(told, rel=1e-4), name
    # The epoch that was chosen before is chosen still.
    np.testing.assert_allclose(logits(RUN, "test"), before, rtol=1e-5)
