"""`sfcl detect`: results as they come, kept, resumed; one bad file stops no other."""

import csv
import dataclasses
import errno
import io
import json
import os
import shutil
import signal
import time

import cv2
import keras
import numpy as np
import pytest
from bad_files import damaged_videos, images, mutated, originals

from sfcl_tf.cli import main
from sfcl_tf.detect import Detector, Result
from sfcl_tf.evaluation import Calibration
from sfcl_tf.evaluation.thresholds import Thresholds

FUZZED = int(os.environ.get("SFCL_FUZZ", "12"))


@pytest.fixture
def detect(run, capsys, tmp_path, monkeypatch):
    """A function that runs the command on the small run: code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def call(*paths, engine="tensorflow", model=run):
        argv = ["detect", *map(str, paths), "--model", str(model), "--engine", engine]
        code = main(argv)
        return code, *capsys.readouterr()

    return call


def lines(text):
    return [Result.from_dict(json.loads(line)) for line in text.splitlines()]


def test_the_command_gives_the_detectors_numbers(detect, run, clips):
    code, out, err = detect(clips / "face.mp4", clips / "face.png", "--format", "jsonl")
    assert code == 0
    expected = Detector.load(run, "tensorflow").predict(
        [clips / "face.mp4", clips / "face.png"]
    )
    found = lines(out)
    assert [each.source for each in found] == [each.source for each in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.verdict == other.verdict
        assert one.score == pytest.approx(other.score, abs=1e-6)
        assert len(one.tracks[0].moments) == len(other.tracks[0].moments)
    assert "never proof" in err


@pytest.mark.parametrize(
    ("options", "code"),
    [((), 5), (("--fail-on-fake", "0"), 10), (("--fail-on-fake", "1"), 5)],
)
def test_exit_codes_tell_what_was_found(detect, clips, options, code):
    assert detect(clips, "--frames", "2", *options)[0] == code
    unreadable = 10 if code == 10 else 3
    assert detect(clips, "none.mp4", "--frames", "2", *options)[0] == unreadable


def test_the_table_has_a_line_a_file(detect, clips):
    _, out, _ = detect(clips, "none.mp4", "--frames", "2")
    rows = out.splitlines()
    assert rows[0].split() == ["verdict", "score", "faces", "pictures", "file"]
    assert len(rows) == 1 + 4 + 2
    assert rows[3].startswith("no face")
    assert "no face was found" in rows[3]
    assert rows[4].startswith("unreadable")
    assert "nothing at none.mp4" in rows[4]
    assert rows[5].startswith("4 files: ")


def test_csv_is_csv(detect, clips, tmp_path):
    odd = tmp_path / 'a,"b\nc.png'
    shutil.copy(clips / "face.png", odd)
    _, out, _ = detect(odd, "--format", "csv")
    head, row = csv.reader(io.StringIO(out))
    found = dict(zip(head, row, strict=True))
    assert found["status"] == "ok"
    assert 0 < float(found["score"]) < 1
    assert "b\\nc.png" in found["file"]


def test_damaged_and_strange_files_stop_no_other(
    detect, tmp_path, write_clip, noise, astronaut
):
    folder = tmp_path / "files"
    (folder / "images").mkdir(parents=True)
    expected = damaged_videos(folder, write_clip, noise, astronaut)
    names = images(folder / "images", astronaut)
    (folder / "pipe.mp4").unlink(missing_ok=True)
    os.mkfifo(folder / "pipe.mp4")
    expected |= dict.fromkeys(names, "ok") | {"pipe.mp4": "unreadable"}
    code, out, _ = detect(folder, "--frames", "2", "--format", "jsonl")
    found = lines(out)
    assert {os.path.basename(each.source): each.status for each in found} == expected  # noqa: PTH119
    assert code == 3
    for each in found:
        assert bool(each.reason) or each.status == "ok"
        assert "\n" not in each.reason


def test_mutated_files_neither_hang_nor_crash_and_are_not_called_real(
    detect, run, tmp_path, write_clip
):
    """A model that calls everything real is stopped by what the decoder reports."""
    shutil.copytree(run, tmp_path / "lenient", ignore=shutil.ignore_patterns("eng*"))
    (tmp_path / "lenient/reference.json").unlink()
    lenient = Calibration(levels=(Thresholds(0.98, 0.99),), calibrated=True)
    lenient.write(tmp_path / "lenient")
    good = originals(tmp_path, write_clip)
    rng = np.random.default_rng(1)
    folder = tmp_path / "files"
    folder.mkdir()
    for n in range(FUZZED):
        original = good[n % len(good)]
        name = folder / f"{n:04d}{original.suffix}"
        name.write_bytes(mutated(original.read_bytes(), rng))
    code, out, _ = detect(
        folder, "--frames", "3", "--format", "jsonl", model=tmp_path / "lenient"
    )
    found = lines(out)
    kinds = [(each.status, each.verdict, each.damaged > 0) for each in found]
    print({kind: kinds.count(kind) for kind in sorted(set(kinds))})
    assert len(found) == FUZZED
    statuses = {each.status for each in found}
    assert {"ok", "unreadable"} <= statuses
    assert statuses <= {"ok", "no_face", "unreadable", "stalled"}
    assert code == 3
    assert ("ok", "real", False) in kinds
    assert ("ok", "real", True) not in kinds


@pytest.mark.parametrize("kind", ["foreshortened", "on its side", "half covered"])
def test_a_face_that_is_no_frontal_one_is_found_and_flagged(
    detect, tmp_path, astronaut, kind
):
    views = {
        # As wide as a head turned by 64 degrees.
        "foreshortened": cv2.resize(astronaut, (131, 300)),
        "on its side": np.rot90(astronaut),
        "half covered": np.concatenate(
            [astronaut[:, :160], np.full_like(astronaut[:, 160:], 110)], axis=1
        ),
    }
    keras.utils.save_img(tmp_path / "a.png", views[kind], scale=False)
    code, out, _ = detect("a.png", "--format", "jsonl", "--detector", "hog")
    assert (code, lines(out)[0].status) == (5, "no_face")
    code, out, _ = detect("a.png", "--format", "jsonl")
    (found,) = lines(out)
    assert (code, found.status, found.verdict) == (0, "ok", "uncertain")
    assert "profile" in found.tracks[0].moments[0].flags


def test_a_list_comes_from_the_standard_input(detect, clips, monkeypatch):
    text = f"{clips / 'face.png'}\n{clips / 'grey.mp4'}\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    code, out, _ = detect("-", "--format", "jsonl")
    assert code == 5
    assert [each.status for each in lines(out)] == ["ok", "no_face"]


def test_what_was_found_is_kept_and_taken_from_there(detect, clips, tmp_path):
    options = ("--frames", "2", "--out", "out", "--format", "jsonl")
    _, first, err = detect(clips, *options)
    assert "before" not in err
    kept = tmp_path / "out/results.jsonl"
    content = kept.read_bytes()
    _, again, err = detect(clips, *options)
    assert again == first
    assert "3 of these were found before" in err
    assert kept.read_bytes() == content
    # With a page each: those that lack it are looked at again.
    detect(clips, *options, "--report")
    assert len(list((tmp_path / "out/reports").iterdir())) == 3
    index = (tmp_path / "out/index.html").read_text()
    assert index.count("<tr>") == 4


def test_with_another_calibration_a_file_is_looked_at_again(
    run, clips, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    copy = shutil.copytree(run, tmp_path / "run")
    argv = ["detect", str(clips / "face.png"), "--out", "out", "--model", str(copy)]
    argv += ["--engine", "tensorflow"]
    for known in (False, True, False):
        if not known:
            calibration = Calibration.read(copy)
            dataclasses.replace(calibration, bias=calibration.bias + 1).write(copy)
        assert main(argv) == 0
        assert ("found before" in capsys.readouterr().out) == known


def wait_for_lines(path, count):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if path.is_file() and path.read_bytes().count(b"\n") >= count:
            return
        time.sleep(0.05)
    pytest.fail(f"no {count} lines in {path}")


@pytest.mark.slow
def test_an_interrupted_run_goes_on(run, clips, tmp_path, start):
    archive = tmp_path / "archive"
    archive.mkdir()
    for number in range(40):
        shutil.copy(clips / "face.mp4", archive / f"{number:02d}.mp4")
    command = ("sfcl_tf.cli", "detect", archive, "--model", run)
    command += ("--engine", "tensorflow", "--out", tmp_path / "out")
    kept = tmp_path / "out/results.jsonl"
    process = start(*command, program="-m")
    wait_for_lines(kept, 3)
    process.kill()
    before = kept.read_bytes()
    assert 3 <= before.count(b"\n") < 40
    assert start(*command, program="-m").end()[0] == 0
    after = kept.read_bytes()
    assert after.startswith(before[: before.rfind(b"\n") + 1])
    sources = [json.loads(line)["source"] for line in after.splitlines()]
    assert len(sources) == len(set(sources)) == 40


def test_without_a_model_it_tells_how_to_make_one(capsys, tmp_path, monkeypatch, clips):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SFCL_RUNS", raising=False)
    assert main(["detect", str(clips / "face.png")]) == 4
    told = capsys.readouterr().err
    assert "make demo" in told
    assert "--dataset ff_c23" in told


def test_the_newest_run_is_taken(run, clips, tmp_path, capsys):
    runs = tmp_path / "runs"
    for name, age in (("old", 100), ("new", 0), ("unfinished", 0)):
        shutil.copytree(run, runs / name)
        os.utime(runs / name / "model.keras", (time.time() - age,) * 2)
    (runs / "unfinished/model.keras").unlink()
    argv = ["detect", str(clips / "face.png"), "--runs", str(runs)]
    assert main([*argv, "--engine", "tensorflow"]) == 0
    assert "Model new, tensorflow" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options",
    [
        ("--fps", "0"),
        ("--frames", "-3"),
        ("--fail-on-fake", "2"),
        ("--timeout", "0"),
        ("--server-name", "x"),
        ("--server", "nohost"),
        ("--server", "http://127.0.0.1:8501"),
        ("--server", "127.0.0.1:1", "--precision", "bf16"),
    ],
)
def test_wrong_options_are_told(clips, options, capsys, run):
    argv = ["detect", str(clips / "face.png"), "--model", str(run), *options]
    if "--server" in options:
        argv = [part for part in argv if part not in ("--model", str(run))]
    assert main(argv) == 2
    assert "Expected" in capsys.readouterr().err


def test_a_server_that_is_not_there_ends_the_run(clips, capsys, tmp_path):
    pytest.importorskip("tensorflow_serving")
    argv = ["detect", str(clips / "face.png"), "--server", "127.0.0.1:1"]
    assert main([*argv, "--out", str(tmp_path)]) == 4
    assert "Is it running" in capsys.readouterr().err


def test_a_full_disk_is_told_and_costs_nothing_that_was_found(
    detect, clips, tmp_path, monkeypatch
):
    from sfcl_tf.detect import report

    def full(path, text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(report, "write_whole", full)
    code, _, err = detect(clips / "face.png", "--out", "out", "--report")
    assert code == 3
    assert "No space left" in err
    assert "internal error" not in err
    assert (tmp_path / "out/results.jsonl").read_bytes().count(b"\n") == 1


def test_nothing_to_look_at_is_told(detect, monkeypatch, capsys):
    assert detect("")[0] == 2
    for given in (None, io.StringIO("")):
        monkeypatch.setattr("sys.stdin", given)
        code, _, err = detect("-")
        assert code == 3
        assert "none in -" in err


def test_results_are_told_of_the_file_that_was_asked_for(detect, clips, tmp_path):
    shutil.copy(clips / "face.png", tmp_path / "a.png")
    options = ("--out", "out", "--format", "jsonl")
    detect("a.png", *options)
    _, out, _ = detect(tmp_path / "a.png", *options)
    assert [each.source for each in lines(out)] == [str(tmp_path / "a.png")]


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_found(run, clips, tmp_path, start):
    archive = tmp_path / "archive"
    archive.mkdir()
    for number in range(30):
        shutil.copy(clips / "face.mp4", archive / f"{number:02d}.mp4")
    kept = tmp_path / "out/results.jsonl"
    process = start(
        *("sfcl_tf.cli", "detect", archive, "--model", run),
        *("--engine", "tensorflow", "--out", tmp_path / "out"),
        program="-m",
    )
    wait_for_lines(kept, 1)
    process.process.send_signal(signal.SIGINT)
    assert process.end(60)[0] == 130
    assert kept.read_bytes().endswith(b"\n")
