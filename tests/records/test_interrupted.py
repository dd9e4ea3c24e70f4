"""Preparation that is killed at any moment ends, when it is run again, as if not."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

# More of them: SFCL_KILLS=20 pytest tests/records/test_interrupted.py
KILLS = int(os.environ.get("SFCL_KILLS", "2"))


def files(folder):
    """Bytes of all that a preparation leaves, but for its report of itself."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("prepare_report.json", ".lock")
    }


def children(pid):
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(n) for n in found.read_text().split()] if found.exists() else []


def running(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
    except OSError:
        return False


@pytest.mark.slow  # each start imports TensorFlow anew
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc to find processes")
def test_killed_preparation_ends_as_if_it_had_not_been(collection, manifest, tmp_path):
    command = [sys.executable, "-m", "sfcl_tf.cli", "prepare", "demo"]
    command += ["--data-root", str(collection), "--records", str(tmp_path)]
    command += ["--frames", "3", "--workers", "2"]
    rng, killed = np.random.default_rng(0), 0
    for _ in range(KILLS):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        before = len([*tmp_path.rglob("*.tfrecord")])
        # Often while records are written, sometimes while processes start.
        if rng.random() < 0.8:
            while process.poll() is None and (
                len([*tmp_path.rglob("*.tfrecord")]) == before
            ):
                time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.5))
        workers = children(process.pid)
        killed += process.poll() is None
        process.kill()
        process.wait()
        limit = time.monotonic() + 20
        while any(map(running, workers)) and time.monotonic() < limit:
            time.sleep(0.05)
        assert not [pid for pid in workers if running(pid)], "orphans work on"
    assert killed >= min(KILLS, 2)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert files(tmp_path / manifest.folder.name) == files(manifest.folder)


def test_time_of_a_video_that_came_to_no_end_is_left_out(again):
    def engine(tasks):
        for task in tasks:
            yield task.failed("crashed", "exit code 139")

    manifest = again(engine=engine)
    report = json.loads((manifest.folder / "prepare_report.json").read_text())
    assert report["by_status"]["crashed"] == 3
    assert report["seconds_of_each"] == {}


def test_second_preparation_at_the_same_time_is_refused(again):
    folder = again().folder
    script = (
        "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX);"
        "print('locked', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(folder / ".lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(Exception, match="another preparation is at work"):
            again()
    finally:
        holder.communicate()
    assert again().folder == folder
