"""Training that was ended at any moment goes on as if nothing had happened."""

import json
import os
import signal
import time

import numpy as np
import pytest
from small_data import small_manifest

from sfcl_tf.training.checkpoint import read_progress

# 8 batches an epoch, a checkpoint every 3: most of them in the middle of an epoch.
SETTINGS = (
    "train.deterministic=true",
    "train.checkpoint_steps=3",
    "train.epochs=3",
    "train.ema=0.9",
    "model.dropout=0.5",
)
FRAMES = 16
# Figures that tell of time, which no two runs share.
TIMES = ("seconds", "images_per_second", "waiting", "overhead")


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    small_manifest(folder, FRAMES)
    return folder


@pytest.fixture
def train(start, records):
    def begin(folder, *settings):
        given = (*SETTINGS, *settings, "--records", records, "--frames", FRAMES)
        return start(folder, *given, "--slow", 0.02)

    return begin


def result(folder):
    rows = [json.loads(x) for x in (folder / "metrics.jsonl").read_text().splitlines()]
    for row in rows:
        for name in TIMES:
            row.pop(name, None)
    with np.load(folder / "worker0.npz") as weights:
        return rows, [weights[name] for name in weights.files]


@pytest.mark.slow
def test_kills_at_random_moments_change_no_bit(train, tmp_path):
    assert len(train(tmp_path / "whole").losses()) == 24
    rows, weights = result(tmp_path / "whole")
    assert [row["epoch"] for row in rows] == [1, 2, 3]

    chance = np.random.default_rng(int(os.environ.get("SFCL_SEED", "4")))
    for _ in range(int(os.environ.get("SFCL_KILLS", "2"))):
        process = train(tmp_path / "killed")
        left = 24 - read_progress(tmp_path / "killed/checkpoints").get("step", 0)
        process.wait_for(
            "BATCH", chance.integers(1, max(1, min(left, 8)), endpoint=True)
        )
        time.sleep(chance.uniform(0, 0.1))
        process.process.kill()
        process.end()
    train(tmp_path / "killed").losses()

    killed_rows, killed_weights = result(tmp_path / "killed")
    assert killed_rows == rows
    for ours, theirs in zip(killed_weights, weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    kept = sorted(p.name for p in (tmp_path / "killed/checkpoints").iterdir())
    assert len(kept) == 4  # the best weights, the state and its two files
    assert {"best.weights.h5", "state.json"} < set(kept)


@pytest.mark.slow
def test_ctrl_c_saves_the_very_step_and_training_goes_on_after_it(train, tmp_path):
    process = train(tmp_path / "run", "train.checkpoint_steps=1000")
    assert process.wait_for("BATCH", 11)
    process.process.send_signal(signal.SIGINT)
    code, _, err = process.end()
    assert code != 0
    assert "KeyboardInterrupt" in err or "Stopped" in err
    done = read_progress(tmp_path / "run/checkpoints")
    assert done["epoch"] == 1
    assert done["step"] >= 11
    assert len(train(tmp_path / "run", "train.checkpoint_steps=1000").losses()) == (
        24 - done["step"]
    )
