"""The folder of temporary files, and those that killed processes left behind."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sfcl_tf.app import folder as folders

HOLD = """
import sys, time
from sfcl_tf.app.folder import own_folder
with own_folder() as folder:
    (folder / "clip.mp4").write_bytes(b"film")
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def holder(temporary):
    """A process that has a folder, and that folder."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    ) as process:
        yield process, Path(process.stdout.readline()).parent
        process.kill()


def test_a_folder_goes_with_its_context(temporary):
    with folders.own_folder() as folder:
        (folder / "clip.mp4").write_bytes(b"film")
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder.parent.stat().st_mode & 0o777 == 0o700
    assert not list(temporary.iterdir())


def test_only_what_no_process_holds_is_swept_up(temporary, holder):
    process, left = holder
    with folders.own_folder():
        assert (left / "files" / "clip.mp4").exists()
    process.kill()
    process.wait()
    with folders.own_folder() as folder:
        assert folder.exists()
        assert not left.exists()
    assert not list(temporary.iterdir())


def test_what_may_be_somebody_elses_is_left_alone(temporary, tmp_path, monkeypatch):
    starting = temporary / "sfcl_app_starting"  # its lock is about to be made
    other = temporary / "other"
    target = temporary / "target"
    for each in (starting, other, target):
        each.mkdir()
    for each in (other, target):
        (each / ".lock").touch()
    (temporary / "sfcl_app_link").symlink_to(target, target_is_directory=True)
    (temporary / "sfcl_app_file").touch()
    before = sorted(temporary.rglob("*"))
    folders.sweep_left_behind(temporary)
    assert sorted(temporary.rglob("*")) == before

    foreign = temporary / "sfcl_app_foreign"
    foreign.mkdir()
    (foreign / ".lock").touch()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getuid", lambda: foreign.stat().st_uid + 1)
        folders.sweep_left_behind(temporary)
        assert foreign.exists()
    folders.sweep_left_behind(temporary)
    assert not foreign.exists()


def test_a_folder_that_was_swept_up_before_it_was_locked_is_made_again(
    temporary, monkeypatch
):
    make, made = tempfile.mkdtemp, []

    def swept(**options):
        made.append(make(**options))
        if len(made) == 1:
            Path(made[0]).rmdir()
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", swept)
    with folders.own_folder() as folder:
        (folder / "clip.mp4").write_bytes(b"film")
    assert not list(temporary.iterdir())
