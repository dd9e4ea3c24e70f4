"""What is told where `s3://` cannot be had, and what stays as it is."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sfcl_tf.cli import main
from sfcl_tf.system import storage
from sfcl_tf.system.errors import DataError, UsageError
from sfcl_tf.system.output import atomic_write


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    for name in ("SFCL_DATA", "SFCL_RECORDS", "SFCL_RUNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not list(tmp_path.glob("*:"))  # no folder `s3:`


def fails(capsys, *argv):
    assert main(list(argv)) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    "argv",
    [
        ("prepare", "demo", "--records", "s3://bucket/records"),
        ("train", "--dataset=demo", "--preset=tiny", "--runs", "s3://bucket/runs"),
        ("evaluate", "s3://bucket/runs/first"),
        ("export", "s3://bucket/runs/first"),
    ],
)
def test_absent_extra_is_told(capsys, monkeypatch, argv):
    monkeypatch.setattr(storage, "_NEEDED", ("not_installed_anywhere",))
    monkeypatch.setattr("sfcl_tf.workflow.sources.make_demo_data", lambda *_: 1 / 0)
    message = fails(capsys, *argv)
    assert "not_installed_anywhere not installed" in message
    assert 'pip install "sfcl_tf[io]"' in message
    assert "Python 3.11" in message


def test_other_line_of_tensorflow_is_told(monkeypatch):
    monkeypatch.setattr(storage, "_TENSORFLOW", "1.0.")
    with pytest.raises(UsageError, match=r"TensorFlow 1\.0\.\*.*Received: TensorFlow"):
        storage.load()


@pytest.mark.parametrize("url", ["gs://bucket/records", "s3://", "http://host/x"])
def test_other_urls_are_refused(capsys, url):
    assert url in fails(capsys, "prepare", "demo", "--records", url)


@pytest.mark.parametrize(
    "argv",
    [
        ("prepare", "ff_c23", "--data-root", "s3://bucket/data"),
        ("prepare", "ff_c23", "--data-root", "ff_c23=s3://bucket/data"),
        ("prepare", "s3://bucket/clips"),
        ("check", "demo", "--json", "s3://bucket/report.json"),
        ("prepare", "demo", "--demo-dir", "s3://bucket/demo"),
        ("train", "--dataset=demo", "--set", "data.boxes=s3://bucket/boxes.json"),
    ],
)
def test_only_records_runs_and_exports_may_be_urls(capsys, argv):
    message = fails(capsys, *argv)
    assert "mount the bucket" in message
    assert argv[-1] in message


def test_data_root_of_the_environment_may_be_no_url(capsys, monkeypatch):
    monkeypatch.setenv("SFCL_DATA", "s3://bucket/data")
    assert "for SFCL_DATA" in fails(capsys, "prepare", "ff_c23")


def test_local_places_stay_as_they_are(tmp_path):
    found = storage.parse_location("records")
    assert (type(found), found) == (type(Path()), Path("records"))
    with storage.local_copy(found, fetch=True) as (folder, save):
        assert folder is found
        assert save() is None
    with storage.explain_access_errors(found), pytest.raises(FileNotFoundError):
        found.stat()
    path = tmp_path / "a.json"
    with atomic_write(path) as temporary:
        assert temporary.parent == tmp_path
        temporary.write_text("ab")
    assert storage.size(path) == 2


@pytest.fixture
def copied(monkeypatch, tmp_path):
    """Takes every place for remote; the names of what is copied there."""
    copied = []
    monkeypatch.setattr(storage, "is_remote", lambda place: True)
    monkeypatch.setattr(storage, "upload", lambda path, url: copied.append(str(url)))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return copied


def test_what_changed_is_copied_deepest_first(copied, tmp_path):
    with storage.local_copy(Path("run")) as (folder, save):
        (folder / "deep").mkdir()
        (folder / "a.txt").write_text("a")
        (folder / "deep/z.txt").write_text("z")
        (folder / ".half.txt").write_text("half")
        save()
        assert copied == ["run/deep/z.txt", "run/a.txt"]
        save()
        assert len(copied) == 2
        (folder / "a.txt").write_text("longer")
    assert copied[2:] == ["run/a.txt"]
    assert list(tmp_path.iterdir()) == []


def test_what_was_made_before_an_error_is_copied(copied):
    def work():
        with storage.local_copy(Path("run")) as (folder, _):
            (folder / "checkpoint").write_text("whole")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert copied == ["run/checkpoint"]


def test_what_cannot_be_copied_is_kept_and_told(copied, monkeypatch):
    def fail(path, url):
        raise OSError("no route to host")

    monkeypatch.setattr(storage, "upload", fail)
    with (
        pytest.raises(DataError, match=r"no route to host.*All is kept in") as caught,
        storage.local_copy(Path("run")) as (folder, _),
    ):
        (folder / "weights").write_text("dear")
    assert str(folder) in str(caught.value)
    assert (folder / "weights").read_text() == "dear"


def test_storage_imports_neither_tensorflow_nor_etils():
    code = (
        "import sys, sfcl_tf.system.storage\n"
        "assert not {'tensorflow', 'etils', 'tensorflow_io'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=os.fspath(Path.cwd()))


def test_process_ends_with_its_code_and_all_it_printed():
    code = (
        "import sys\n"
        "from sfcl_tf.system.storage import end_process\n"
        "sys.modules['tensorflow_io'] = sys\n"
        "print('told', end='')\n"
        "try:\n"
        "    end_process(3)\n"
        "finally:\n"
        "    print('torn down')\n"
    )
    argv = [sys.executable, "-c", code]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "told")
