import csv
import json
import sys

import pytest

from sfcl_tf.config import load_config
from sfcl_tf.reproduce import tables
from sfcl_tf.reproduce.tables import TABLES, collect, plan, train_in_process
from sfcl_tf.system.errors import SfclError


@pytest.mark.parametrize("name", TABLES)
def test_each_row_is_a_model_of_its_own(name):
    trainings = plan(TABLES[name], range(2))
    assert len(trainings) == 2 * len(TABLES[name].rows)
    assert len({t.name for t in trainings}) == len(trainings)
    configs = [
        load_config(preset="tiny", overrides=t.settings).model for t in trainings
    ]
    assert len(set(configs)) == len(TABLES[name].rows)
    full = configs[len(TABLES[name].rows) - 1]
    assert full == load_config(preset="tiny").model


def test_rows_are_those_of_the_paper():
    names = [t.name for t in plan(TABLES["table3"], [0])]
    assert names == [
        "none-seed0",
        "sida+faae+hcma-seed0",
        "sbcm+sida-seed0",
        "sbcm+faae+hcma-seed0",
        "sbcm+sida+faae+hcma-seed0",
    ]
    # The tables share the models that they have in common.
    other = {t.name for t in plan(TABLES["table4"], [0])}
    assert len(other & set(names)) == 2


def test_a_training_that_fails_does_not_stop_the_others(tmp_path):
    table = TABLES["table4"]
    told = []

    def run(training):
        if training.row == 1:
            raise SfclError("no luck")
        return {"summary": {"frame": {"auc": 0.9 + training.row / 100}}}

    found = collect(
        table, plan(table, range(2)), run, lambda t, auc, e: told.append((t.row, auc))
    )
    assert [len(aucs) for aucs in found] == [2, 0, 2, 2]
    assert told.count((1, None)) == 2
    found[3] = [0.92, 0.94]
    text = tables.write_table(tmp_path, "table4", table, found, "Trained on x.")
    assert "| ✓ | ✓ | 93.00 | 1.41 | 2 | 99.58 |" in text
    assert "| ✓ | - | n/a | n/a | 0 | 98.30 |" in text
    assert (tmp_path / "table4.md").read_text() == text
    latex = (tmp_path / "table4.tex").read_text()
    assert r"$\checkmark$ & $\checkmark$ & 93.00 $\pm$ 1.41 & 2 & 99.58 \\" in latex
    with (tmp_path / "table4.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[3]["aucs"] == "0.920000 0.940000"
    assert (rows[1]["FAAE"], rows[1]["HCMA"]) == ("1", "0")


@pytest.fixture
def recorded(monkeypatch, tmp_path):
    """A stand-in for `sfcl train`: notes its arguments, and gives a result or fails."""
    program = tmp_path / "fake_train.py"
    program.write_text(
        "import json, pathlib, sys\n"
        "args = sys.argv[4:]\n"
        "pathlib.Path('calls.txt').open('a').write(json.dumps(args) + chr(10))\n"
        "if 'fail' in args: sys.exit('sfcl: it broke')\n"
        "name = args[args.index('--name') + 1] if '--name' in args else None\n"
        "run = pathlib.Path(args[args.index('--runs') + 1], name) if name else "
        "pathlib.Path(args[args.index('--resume') + 1])\n"
        "run.mkdir(exist_ok=True)\n"
        "figures = {'summary': {'frame': {'auc': 0.5}}}\n"
        "(run / 'results.json').write_text(json.dumps(figures))\n"
    )
    monkeypatch.chdir(tmp_path)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} {program} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(tables.sys, "executable", str(python))

    def calls():
        text = (tmp_path / "calls.txt").read_text()
        return [json.loads(line) for line in text.splitlines()]

    return calls


def test_what_is_finished_is_read_and_what_was_begun_goes_on(recorded, tmp_path):
    training = plan(TABLES["table3"], [0])[0]
    options = ["--config", "c.toml", "--dataset", "demo", "--records", "r"]
    assert train_in_process(training, tmp_path, options)["summary"]
    train_in_process(training, tmp_path, options)
    [call] = recorded()
    assert call[-2:] == ["--set", "train.seed=0"]
    assert "model.sbcm=false" in call

    run_dir = tmp_path / training.name
    (run_dir / "results.json").unlink()
    (run_dir / "config.toml").touch()
    train_in_process(training, tmp_path, options)
    _, again = recorded()
    assert again == ["--no-export", "--resume", str(run_dir), "--records", "r"]


def test_one_that_was_killed_before_it_began_is_begun(recorded, tmp_path):
    training = plan(TABLES["table3"], [0])[0]
    (tmp_path / training.name).mkdir()
    (tmp_path / "fake_train.py").write_text(
        (tmp_path / "fake_train.py").read_text().replace("exist_ok=True", "")
    )
    assert train_in_process(training, tmp_path, ["--dataset", "demo"])["summary"]


def test_a_training_that_breaks_is_told_with_its_log(recorded, tmp_path):
    training = plan(TABLES["table3"], [0])[0]
    with pytest.raises(SfclError, match=r"exit code 1; sfcl: it broke See .*\.log"):
        train_in_process(training, tmp_path, ["--config", "fail"])
