"""`sfcl evaluate` on records that were prepared before, with small models."""

import json

import keras
import pytest

import sfcl_tf
from sfcl_tf.cli import main
from sfcl_tf.system.errors import ModelError, UsageError


def read(path):
    return json.loads(path.read_text())


def test_a_run_is_evaluated_by_its_calibration_and_it_is_noted(make_run, capsys):
    keras.utils.set_random_seed(7)  # weights that happen to find fakes
    run = make_run("one")
    assert main(["calibrate", str(run)]) == 0
    assert main(["evaluate", str(run), "--fpr", "0.1"]) == 0
    results = read(run / "results.json")
    assert results["summary"]["frame"]["n"] == 16
    assert results["calibration"] == read(run / "calibration.json")
    assert results["calibration"]["calibrated"]
    assert set(results["verdicts"]["video"]) == {
        "uncertain",
        "error",
        "reals_called_fake",
        "fakes_called_real",
        "ece",
        "balanced_ece",
        "log_loss",
    }
    lines = (run / "evaluations.jsonl").read_text().splitlines()
    seen = [json.loads(line) for line in lines]
    assert [(x["dataset"], x["split"]) for x in seen] == [
        ("ff_c23", "val"),
        ("ff_c23", "test"),
    ]
    out = capsys.readouterr().out
    assert "for a prior of 0.5; balanced ECE" in out
    for level in ("frame", "video"):
        assert f"Verdicts    by {level} real up to" in out
        assert f"Threshold   by {level}" in out
    assert "reaches 10.00 % of the validation split's reals" in out
    assert "Baseline" not in out
    html = (run / "report.html").read_text()
    assert "95 % interval" in html
    for name in ("roc", "reliability", "groups", "overview"):
        assert (run / f"plots/{name}.svg").is_file()


def test_several_data_sets_are_pooled_and_a_bad_one_is_told(make_run, capsys):
    run = make_run("one")
    argv = ["evaluate", str(run), "--dataset", "ff_c23", "celebdf_v2", "ff_c40"]
    assert main(argv) == 3
    out = capsys.readouterr().out
    assert "celebdf_v2: Expected" in out
    assert "Not evaluated: 1 of 3" in out
    pooled = read(run / "results_pooled.json")
    assert pooled["dataset"] == "test + ff_c40_test_4"
    assert pooled["summary"]["video"]["n"] == 8
    assert read(run / "results_ff_c40_test_4.json")["summary"]["frame"]["n"] == 16
    assert "ff_c40, test" in (run / "report.html").read_text()


def test_a_baseline_on_the_same_records_stands_beside(make_run, capsys):
    run = make_run("one")
    base = make_run("b4", "model.name=efficientnet_b4", "train.seed=5")
    assert main(["evaluate", str(run)]) == 0
    found = read(run / "results.json")["baseline"]
    assert (found["run"], found["n"], found["left_out"]) == ("b4", 16, 0)
    assert "Baseline    efficientnet_b4 (b4)" in capsys.readouterr().out
    assert "trained on the same data" in (run / "report.html").read_text()
    assert (run / "predictions_test_efficientnet_b4.csv").is_file()
    # Its own scores are taken once it has some, and other records are another thing.
    assert main(["evaluate", str(base)]) == 0
    (run / "predictions_test_efficientnet_b4.csv").unlink()
    assert main(["evaluate", str(run)]) == 0
    assert not (run / "predictions_test_efficientnet_b4.csv").exists()
    (base / "env.json").write_text('{"run_format": 1, "dataset": "ff_c40"}')
    assert main(["evaluate", str(run)]) == 0
    assert "baseline" not in read(run / "results.json")


