"""Files of a run are checked when they are read, and one run hides no other."""

import json
import shutil

import pytest

from sfcl_tf.cli import main
from sfcl_tf.runs import Run
from sfcl_tf.system.errors import DataError


@pytest.fixture
def copy(run, tmp_path):
    return shutil.copytree(run, tmp_path / "runs" / "copy")


@pytest.mark.parametrize("content", ["{", "[]", "NaN", '{"summary": 1}', "\x00\xff"])
def test_damaged_results_are_named_with_what_to_do(copy, content):
    (copy / "results.json").write_text(content, "latin-1")
    with pytest.raises(DataError, match=r"results\.json.*sfcl evaluate RUN"):
        _ = Run(copy).results


@pytest.mark.parametrize("content", ['{"epoch": 1', "[1]", "1", "{}", '{"epoch": "1"}'])
def test_a_damaged_history_is_named_with_what_to_do(copy, content):
    (copy / "metrics.jsonl").write_text(f'{{"epoch": 1, "loss": 1}}\n{content}\n')
    with pytest.raises(DataError, match=r"metrics\.jsonl.*Repair or remove that line"):
        _ = Run(copy).history


@pytest.mark.parametrize("content", ["{", "[]", "3", ""])
def test_a_damaged_environment_tells_nothing(copy, content):
    (copy / "env.json").write_text(content)
    assert Run(copy).environment == {}


@pytest.mark.parametrize(
    "file", ["results.json", "metrics.jsonl", "env.json", "config.toml"]
)
def test_one_damaged_file_hides_no_other_run(run, copy, tmp_path, capsys, file):
    shutil.copytree(run, tmp_path / "runs" / "sound")
    (copy / file).write_text('{"epoch": \n[')
    assert main(["runs", "--runs", str(tmp_path / "runs")]) == 0
    out = capsys.readouterr().out
    assert "sound" in out
    assert "bug" not in out
    if file != "env.json":
        assert "Left out" in out
        assert file in out


def test_a_calibration_that_turns_scores_around_ends_detection(
    copy, clips, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    values = json.loads((copy / "calibration.json").read_text())
    (copy / "calibration.json").write_text(json.dumps(values | {"slope": -4.0}))
    code = main(["detect", str(clips / "face.png"), "--model", str(copy)])
    assert code == 4
    assert "calibration.json" in capsys.readouterr().err
