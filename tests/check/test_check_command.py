"""`sfcl check`: what it says, its exit code, and its JSON."""

import json
import shutil
import sys
import types
from pathlib import Path

import pytest

from sfcl_tf.check.findings import Report
from sfcl_tf.cli import main


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """A function that runs the command; returns its exit code and what it said."""
    for name in ("SFCL_DATA", "SFCL_RECORDS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def command(*argv):
        code = main(["check", *map(str, argv), "--workers=1"])
        return code, *capsys.readouterr()

    return command


def codes(out, severity):
    findings = json.loads(out)["findings"]
    return [f["code"] for f in findings if f["severity"] == severity]


def test_sound_collection_passes(run, collection):
    code, out, _ = run("demo", "--data-root", collection, "--json", "-")
    assert code == 0
    assert codes(out, "error") == []
    assert codes(out, "warning") == ["missing_files", "few_frames"]


def test_worst_comes_first_with_what_to_do_and_a_verdict(run, copy, write_clip, blank):
    write_clip(copy.fake("071_054"), blank, crf=40)
    shutil.copy(copy.clip("train"), copy.fake("720_672"))
    copy.clip("test").write_bytes(b"garbage")
    code, out, err = run("demo", "--data-root", copy.root, "--json", "report.json")
    assert code == 3
    assert err == ""
    assert out.index("ERROR") < out.index("WARNING") < out.index("INFO")
    for told in (
        "c23/videos/071_054.mp4: crf 40 instead of 23",
        "1 file under both labels",
        "c23/videos/953.mp4: Invalid data",
        "-> Get",
        "Not fit for use as it is: 4 errors, 2 warnings.",
        "1 split with files of one class alone",
        "test: every file is real",
    ):
        assert told in out
    values = json.loads(Path("report.json").read_text("utf-8"))
    report = Report.from_dict(values)
    assert report.to_dict() == values
    assert report.counts["error"] == 4
    assert report.videos == 5


def test_quick_opens_no_file(run, copy):
    shutil.copy(copy.clip("train"), copy.fake("071_054"))
    copy.clip("test").write_bytes(b"garbage")
    code, out, _ = run("demo", "--data-root", copy.root, "--quick")
    assert code == 3
    assert "1 error" in out  # splits of one class alone
    assert "no file was opened" in out
    assert "cannot be read" not in out


def test_contradiction_of_a_list_is_reported_like_everything_else(run, tmp_path):
    root = tmp_path / "Celeb-DF-v2"
    (root / "Celeb-real").mkdir(parents=True)
    (root / "Celeb-real/id0_0000.mp4").touch()
    (root / "List_of_testing_videos.txt").write_text("0 Celeb-real/id0_0000.mp4\n")
    code, out, err = run("celebdf_v2", "--data-root", tmp_path)
    assert code == 3
    assert err == ""
    assert "contradicts its folder" in " ".join(out.split())
    code, out, _ = run("celebdf_v2", "--data-root", tmp_path, "--json", "-")
    assert (code, codes(out, "error")) == (3, ["contradiction"])


def test_identity_leak_is_a_finding_and_no_refusal(run, tmp_path):
    (tmp_path / "a.mp4").touch()
    (tmp_path / "b.mp4").touch()
    text = "path,label,split,group\na.mp4,0,train,x\nb.mp4,1,test,x\n"
    (tmp_path / "list.csv").write_text(text)
    code, out, _ = run("./list.csv", "--quick", "--json", "-")
    assert (code, codes(out, "error")) == (3, ["identity_leak", "one_class_split"])


def test_collection_that_is_nowhere_is_an_error_of_one_line(run):
    code, out, err = run("ff_c23", "--data-root", "elsewhere")
    assert (code, out) == (3, "")
    assert err.startswith("sfcl: Expected FaceForensics++")


def test_folder_without_videos_is_told(run, tmp_path):
    (tmp_path / "mine/real").mkdir(parents=True)
    code, out, _ = run("./mine", "--json", "-")
    assert (code, codes(out, "error")) == (3, ["no_videos"])


def test_records_are_checked_with_and_without_the_collection(run, copy, again):
    shutil.copy(copy.clip("train"), copy.fake("071_054"))
    manifest = again()
    shard = manifest.shards("val")[0]
    data = shard.read_bytes()
    options = "--frames=2", "--records", manifest.folder.parent, "--json", "-"
    asked = ("demo", "--data-root", copy.root, *options)
    code, out, _ = run(*asked, "--quick", "--deep")
    assert codes(out, "error") == ["one_class_split"]  # one real clip in val and test
    shard.write_bytes(data[:-9])
    code, out, _ = run(*asked, "--quick")
    assert (code, codes(out, "error")) == (3, ["one_class_split", "damaged_shards"])
    shutil.rmtree(copy.root)
    code, out, _ = run(*asked)
    assert (code, codes(out, "error")) == (3, ["damaged_shards"])
    assert "no_collection" in codes(out, "warning")
    (manifest.folder / "val/manifest.json").write_text("{")
    assert run("demo", "--data-root", copy.root, *options)[0] == 3


def test_contact_sheet_needs_records_and_says_how_to_get_them(run):
    code, out, err = run("demo", "--show", "crops.png", "--frames=3")
    assert (code, out) == (3, "")
    assert "sfcl prepare demo --frames 3" in err


def test_contact_sheet_is_drawn_of_a_prepared_split(run, manifest, monkeypatch):
    drawn = []
    module = types.ModuleType("sfcl_tf.check.contact_sheet")
    module.contact_sheet = lambda *args: drawn.append(args)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    records = manifest.folder.parent
    code, out, _ = run(
        "demo", "--show", "crops.png", "--frames=3", "--records", records
    )
    assert code == 0
    assert "crops.png" in out
    ((pipeline, split, path),) = drawn
    assert pipeline.manifest.videos == manifest.videos
    assert (split, str(path)) == ("train", "crops.png")


def test_mislabelled_compression_is_found_in_real_videos(run, media):
    code, out, _ = run("ff_c23", "--data-root", media / "ff")
    assert code == 3
    assert "original_sequences/youtube/c23/videos/004.mp4: crf 40 instead of 23" in out
    assert "1 of 7 videos was not compressed" in out


def test_missing_video_of_the_metadata_is_found_in_real_videos(run, media):
    code, out, _ = run("dfdc", "--data-root", media / "dfdc")
    assert code == 3
    assert "- dfdc_train_part_10/widuwuoiur.mp4" in out
