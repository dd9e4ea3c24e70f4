import json

import pytest

from sfcl_tf.cli import main
from sfcl_tf.cli.console import console
from sfcl_tf.config import load_config, to_toml


@pytest.fixture
def runs(place, monkeypatch):
    """Three runs: evaluated, in training, and just begun."""
    rows = [
        {"epoch": n, "loss": 1 / n, "val_loss": 1.0, "val_auc": 0.5 + 0.1 * n}
        for n in (1, 2)
    ]
    monkeypatch.setattr(console, "width", 120)
    for name, history in (("done", rows), ("half", rows[:1]), ("begun", [])):
        folder = place / "runs" / name
        folder.mkdir(parents=True)
        overrides = ["data.dataset=demo", "train.epochs=2"]
        config = load_config(preset="tiny", overrides=overrides)
        (folder / "config.toml").write_text(to_toml(config))
        lines = "".join(json.dumps(row) + "\n" for row in history)
        (folder / "metrics.jsonl").write_text(lines)
    figures = {"auc": 0.8125, "intervals": {"auc": [0.7, 0.9]}}
    results = {"summary": {"frame": figures}}
    (place / "runs/done/results.json").write_text(json.dumps(results))
    (place / "runs/done/model.keras").touch()
    return place / "runs"


def test_runs_are_listed_the_best_first(runs, capsys):
    assert main(["runs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if "sfcl_hcmf (tiny)" in line]
    assert ["done" in row.split("│")[1] for row in rows] == [True, False, False]
    for told in ("81.25", "70.0-90.0", "70.00"):
        assert told in rows[0]
    assert any("epoch 1/2" in row for row in rows)


def test_a_run_that_cannot_be_read_hides_no_other(runs, fails, capsys):
    (runs / "bad").mkdir()
    (runs / "bad/config.toml").write_text('[train]\nepochs = "x"\n')
    assert main(["runs"]) == 0
    printed = capsys.readouterr().out
    assert "81.25" in printed
    assert "Left out    runs/bad: In runs/bad/config.toml: Expected" in printed
    assert "runs/bad/config.toml: Expected" in fails(2, "runs", runs / "bad")


def test_curves_are_drawn_over_one_another(runs, place, capsys):
    one, two = str(runs / "done"), str(runs / "half")
    assert main(["runs", one, two, "--plot", "c.png"]) == 0
    assert (place / "c.png").is_file()
    svg = (place / "c.svg").read_text()
    assert "done" in svg
    assert "half" in svg
    assert "sfcl_hcmf (tiny)" in capsys.readouterr().out


def test_what_is_no_run_is_told(fails, runs, place):
    assert "config.toml" in fails(4, "runs", place)
    assert "sfcl train" in fails(3, "runs", "--runs", "elsewhere")
    assert ".png" in fails(2, "runs", "--plot", "curves.jpg")