def test_a_baseline_that_was_trained_otherwise_is_not_compared(make_run, capsys):
    run = make_run("one")
    make_run("b4", "model.name=efficientnet_b4", "train.epochs=1")
    assert main(["evaluate", str(run)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "the difference is" not in out
    told = "(b4) comes closest: train.epochs 1 instead of 2."
    assert f"Baseline none was trained alike; efficientnet_b4 {told}" in out
    assert read(run / "results.json")["baseline"] == {
        "run": "b4",
        "model": "efficientnet_b4",
        "differences": ["train.epochs 1 instead of 2"],
    }
    assert not (run / "predictions_test_efficientnet_b4.csv").exists()
    html = (run / "report.html").read_text()
    assert "is not compared: train.epochs 1 instead of 2." in html
    assert "trained on the same data" not in html


@pytest.mark.slow
def test_scores_of_another_baseline_are_not_taken_for_this_ones(make_run, capsys):
    run = make_run("one")
    for name in ("b4", "b4_newer"):
        make_run(name, "model.name=efficientnet_b4", f"train.seed={len(name)}")
        assert main(["evaluate", str(run)]) == 0
        found = read(run / "results.json")["baseline"]
        assert found["run"] == name
        assert main(["evaluate", str(run.parent / name)]) == 0
        other = read(run.parent / name / "results.json")["summary"]["frame"]["auc"]
        assert found["frame"]["two"] == pytest.approx(other)


def test_two_runs_are_compared_on_the_same_faces(make_run, place, capsys, fails):
    one, two = make_run("one"), make_run("two", "train.seed=5")
    assert main(["evaluate", str(one), str(two), "--paired"]) == 0
    found = read(one / "paired_two.json")
    frame = found["data"]["test"]["frame"]
    assert frame["difference"] == pytest.approx(frame["one"] - frame["two"])
    assert frame["interval"] is None  # of two videos of each class
    assert (one / "plots/paired_two.png").is_file()
    printed = capsys.readouterr().out
    assert "AUC of one against two" in printed
    assert "too few" in printed
    assert "--paired" in fails(2, "evaluate", one, two)
    assert "two with --paired" in fails(2, "evaluate", one, "--paired")


def test_records_that_are_damaged_are_told(make_run, records, capsys):
    run = make_run("one")
    shard = records["ff_c23"].shards("test")[0]
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 255
    shard.write_bytes(content)
    assert main(["evaluate", str(run)]) == 3
    assert "whole records in the split test" in capsys.readouterr().err
    assert not (run / "results.json").exists()


def test_evaluating_does_not_calibrate_and_names_what_does(make_run, capsys):
    run = make_run("one")
    assert main(["evaluate", str(run)]) == 0
    out = capsys.readouterr().out
    assert "Not calibrated: verdicts are by a threshold of 0.5." in out
    assert f"sfcl calibrate {run}" in out
    results = read(run / "results.json")
    assert results["calibration"]["calibrated"] is False
    assert not (run / "calibration.json").exists()


def test_a_degraded_split_has_files_of_its_own_and_needs_no_records(make_run, place):
    run = make_run("one")
    assert main(["evaluate", str(run)]) == 0
    before = {path: path.read_bytes() for path in run.rglob("*test*") if path.is_file()}
    shards = {path: path.read_bytes() for path in place.rglob("*.tfrecord")}
    assert main(["evaluate", str(run), "--degrade", "jpeg=50", "--degrade=blur=1"]) == 0
    name = "ff_c23_test_4_blur-1_jpeg-50"
    found = read(run / f"results_{name}.json")
    assert found["data"]["degraded"] == ["blur=1", "jpeg=50"]
    assert found["data"]["title"] == "ff_c23, test, 4 frames, blur=1, jpeg=50"
    clean = read(run / "results.json")
    assert found["summary"]["frame"]["n"] == clean["summary"]["frame"]["n"]
    assert (
        found["summary"]["frame"]["log_loss"] != clean["summary"]["frame"]["log_loss"]
    )
    assert (run / f"plots_{name}/roc.png").is_file()
    assert "blur=1, jpeg=50" in (run / "report.html").read_text()
    assert {path: path.read_bytes() for path in before} == before
    assert {path: path.read_bytes() for path in place.rglob("*.tfrecord")} == shards
    last = json.loads((run / "evaluations.jsonl").read_text().splitlines()[-1])
    assert last["degraded"] == ["blur=1", "jpeg=50"]


def test_a_degradation_that_is_none_is_told(fails, make_run):
    message = fails(2, "evaluate", make_run("one"), "--degrade", "sepia=3")
    assert "such as jpeg=50" in message


def test_the_function_gives_what_the_command_writes_and_prints_nothing(
    make_run, capsys
):
    run = sfcl_tf.Run(make_run("one"))
    seen = []

    class Seen(sfcl_tf.Progress):
        def evaluated(self, run, evaluation):
            seen.append(evaluation)

    found = sfcl_tf.evaluate(run, split="val", progress=Seen())
    assert capsys.readouterr().out == ""
    assert seen == [found]
    assert found.name == "val"
    assert found.results == read(run.path("results_val.json"))
    assert len(found.predictions) == found.results["summary"]["frame"]["n"]


def test_a_run_that_is_not_there_is_told_to_programs_too(place):
    for absent in ("gone", place / "gone", sfcl_tf.Run(place / "gone")):
        with pytest.raises(ModelError, match="Expected a run's directory"):
            sfcl_tf.evaluate(absent)


def test_a_degradation_is_told_before_anything_is_prepared(make_run):
    with pytest.raises(UsageError, match="several times"):
        sfcl_tf.evaluate(make_run("one"), degrade=["jpeg=50", "jpeg=20"])
