"""What `train` and `prepare` say of the data that they prepared, unasked."""

import json
import shutil
from pathlib import Path

import av
import numpy as np
import pytest

from sfcl_tf.catalog.listing import Listing
from sfcl_tf.check import check_prepared
from sfcl_tf.check.collection import Collection
from sfcl_tf.check.file_rules import compression
from sfcl_tf.cli import main
from sfcl_tf.records.manifest import Manifest, Settings


@pytest.fixture
def spoilt(copy, write_clip, collection):
    """A collection of both classes in each split, one fake of another compression."""
    for path in collection.glob("manipulated_sequences/Deepfakes/c23/videos/*.mp4"):
        shutil.copy(path, copy.fake(path.stem))
    frames = av.open(str(copy.fake("071_054")))
    images = [f.to_ndarray(format="rgb24") for f in frames.decode(video=0)]
    frames.close()
    write_clip(copy.fake("071_054"), np.stack(images), crf=40)
    return copy


@pytest.fixture
def said(tmp_path, monkeypatch, capsys, spoilt):
    """A function that runs a command; returns its exit code and what it printed."""
    for name in ("SFCL_DATA", "SFCL_RECORDS", "SFCL_RUNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        data = ("--data-root", str(spoilt.root), "--frames=2", "--workers=1")
        code = main([*argv, *data])
        return code, " ".join(capsys.readouterr().out.split())

    return run


def test_training_repeats_the_errors_before_it_begins(said, monkeypatch, tmp_path):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("sfcl_tf.workflow.train.fit", stop)
    small = "--preset=tiny", "--set=train.batch_size=2"
    code, out = said("train", "--dataset=demo", *small, "--name=a")
    assert code == 130
    begun = out.index("Training sfcl_hcmf")
    assert out.index("ERROR") < begun
    assert out.index("071_054.mp4: crf 40 instead of 23") < begun
    assert "The data has 1 error" in out
    assert "`sfcl check demo` tells all" in out
    found = json.loads((tmp_path / "runs/a/env.json").read_text("utf-8"))
    (error,) = found["data_errors"]
    assert "crf 40 instead of 23" in error


def test_preparing_tells_them_and_a_part_of_it_does_not(said):
    code, out = said("prepare", "demo")
    assert code == 0
    assert "crf 40 instead of 23" in out
    code, out = said("prepare", "demo", "--limit=1")
    assert (code, "ERROR" in out) == (0, False)


def test_sound_data_is_passed_over_in_silence(said, spoilt):
    spoilt.fake("071_054").unlink()
    shutil.copy(spoilt.clip("train"), spoilt.fake("071_054"))
    code, out = said("prepare", "demo")
    assert (code, "ERROR" in out) == (0, False)


def test_codecs_are_told_as_by_reading_the_files(listed, video, facts, tmp_path):
    card = {"crf": 23.0, "pixel_format": "yuv444p"}
    videos = [video("real/a.mp4"), video("fake/b.mp4")]
    collection = listed(*videos, card=card)
    reports = [
        {
            "video_id": each.video_id,
            "split": "train",
            "label": each.label,
            "method": each.method,
            "status": "ok",
            "crf": crf,
            "pixel_format": "yuv444p",
            "records": 2,
            "frames_wanted": 2,
            "frames_with_face": 2,
        }
        for each, crf in zip(videos, (23.0, 40.0), strict=True)
    ]
    manifest = Manifest(tmp_path, "mine", Settings(2), tuple(reports), ())
    found = check_prepared(
        collection.card, collection.root, collection.listing, collection.data, manifest
    )
    expected = compression(
        Collection(
            collection.card, collection.root, collection.listing, collection.data
        ),
        [
            facts("", video=v, crf=r["crf"])
            for v, r in zip(videos, reports, strict=True)
        ],
    )
    assert [f for f in found if f.code == "crf_differs"] == list(expected)
    # Of records alone, without their collection.
    alone = check_prepared(
        collection.card, None, Listing(()), collection.data, manifest
    )
    (finding,) = (f for f in alone if f.code == "crf_differs")
    assert finding.details == ("fake/b.mp4: crf 40 instead of 23",)


def test_report_of_a_run_names_them(tmp_path):
    from sfcl_tf.evaluation import write_report

    (tmp_path / "env.json").write_text(json.dumps({"data_errors": ["<one> is wrong."]}))
    page = write_report(tmp_path).read_text("utf-8")
    assert "&lt;one&gt; is wrong." in page
    (tmp_path / "env.json").write_text("{}")
    assert "has errors" not in write_report(Path(tmp_path)).read_text("utf-8")


@pytest.mark.slow
def test_a_file_of_faceforensics_that_is_not_what_it_claims(media, tmp_path, capsys):
    """A copy of `004.mp4` that goes around as c23 is crf 40."""
    argv = ("prepare", "ff_c23", "--data-root", str(media / "ff"), "--frames=2")
    assert main([*argv, "--records", str(tmp_path), "--workers=1"]) == 0
    out = capsys.readouterr().out
    assert "004.mp4: crf 40 instead of 23" in out
