"""`sfcl calibrate` on records that were prepared before, with a small model."""

import json

import pytest

from sfcl_tf.cli import main
from sfcl_tf.evaluation import Calibration, Predictions
from sfcl_tf.evaluation.calibrate import calibrate


def lines(run):
    return (run / "evaluations.jsonl").read_text().splitlines()


def test_a_run_is_calibrated_on_its_whole_validation_split(make_run, capsys):
    run = make_run("one")
    assert main(["calibrate", str(run)]) == 0
    out = capsys.readouterr().out
    assert "Before: not calibrated: this was never done." in out
    assert "Calibrated on the validation split: " in out
    predictions = Predictions.read_csv(run / "predictions_val.csv")
    assert len(predictions) == 16
    assert Calibration.read(run) == calibrate(predictions)
    results = json.loads((run / "results_val.json").read_text())
    assert results["calibration"] == json.loads((run / "calibration.json").read_text())
    assert (run / "reference.json").is_file()
    assert (run / "report.html").is_file()
    assert [json.loads(line)["name"] for line in lines(run)] == ["val"]


def test_scores_of_the_same_records_are_not_made_again(finished, capsys):
    before = (finished / "predictions_val.csv").read_bytes(), lines(finished)
    (finished / "calibration.json").write_text("damaged")
    assert main(["calibrate", str(finished)]) == 0
    out = capsys.readouterr().out
    assert "Scores of 16 faces are taken from predictions_val.csv." in out
    assert "Before: calibration.json was damaged." in out
    after = (finished / "predictions_val.csv").read_bytes(), lines(finished)
    assert after == before
    assert Calibration.read(finished).calibrated
    assert not Calibration.read(finished.parent).calibrated


def test_scores_of_a_part_are_made_anew(finished, capsys):
    # As a subset's evaluation left a run before selections had names.
    path = finished / "predictions_val.csv"
    rows = path.read_text().splitlines(keepends=True)
    path.write_text("".join(row for row in rows if "FaceSwap" not in row))
    subset = {"dataset": "ff_c23", "split": "val", "frames": 4, "records": "0123"}
    (finished / "evaluations.jsonl").write_text(json.dumps(subset) + "\n")
    before = (finished / "results.json").read_bytes()
    assert main(["calibrate", str(finished)]) == 0
    assert "are taken from" not in capsys.readouterr().out
    assert len(Predictions.read_csv(path)) == 16
    assert Calibration.read(finished) == calibrate(Predictions.read_csv(path))
    assert (finished / "results.json").read_bytes() == before


def test_what_carries_the_calibration_before_is_named(finished, capsys):
    (finished / "savedmodel/1").mkdir(parents=True)
    engine = finished / "engines/openvino-bf16/engine.json"
    engine.parent.mkdir(parents=True)
    engine.touch()
    assert main(["calibrate", str(finished)]) == 0
    out = capsys.readouterr().out
    assert f"{finished}/savedmodel/1 carries the calibration before." in out
    assert f"sfcl export {finished} --version 1" in out
    assert f"sfcl export {finished} --format openvino --precision bf16" in out
    assert f"sfcl evaluate {finished}" in out


def test_other_validation_records_than_the_epoch_was_chosen_by_are_told(
    finished, capsys
):
    assert main(["calibrate", str(finished)]) == 0
    assert "Warning" not in capsys.readouterr().out
    environment = json.loads((finished / "env.json").read_text())
    environment["records"]["val"] = "0123"
    (finished / "env.json").write_text(json.dumps(environment))
    assert main(["calibrate", str(finished)]) == 0
    assert "is not the one that the run's epoch was chosen by" in (
        capsys.readouterr().out
    )


def test_one_class_calibrates_nothing_and_is_told(make_run, records, capsys):
    run = make_run("one")
    path = records["ff_c23"].folder / "val/manifest.json"
    values = json.loads(path.read_text())
    values["videos"] = [video for video in values["videos"] if not video["label"]]
    path.write_text(json.dumps(values))
    assert main(["calibrate", str(run)]) == 0
    told = capsys.readouterr().out
    assert "Not calibrated: the validation split has no fake video" in told
    assert not Calibration.read(run).calibrated


@pytest.mark.parametrize(
    ("code", "argv", "told"),
    [
        (4, ("absent",), "sfcl train"),
        (4, ("runs/begun",), "runs/begun"),
        (2, ("runs/one", "--workers", "0"), "--workers"),
        (2, ("runs/one", "--address", "local"), "--engine ray"),
    ],
)
def test_what_cannot_be_calibrated_is_an_error(
    place, make_run, fails, code, argv, told
):
    make_run("one")
    (place / "runs/begun").mkdir()
    (place / "runs/begun/config.toml").write_text('[data]\ndataset = "demo"\n')
    assert told in fails(code, "calibrate", *argv)


def test_without_records_it_says_what_is_missing(finished, fails):
    message = fails(3, "calibrate", finished, "--records", "elsewhere")
    assert "Expected FaceForensics++ c23" in message
    assert Calibration.read(finished).calibrated


def test_a_calibration_of_an_earlier_version_is_replaced(finished, capsys):
    earlier = {"temperature": 2.0, "real_to": 0.3, "fake_from": 0.7}
    earlier |= {"calibrated": True, "frames": 64, "ece_before": 0.2, "ece_after": 0.1}
    path = finished / "calibration.json"
    path.write_text(json.dumps({**earlier, "date": "2026-11-25"}), "utf-8")
    assert main(["calibrate", str(finished)]) == 0
    out = capsys.readouterr().out
    assert (
        "Before: slope 0.500, bias +0.000, for an unknown prior; by frame real" in out
    )
    assert "temperature" not in path.read_text("utf-8")
