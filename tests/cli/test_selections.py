"""What scoring a part of a run's data, or other data, leaves as it was."""

import json
import re

import cv2
import pytest

from sfcl_tf.cli import main

PARTS = {
    "validation": ("--split", "val", "--methods", "Deepfakes"),
    "test": ("--methods", "Deepfakes"),
}


def contents(run):
    """The bytes of all that the run's own evaluation has written."""
    paths = [
        *(run / f"predictions_{split}.csv" for split in ("val", "test")),
        *(run / name for name in ("calibration.json", "results.json")),
        run / "results_val.json",
        *sorted((run / "plots").iterdir()),
        *sorted((run / "plots_val").iterdir()),
    ]
    return {str(path.relative_to(run)): path.read_bytes() for path in paths}


def report(run):
    """The report without the section on other data."""
    html = (run / "report.html").read_text()
    return re.sub("<h2>On other data</h2>.*?(?=<h2>Plots)", "", html, flags=re.DOTALL)


@pytest.fixture
def verdict(finished, place, astronaut, capsys):
    """A function that gives verdict and score of a picture."""
    cv2.imwrite(str(place / "face.png"), astronaut[..., ::-1])

    def ask():
        capsys.readouterr()
        argv = ["detect", "face.png", "--model", str(finished), "--format", "jsonl"]
        main([*argv, "--engine", "tensorflow"])
        found = json.loads(capsys.readouterr().out.splitlines()[-1])
        return found["verdict"], found["score"]

    return ask


def test_scoring_a_part_changes_neither_the_run_nor_a_verdict(finished, verdict):
    before, told, shown = contents(finished), verdict(), report(finished)
    for options in PARTS.values():
        assert main(["evaluate", str(finished), *options]) == 0
    after = contents(finished)
    assert [name for name in before if after[name] != before[name]] == []
    assert [*after] == [*before]
    assert report(finished) == shown
    assert verdict() == told


def test_a_part_has_files_of_its_own_and_is_told_apart(finished, capsys):
    for options in (*PARTS.values(), ("--methods", "FaceSwap")):
        assert main(["evaluate", str(finished), *options]) == 0
    assert "predictions_ff_c23_test_4_FaceSwap.csv" in capsys.readouterr().out
    html = (finished / "report.html").read_text()
    for split, method in (("val", "Deepfakes"), ("test", "Deepfakes")):
        name = f"ff_c23_{split}_4_{method}"
        results = json.loads((finished / f"results_{name}.json").read_text())
        assert [*results["summary"]["methods"]] == [method]
        assert results["data"]["methods"] == [method]
        assert f"ff_c23, {split}, 4 frames, {method}" in html
        assert (finished / f"plots_{name}/roc.png").is_file()
    lines = (finished / "evaluations.jsonl").read_text().splitlines()
    noted = [(line["name"], line["methods"]) for line in map(json.loads, lines)]
    assert noted == [
        ("val", []),
        ("test", []),
        ("ff_c23_val_4_Deepfakes", ["Deepfakes"]),
        ("ff_c23_test_4_Deepfakes", ["Deepfakes"]),
        ("ff_c23_test_4_FaceSwap", ["FaceSwap"]),
    ]


@pytest.mark.slow
def test_the_own_test_split_again_keeps_what_the_run_found_out(finished):
    before = json.loads((finished / "results.json").read_text())
    methods = "NeuralTextures,FaceSwap,Face2Face,Deepfakes"  # all: that is no part
    for options in ((), ("--methods", methods), ("--dataset", "ff_c23")):
        assert main(["evaluate", str(finished), *options]) == 0
        assert json.loads((finished / "results.json").read_text()) == before


@pytest.mark.slow
def test_a_part_compared_leaves_the_comparison_of_the_whole(finished, make_run):
    other = make_run("other", "train.seed=5")
    argv = ["evaluate", str(finished), str(other), "--paired"]
    assert main(argv) == 0
    paths = finished / "paired_other.json", finished / "plots/paired_other.png"
    before, shown = [path.read_bytes() for path in paths], contents(finished)
    assert main([*argv, *PARTS["test"]]) == 0
    assert [path.read_bytes() for path in paths] == before
    assert contents(finished) == shown
    name = "ff_c23_test_4_Deepfakes"
    found = json.loads((finished / f"paired_other_{name}.json").read_text())
    assert [*found["data"]] == [name]
    assert found["data"][name]["n"] == 12
    assert (finished / f"plots_{name}/paired_other.png").is_file()


def test_a_threshold_is_of_the_whole_validation_split(finished, capsys):
    def threshold():
        capsys.readouterr()
        assert main(["evaluate", str(finished), "--fpr", "0.1"]) == 0
        lines = capsys.readouterr().out.splitlines()
        return next(line for line in lines if line.startswith("Threshold"))

    before = threshold()
    assert main(["evaluate", str(finished), *PARTS["validation"]]) == 0
    assert threshold() == before


def test_a_threshold_is_refused_where_scores_are_of_a_part(finished, records, capsys):
    path = finished / "predictions_val.csv"
    rows = path.read_text().splitlines(keepends=True)
    path.write_text("".join(row for row in rows if "FaceSwap" not in row))
    assert main(["evaluate", str(finished), "--fpr", "0.1"]) == 3
    told = f"of other records. Write them: sfcl calibrate {finished}"
    assert told in capsys.readouterr().err
    # Without records, what was noted is held against what the run was trained with.
    (records["ff_c23"].folder / "val/manifest.json").unlink()
    assert main(["evaluate", str(finished), "--fpr", "0.1"]) == 0
    notes = (finished / "evaluations.jsonl").read_text()
    digest = records["ff_c23"].digest("val")
    (finished / "evaluations.jsonl").write_text(notes.replace(digest, "0123"))
    assert main(["evaluate", str(finished), "--fpr", "0.1"]) == 3


def test_methods_without_records_are_refused(finished, capsys):
    assert main(["evaluate", str(finished), "--methods", "Deepfake"]) == 3
    message = capsys.readouterr().err
    assert "Expected records of Deepfake in" in message
    assert "of Deepfakes, FaceSwap" in message
