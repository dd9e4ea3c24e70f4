"""`sfcl prepare`, on a collection of three clips."""

import shutil

import pytest

from sfcl_tf.cli import main
from sfcl_tf.data.prepare import fingerprint


@pytest.fixture
def command(copy, tmp_path, monkeypatch, capsys):
    """A function that prepares the copy and returns what was said."""
    monkeypatch.delenv("SFCL_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    argv = ["prepare", "demo", "--frames=2", "--workers=1"]

    def run(*more):
        assert main([*argv, "--data-root", str(copy.root), *more]) == 0
        return capsys.readouterr().out

    return run


def test_coverage_is_shown_and_every_failure_named(copy, command, card, tmp_path):
    copy.fake("071_054").write_bytes(b"garbage")
    out = command("--records", "mine")
    assert f"4 videos in {copy.root}; 4996 more that its lists name" in out
    assert "demo/Deepfakes/071_054: 0 of 2 frames; Expected a readable video" in out
    assert [path.name for path in (tmp_path / "mine").iterdir()] == [
        f"demo-{fingerprint(card, 2)}"
    ]
    assert not (tmp_path / "records").exists()
    assert "3 of 4 videos were prepared before" in command("--records", "mine")


def test_records_of_a_collection_that_is_gone_are_used(copy, command, tmp_path):
    command()
    assert (tmp_path / "records").is_dir()
    shutil.rmtree(copy.root)
    assert "collection not found; using records" in command()
