"""`sfcl prepare`, on a collection of three clips."""

import shutil

import pytest

from sfcl_tf.cli import main
from sfcl_tf.cli.progress import ConsoleProgress
from sfcl_tf.config import DataConfig
from sfcl_tf.records.manifest import Settings, fingerprint, read_manifest
from sfcl_tf.workflow.prepare import ready_records
from sfcl_tf.workflow.sources import Sources


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
    assert f"4 files in {copy.root}; not there, but named by its lists: 4996" in out
    assert "demo/Deepfakes/071_054: 0 of 2 frames; Expected a readable video" in out
    assert [path.name for path in (tmp_path / "mine").iterdir()] == [
        f"demo-{fingerprint(card, Settings(2))}"
    ]
    assert not (tmp_path / "records").exists()
    assert "3 of 4 videos were prepared before" in command("--records", "mine")


def test_records_of_a_collection_that_is_gone_are_used(copy, command, tmp_path, capsys):
    command()
    sources = Sources(roots=[copy.root], workers=1)
    data = DataConfig(dataset="demo", frames=2)
    before = ready_records(data, sources, ConsoleProgress())
    shutil.rmtree(copy.root)
    after = ready_records(data, sources, ConsoleProgress(), ("val",))
    assert after.videos == before.videos
    assert "collection not found; using records" in capsys.readouterr().out
    assert main(["prepare", "demo", "--data-root", str(copy.root)]) == 3


def test_another_detector_has_records_of_its_own(copy, command, card, tmp_path):
    command("--split", "val")
    out = command("--split", "val", "--detector", "yunet", "--dry-run")
    assert "At most 2 frames of each, faces: largest by yunet." in out
    command("--split", "val", "--detector", "yunet")
    folder = tmp_path / f"records/demo-{fingerprint(card, Settings(2))}"
    other = fingerprint(card, Settings(2, detector="yunet"))
    assert sorted(path.name for path in folder.parent.iterdir()) == sorted(
        [folder.name, f"demo-{other}"]
    )
    manifest = read_manifest(folder.with_name(f"demo-{other}"))
    assert manifest.settings.detector == "yunet"
    assert manifest.coverage()["frames_with_face"] == 2


def test_dry_run_tells_what_is_to_do_and_does_nothing(copy, command, tmp_path):
    out = command("--dry-run")
    assert "train │    1 │    0 │             1" in out
    assert "At most 2 frames of each" in out
    assert not (tmp_path / "records").exists()
    command("--split", "val")
    out = command("--dry-run")
    assert "val   │    1 │    0 │             0" in out
    assert "test  │    1 │    0 │             1" in out


def test_limit_takes_videos_of_each_split_and_method_in_turns(copy, command):
    for name in ("071_054", "054_071"):
        shutil.copy(copy.clip("train"), copy.fake(name))
    out = command("--limit", "2", "--dry-run")
    assert "train │    1 │    1 │             2" in out
    assert "val   │    1 │    0 │             1" in out


def test_methods_are_a_choice(copy, command):
    shutil.copy(copy.clip("train"), copy.fake("071_054"))
    out = command("--methods", "FaceSwap", "--dry-run")
    assert "train │    1 │    0 │             1" in out
    out = command("--methods", "FaceSwap,Deepfakes", "--dry-run")
    assert "train │    1 │    1 │             2" in out


@pytest.mark.slow
def test_features_are_added_by_a_command_to_what_is_prepared(command, capsys):
    assert main(["prepare", "demo", "--frames=2", "--enrich", "quality"]) == 3
    assert "Prepare them first" in capsys.readouterr().err
    command()
    assert "quality: added to 3 videos" in command("--enrich", "quality")
    assert "added to 0 videos" in command("--enrich", "quality")
    assert "3 of 3 videos were prepared before" in command()
    argv = ["prepare", "demo", "--enrich", "quality", "--split", "val"]
    assert main(argv) == 2
    assert "without --split" in capsys.readouterr().err
