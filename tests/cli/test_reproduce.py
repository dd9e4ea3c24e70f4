"""`sfcl reproduce`, with what trains and what prepares replaced where it says so."""

import argparse
import csv
import json

import pytest
from small_data import small_manifest

from sfcl_tf.cli import main, reproduce
from sfcl_tf.config import load_config, read_config, to_toml

TABLE3 = ("reproduce", "table3", "--dataset", "demo", "--preset", "tiny")
FOLDER = "runs/reproduce-table3-demo-tiny"


@pytest.fixture
def trained(place, monkeypatch):
    """Writes results without training; gives the configurations asked for by name.

    What `trained.fail` names fails.
    """

    class Trained(dict):
        fail = ()

    made = Trained()

    def train_run(args, config, path):
        made[path.name] = config
        path.mkdir(parents=True, exist_ok=True)
        (path / "config.toml").write_text(to_toml(config))
        if path.name in made.fail:
            return 3, "sfcl: Expected a face. Received: none."
        auc = 0.9 - 0.1 * config.train.seed
        results = {"summary": {"frame": {"auc": auc}}}
        (path / "results.json").write_text(json.dumps(results))
        return 0, ""

    monkeypatch.setattr(reproduce, "train_run", train_run)
    monkeypatch.setattr(reproduce, "_prepare", lambda *args, **options: None)
    return made


def test_each_row_is_trained_with_each_seed(trained, place, capsys):
    assert main([*TABLE3, "--seeds", "2"]) == 0
    assert len(trained) == 10
    seeds = {config.train.seed for config in trained.values()}
    assert seeds == {0, 1}
    for ending in ("md", "csv", "tex"):
        assert (place / FOLDER / f"table3.{ending}").is_file()
    with (place / FOLDER / "table3.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["auc_mean"]) for row in rows] == pytest.approx([0.85] * 5)
    assert [row["n"] for row in rows] == ["2"] * 5
    out = capsys.readouterr().out
    assert "10 to go" in out
    assert "min left" in out


def test_what_is_finished_is_not_trained_again(trained, place, capsys):
    assert main([*TABLE3, "--seeds", "1"]) == 0
    trained.clear()
    assert main([*TABLE3, "--seeds", "2"]) == 0
    assert {name[-1] for name in trained} == {"1"}
    assert len(trained) == 5
    assert "5 of 10 trainings are finished already" in capsys.readouterr().out


def test_a_row_that_fails_is_told_and_the_others_go_on(trained, place, capsys):
    trained.fail = ("hcmf+sida-seed0",)
    assert main([*TABLE3, "--seeds", "1"]) == 1
    assert len(trained) == 5
    out = capsys.readouterr().out
    assert "exit code 3: sfcl: Expected a face" in out
    assert "Failed: hcmf+sida-seed0" in out
    trained.fail = ()
    trained.clear()
    assert main([*TABLE3, "--seeds", "1"]) == 0
    assert list(trained) == ["hcmf+sida-seed0"]


def test_runs_of_other_settings_are_not_mixed(trained, capsys):
    assert main([*TABLE3, "--seeds", "1"]) == 0
    trained.clear()
    assert main([*TABLE3, "--seeds", "1", "--epochs", "7"]) == 2
    assert "of the same settings" in capsys.readouterr().err
    assert trained == {}


def test_the_demo_is_short_unless_told_otherwise(trained):
    assert main([*TABLE3, "--seeds", "1"]) == 0
    config = next(iter(trained.values()))
    assert (config.data.frames, config.train.epochs) == (6, 3)
    trained.clear()
    longer = ("--set", "train.epochs=9", "--frames", "8", "--runs", "longer")
    assert main([*TABLE3, "--seeds", "1", *longer]) == 0
    config = next(iter(trained.values()))
    assert (config.data.frames, config.train.epochs) == (8, 9)


def test_a_training_is_a_process_whose_last_words_are_told(place):
    config = load_config(preset="tiny", overrides=["data.dataset=ff_c23"])
    args = argparse.Namespace(
        data_root=[], demo_dir="demo", workers=1, records=str(place / "records")
    )
    path = place / "runs" / "full-seed0"
    path.mkdir(parents=True)  # as one leaves it that was killed before it began
    code, reason = reproduce.train_run(args, config, path)
    assert code == 3
    assert "sfcl: Expected" in (path.parent / "full-seed0.log").read_text()
    assert reason
    assert read_config(path.parent / "full-seed0.toml") == config
    assert not path.exists()


@pytest.mark.parametrize("name", ["figure1", "figure7"])
def test_figures_are_drawn(name, place, monkeypatch, capsys):
    manifest = small_manifest(place / "records")
    monkeypatch.setattr(reproduce, "_prepare", lambda *args, **options: manifest)
    argv = ["reproduce", name, "--dataset", "demo", "--preset", "tiny"]
    assert main(argv) == 0
    folder = place / f"runs/reproduce-{name}-demo-tiny"
    assert {path.name for path in folder.iterdir()} == {f"{name}.png", f"{name}.svg"}
    assert "of the split" in capsys.readouterr().out


def test_bad_input_is_told(fails):
    assert "--seeds of at least 1" in fails(2, *TABLE3, "--seeds", "0")
    assert "folder" in fails(2, *TABLE3, "--runs", "s3://bucket/runs")
    assert "SFCL_DATA" in fails(3, "reproduce", "figure7", "--dataset", "ff_c23")
