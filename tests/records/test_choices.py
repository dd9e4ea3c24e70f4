"""Preparing a choice of videos: what was prepared before is still there for others."""

import json
import shutil

import pytest

from sfcl_tf.catalog.layouts import list_videos
from sfcl_tf.cli import main
from sfcl_tf.records.manifest import Manifest, Settings, read_manifest
from sfcl_tf.records.prepare import prepare


@pytest.fixture
def choose(card, copy, tmp_path):
    """A function that prepares methods, or some of each split; gives what lies there.

    The collection has a real and two fakes of different methods to train on.
    """
    fake = copy.fake("071_054")
    other = copy.root / "manipulated_sequences/FaceSwap/c23/videos/071_054.mp4"
    other.parent.mkdir(parents=True)
    for path in (fake, other):
        shutil.copy(copy.clip("train"), path)

    def run(*methods, limit=None):
        listing = list_videos(card, copy.root, methods)
        listing = listing.limited(limit) if limit else listing
        chosen = prepare(card, listing, Settings(2), records=tmp_path / "records")
        return read_manifest(chosen.folder)

    return run


def ids(manifest):
    return [video["video_id"] for video in manifest.videos]


@pytest.mark.parametrize("choice", [{"limit": 1}, {"methods": ("FaceSwap",)}])
def test_preparing_a_part_takes_the_rest_from_nobody(choose, choice):
    whole = choose()
    path = whole.folder / "train/manifest.json"
    before = path.read_bytes()
    after = choose(*choice.get("methods", ()), limit=choice.get("limit"))
    assert path.read_bytes() == before
    assert ids(after) == ids(whole)
    for split in ("train", "val", "test"):
        assert after.digest(split) == whole.digest(split)


def test_choices_add_up_to_the_whole_in_its_order(choose):
    first = choose("FaceSwap")
    both = choose("Deepfakes")
    assert ids(first.of_methods(("FaceSwap",))) == ids(first)
    assert ids(both) == ids(choose())
    assert both.of_methods(("FaceSwap",)).digest("train") == first.digest("train")


def test_a_video_that_is_gone_is_not_kept(choose, copy):
    choose()
    copy.fake("071_054").unlink()
    assert "demo/Deepfakes/071_054" not in ids(choose("FaceSwap"))


def test_methods_beside_the_cards_own_are_taken_where_asked_for(choose, copy):
    whole = ids(choose())
    videos = {"original_sequences/actors": "01__walk", "DeepFakeDetection": "01_02__w"}
    for folder, name in videos.items():
        below = folder if "/" in folder else f"manipulated_sequences/{folder}"
        path = copy.root / below / "c23/videos" / f"{name}.mp4"
        path.parent.mkdir(parents=True)
        shutil.copy(copy.clip("test"), path)
    for manifest in (choose("DeepFakeDetection"), choose(), choose("FaceSwap")):
        assert ids(manifest.of_methods(())) == whole
        actors = ids(manifest.of_methods(("DeepFakeDetection",)))
        assert [name for name in actors if name not in whole] == [
            "demo/real/01__walk",
            "demo/DeepFakeDetection/01_02__w",
        ]
    # Records of before it was noted, beside which films a real stands.
    (sidecar,) = manifest.folder.glob("test/demo__real__01__walk*.json")
    report = json.loads(sidecar.read_text())
    assert report.pop("only_with") == "DeepFakeDetection"
    sidecar.write_text(json.dumps(report))
    assert ids(choose("DeepFakeDetection").of_methods(())) == whole


def test_all_methods_by_name_are_the_same_choice_as_none(choose):
    manifest = choose()
    every = ("NeuralTextures", "FaceSwap", "Face2Face", "Deepfakes")
    assert manifest.of_methods(every) == manifest.of_methods(())
    assert manifest.of_methods(("FaceSwap", "Deepfakes")).methods == (
        "Deepfakes",
        "FaceSwap",
    )
    videos = [{"label": 1, "method": name} for name in ("swap", "morph")]
    own = Manifest(manifest.folder, "mine", Settings(2), tuple(videos), ())
    assert own.of_methods(("swap", "morph")).methods == ()
    assert own.of_methods(("swap",)).methods == ("swap",)


def test_the_command_keeps_the_rest_too(choose, copy, tmp_path):
    whole = choose()
    argv = ["prepare", "demo", "--frames=2", "--workers=1", "--methods=FaceSwap"]
    places = ["--records", str(tmp_path / "records"), "--data-root", str(copy.root)]
    assert main([*argv, *places]) == 0
    assert read_manifest(whole.folder).videos == whole.videos
