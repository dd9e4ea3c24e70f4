"""Results that are kept: whole lines, and only what is still true."""

import os

import pytest

from sfcl_tf.detect.files import expand, split_list
from sfcl_tf.detect.results import Result
from sfcl_tf.detect.store import Store
from sfcl_tf.system.errors import DataError, UsageError


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"video")
    return path


def result(path, status="ok", **values):
    return Result(str(path), status, "real", 0.25, **values)


def test_what_was_found_is_not_looked_for_again(tmp_path, file):
    with Store(tmp_path / "out", {"fps": 2}) as store:
        assert store.done(file) is None
        store.add(file, result(file))
    with Store(tmp_path / "out", {"fps": 2}) as store:
        assert store.done(file) == result(file)
        assert store.results() == [result(file)]


def test_a_changed_file_other_settings_or_a_stall_is(tmp_path, file):
    folder = tmp_path / "out"
    with Store(folder, {"fps": 2}) as store:
        store.add(file, result(file))
    with Store(folder, {"fps": 3}) as store:
        assert store.done(file) is None
    file.write_bytes(b"another")
    with Store(folder, {"fps": 2}) as store:
        assert store.done(file) is None
        store.add(file, result(file, "stalled"))
        assert store.done(file) is None
        assert [each.status for each in store.results()] == ["stalled"]
        file.unlink()
        assert store.done(file) is None


def test_a_line_that_was_cut_off_is_dropped(tmp_path, file):
    folder = tmp_path / "out"
    with Store(folder, {}) as store:
        store.add(file, result(file))
    kept = folder / "results.jsonl"
    whole = kept.read_bytes()
    kept.write_bytes(whole + whole[:40])
    other = tmp_path / "b.mp4"
    with Store(folder, {}) as store:
        assert store.done(file)
        store.add(other, result(other))
    assert kept.read_bytes().startswith(whole)
    assert kept.read_bytes().count(b"\n") == 2
    with Store(folder, {}) as store:
        assert len(store.results()) == 2


def test_names_that_are_no_utf8_are_kept(tmp_path):
    path = tmp_path / os.fsdecode(b"\xff\n.mp4")
    with Store(tmp_path / "out", {}) as store:
        store.add(path, result(path))
    with Store(tmp_path / "out", {}) as store:
        assert store.done(path) == result(path)


def test_two_runs_do_not_write_into_one_folder(tmp_path):
    with Store(tmp_path, {}), pytest.raises(UsageError, match="another --out"):
        Store(tmp_path, {})


def test_what_is_not_ours_is_told_and_left(tmp_path):
    (tmp_path / "results.jsonl").write_text('{"schema": 7}\n')
    with pytest.raises(DataError, match=r"line 1.*schema"):
        Store(tmp_path, {})
    assert (tmp_path / "results.jsonl").read_text() == '{"schema": 7}\n'
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="can be written"):
        Store(tmp_path / "file", {})


def test_paths_stand_for_files_each_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (
        "b/1.mp4",
        "b/c/2.PNG",
        "b/.hidden/3.mp4",
        "b/notes.txt",
        "a.mp4",
        "x[1].mp4",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def names(*paths):
        return [str(path) for path in expand(paths)[0]]

    assert names("b") == ["b/1.mp4", "b/c/2.PNG"]
    assert names("a.mp4", "./a.mp4", "b/../a.mp4") == ["a.mp4"]
    assert names("**/*.mp4") == ["a.mp4", "b/1.mp4", "x[1].mp4"]
    assert names("x[1].mp4", "none.mp4", "*.avi") == ["x[1].mp4", "none.mp4", "*.avi"]
    assert names("b/notes.txt") == ["b/notes.txt"]
    (tmp_path / "b/link.mp4").symlink_to("1.mp4")
    (tmp_path / "b/c/up").symlink_to("..")
    (tmp_path / "b/loop.mp4").symlink_to("loop.mp4")
    assert names("b/link.mp4", "b/1.mp4") == ["b/link.mp4", "b/1.mp4"]
    assert names("b/**/*.PNG") == ["b/c/2.PNG"]
    assert "b/loop.mp4" in names("b")


def test_a_list_is_of_lines_or_of_names_ended_by_nul():
    assert split_list("a b.mp4\n\nc.mp4\n") == ["a b.mp4", "c.mp4"]
    assert split_list("a\nb.mp4\0c.mp4\0") == ["a\nb.mp4", "c.mp4"]
