"""`sfcl evaluate` on records that were prepared before, with small models."""

import json

import pytest
from helpers import small_model
from small_data import small_config, small_manifest

from sfcl_tf.cli import main
from sfcl_tf.config import to_toml
from sfcl_tf.data.cards import load_card
from sfcl_tf.data.listing import SPLITS
from sfcl_tf.data.manifest import Settings, records_folder, write_manifest
from sfcl_tf.training import fill_standardize
from sfcl_tf.training.trainer import save_model


def make_records(place, name, seed):
    folder = records_folder(load_card(name), Settings(4), place / "records")
    manifest = small_manifest(folder, card=name, seed=seed)
    for split in SPLITS:
        write_manifest(manifest, split, [])
    return manifest


@pytest.fixture
def records(place):
    """Records of two data sets, as `sfcl prepare` leaves them."""
    names = ("ff_c23", "ff_c40")
    return {name: make_records(place, name, seed) for seed, name in enumerate(names)}


@pytest.fixture
def make_run(place, records):
    """A function that leaves the directory of a run that was trained on ff_c23."""

    def make(name, *overrides):
        folder = place / "runs" / name
        folder.mkdir(parents=True)
        config = small_config("data.dataset=ff_c23", *overrides)
        (folder / "config.toml").write_text(to_toml(config))
        manifest = records["ff_c23"]
        values = {
            "run_format": 1,
            "dataset": "ff_c23",
            "fingerprint": manifest.fingerprint,
            "records": {s: manifest.digest(s) for s in ("train", "val")},
        }
        (folder / "env.json").write_text(json.dumps(values))
        model = small_model(config)
        from sfcl_tf.data.pipeline import InputPipeline

        batches = InputPipeline(manifest, config).evaluation("train")
        fill_standardize(model, batches.map(lambda inputs, *_: inputs))
        save_model(model, folder / "model.keras")
        return folder

    return make


def read(path):
    return json.loads(path.read_text())


def test_a_run_is_calibrated_then_evaluated_and_it_is_noted(make_run, capsys):
    run = make_run("one")
    assert main(["evaluate", str(run), "--fpr", "0.1"]) == 0
    results = read(run / "results.json")
    assert results["summary"]["frame"]["n"] == 16
    assert results["calibration"] == read(run / "calibration.json")
    assert results["calibration"]["calibrated"]
    assert set(results["verdicts"]["video"]) == {
        "uncertain",
        "error",
        "ece",
        "log_loss",
    }
    lines = (run / "evaluations.jsonl").read_text().splitlines()
    seen = [json.loads(line) for line in lines]
    assert [(x["dataset"], x["split"]) for x in seen] == [
        ("ff_c23", "val"),
        ("ff_c23", "test"),
    ]
    out = capsys.readouterr().out
    assert "Verdicts" in out
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


def test_two_runs_are_compared_on_the_same_faces(make_run, place, capsys, fails):
    one, two = make_run("one"), make_run("two", "train.seed=5")
    assert main(["evaluate", str(one), str(two), "--paired"]) == 0
    found = read(one / "paired_two.json")
    frame = found["data"]["test"]["frame"]
    assert frame["difference"] == pytest.approx(frame["one"] - frame["two"])
    assert frame["interval"][0] <= frame["difference"] <= frame["interval"][1]
    assert (one / "plots/paired_two.png").is_file()
    assert "AUC of one against two" in capsys.readouterr().out
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


def test_without_validation_records_a_run_stays_uncalibrated(make_run, records, capsys):
    run = make_run("one")
    folder = records["ff_c23"].folder
    (folder / "val/manifest.json").unlink()
    assert main(["evaluate", str(run)]) == 0
    assert "Not calibrated" in capsys.readouterr().out
    results = read(run / "results.json")
    assert results["calibration"]["calibrated"] is False
    assert not (run / "calibration.json").exists()
