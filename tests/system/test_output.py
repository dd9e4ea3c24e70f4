"""What is published is whole: if storage fails, if the process dies, if two publish."""

import itertools
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import faults
import pytest
from faults import each_fault, most_bytes

from sfcl_tf.system.errors import UsageError
from sfcl_tf.system.output import (
    DiskFullError,
    NotWrittenError,
    atomic_write,
    explain_write_errors,
    publish_folder,
    write_json,
    write_text,
)


def publish(path, text):
    with publish_folder(path) as folder, explain_write_errors(path):
        (folder / "deep").mkdir()
        (folder / "deep" / "file").write_text(text)


def read(path):
    return (path / "deep" / "file").read_text() if path.is_dir() else path.read_text()


def leftovers(folder):
    return [p.name for p in folder.iterdir() if p.suffix in (".tmp", ".old")]


@pytest.mark.parametrize(
    ("write", "least"),
    [(write_text, 4), (write_json, 4), (publish, 10)],
)
def test_if_an_operation_fails_what_was_there_stays_whole(tmp_path, write, least):
    path = tmp_path / "1"
    for fault in each_fault(tmp_path):
        write(path, "before")
        with fault:
            write(path, "after")
        # That a folder is there already is no error, nor is the last flush in time.
        harmless = fault.failed in [(w, tmp_path.name) for w in ("mkdir", "flush")]
        failed = isinstance(fault.error, DiskFullError)
        assert failed or harmless or not fault.happened, fault.error
        expected = "before" if failed and not harmless else "after"
        assert read(path).strip('"') == expected, fault.seen
        assert not leftovers(tmp_path)
    assert fault.number > least


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_after_a_kill_at_any_operation_nothing_is_lost(tmp_path, kind):
    path, write = tmp_path / "1", write_text if kind == "file" else publish
    moments = set()
    for number in itertools.count(1):
        write(path, "old")
        command = [sys.executable, faults.__file__, kind, path, str(number)]
        code = subprocess.run(command, check=False).returncode
        assert code in (0, 9)
        moments.add(path.exists() and read(path))
        if not path.exists():  # between the two renames: the next call puts it back
            assert kind == "folder"
            with pytest.raises(RuntimeError, match="given up"), publish_folder(path):
                raise RuntimeError("given up")
            assert read(path) == "old"
        write(path, "next")
        assert read(path) == "next"
        if kind == "folder":
            assert not leftovers(tmp_path)
        if code == 0:
            break
    assert moments == {"old", "new"} | ({False} if kind == "folder" else set())


def test_a_write_that_fails_is_told(tmp_path):
    with (
        most_bytes(10),
        pytest.raises(NotWrittenError, match=r"Received: File too large. Free some"),
        atomic_write(tmp_path / "file") as temporary,
    ):
        temporary.write_bytes(b"x" * 11)
    assert not [*tmp_path.iterdir()]


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(NotWrittenError, match="File exists"),
        publish_folder(tmp_path / "file" / "1"),
    ):
        pass


def test_an_error_keeps_the_folder_that_was_there(tmp_path):
    publish(tmp_path / "1", "before")
    with (
        pytest.raises(ValueError, match="not good enough"),
        publish_folder(tmp_path / "1"),
    ):
        raise ValueError("not good enough")
    assert read(tmp_path / "1") == "before"
    assert not leftovers(tmp_path)


def _try_to_publish(path, number, barrier, answers):
    barrier.wait()
    try:
        with publish_folder(path) as folder:
            (folder / "first").write_text(str(number))
            barrier.wait()  # all others have been refused, or this would never end
            (folder / "second").write_text(str(number))
        answers.put((number, "published"))
    except UsageError as error:
        barrier.wait()
        answers.put((number, str(error)))


def test_of_several_publishers_one_wins(tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(3), context.Queue()
    path = tmp_path / "1"
    processes = [
        context.Process(target=_try_to_publish, args=(path, number, barrier, answers))
        for number in range(3)
    ]
    for process in processes:
        process.start()
    found = dict(answers.get(timeout=60) for _ in processes)
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    (winner,) = [number for number, said in found.items() if said == "published"]
    for number, said in found.items():
        assert number == winner or "Expected to write" in said
    assert {p.read_text() for p in path.iterdir()} == {str(winner)}
    assert not leftovers(tmp_path)


def test_what_is_no_unicode_goes_back_as_it_came(tmp_path):
    write_text(tmp_path / "file", os.fsdecode(b"\xff\r\n"))
    assert (tmp_path / "file").read_bytes() == b"\xff\r\n"
    write_text(tmp_path / "file", os.fsdecode(b"\xff"), "replace")
    assert Path(tmp_path / "file").read_bytes() == b"?"
