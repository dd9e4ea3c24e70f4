"""The main job, as a stranger starts it: `python train.py`, in its own process."""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from sfcl_tf.records.manifest import read_manifest

ROOT = Path(__file__).parents[1]
# Where the way is looked at and not the model: a step of it is traced in a second.
SMALL = ("--set", "model.name=meso4")


def train_py(*arguments, cwd):
    found = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, "COLUMNS": "100"},
    )
    assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-3000:]
    return found.stdout


def check_run(run_dir):
    """Checks that the run directory is whole; returns `results.json`."""
    for name in (
        "config.toml",
        "env.json",
        "metrics.jsonl",
        "model.keras",
        "predictions_test.csv",
        "report.html",
        "checkpoints/best.weights.h5",
        "plots/roc.png",
        "plots/confusion.png",
        "plots/scores.png",
        "plots/training.png",
        "savedmodel/1/saved_model.pb",
    ):
        assert (run_dir / name).is_file(), name
    results = json.loads((run_dir / "results.json").read_text())
    summary = results["summary"]
    for level in ("frame", "video"):
        assert {"auc", "acc", "balanced_acc"} <= set(summary[level])
    assert results["export"]["max_abs_difference"] <= 1e-4
    assert results["export"]["frames"] == summary["frame"]["n"]
    assert tomllib.loads((run_dir / "config.toml").read_text())["train"]
    return results


@pytest.mark.slow
def test_real_videos_become_an_exported_detector(media, tmp_path):
    common = ("--dataset", "ff_c23", "--data-root", media / "ff", "--frames", 4)
    tiny = ("--preset", "tiny", "--epochs", 1)
    printed = train_py(*common, *tiny, "--name", "first", cwd=tmp_path)
    results = check_run(tmp_path / "runs/first")
    assert results["summary"]["frame"]["n"] == 8
    assert set(results["summary"]["methods"]) == {"FaceSwap"}
    assert results["coverage"]["frames_with_face"] == 8
    assert "not there, but named by its lists: 4993" in printed
    assert "634" in printed
    folder = next(tmp_path.glob("records/ff_c23-*"))
    videos = read_manifest(folder).videos
    splits = [video["split"] for video in videos]
    assert [splits.count(name) for name in ("train", "val", "test")] == [3, 2, 2]
    crf = {video["video_id"]: video["crf"] for video in videos}
    assert sorted(crf.values()) == [23.0] * 6 + [40.0]

    shards = sorted(tmp_path.glob("records/*/*/*.tfrecord"))
    times = [shard.stat().st_mtime_ns for shard in shards]
    found = subprocess.run(
        [sys.executable, "-m", "sfcl_tf.cli", "prepare", *map(str, common[1:])],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert found.returncode == 0, found.stderr
    assert "7 of 7 videos were prepared before" in found.stdout
    assert [shard.stat().st_mtime_ns for shard in shards] == times
    assert not (media / "ff" / "records").exists()


@pytest.mark.slow
def test_the_unmodified_card_trains_on_demo_clips_with_two_devices(tmp_path):
    pytest.importorskip("skimage")
    from sfcl_tf.catalog.demo import DemoSettings, make_demo

    settings = DemoSettings(
        train_pairs=1, val_pairs=1, test_pairs=1, frames=3, crfs=(40,)
    )
    make_demo(tmp_path / "demo", settings)
    train_py(
        *("--dataset", "ff_c40", "--data-root", tmp_path / "demo"),
        *("--preset", "tiny", "--frames", 2, "--epochs", 1, "--devices", 2),
        *("--name", "demo", "--set", "train.batch_size=8", *SMALL),
        cwd=tmp_path,
    )
    results = check_run(tmp_path / "runs/demo")
    assert results["summary"]["video"]["n"] == 10
    assert len(results["summary"]["methods"]) == 4
    environment = json.loads((tmp_path / "runs/demo/env.json").read_text())
    assert environment["replicas"] == 2


@pytest.mark.slow
def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path):
    pytest.importorskip("skimage")
    from sfcl_tf.catalog.demo import DemoSettings, make_demo

    settings = DemoSettings(
        train_pairs=1, val_pairs=1, test_pairs=1, frames=3, crfs=(40,)
    )
    make_demo(tmp_path / "demo", settings)
    data = ("--data-root", tmp_path / "demo")
    begun = subprocess.Popen(
        [
            *(sys.executable, ROOT / "train.py", "--dataset", "ff_c40", *data),
            *("--preset", "tiny", "--frames", "2", "--epochs", "2", "--name", "cut"),
            *("--set", "train.batch_size=8", "--set", "train.checkpoint_steps=1"),
            *SMALL,
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    state = tmp_path / "runs/cut/checkpoints/state.json"
    deadline = time.monotonic() + 300
    while begun.poll() is None and time.monotonic() < deadline:
        if state.is_file() and json.loads(state.read_text())["progress"]["step"]:
            begun.send_signal(signal.SIGINT)
            break
        time.sleep(0.1)
    printed, _ = begun.communicate(timeout=300)
    assert begun.returncode == 130, printed
    assert "Go on with: sfcl train --resume runs/cut" in printed
    done = json.loads(state.read_text())["progress"]["step"]

    printed = train_py("--resume", "runs/cut", *data, cwd=tmp_path)
    assert "Going on after step" in printed
    check_run(tmp_path / "runs/cut")
    environment = json.loads((tmp_path / "runs/cut/env.json").read_text())
    assert [entry["step"] for entry in environment["resumed"]] == [done]
    assert "is finished" in train_py("--resume", "runs/cut", cwd=tmp_path)
