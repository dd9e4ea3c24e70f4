"""What a second preparation does with what the first has left."""

import json
import shutil

import pytest

from sfcl_tf.catalog.cards import load_card
from sfcl_tf.config import DataConfig
from sfcl_tf.records.manifest import Settings, fingerprint, read_manifest
from sfcl_tf.records.workers import process_pool
from sfcl_tf.system.errors import DataError


def shards(manifest):
    """Bytes and time of every shard, by file name."""
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in manifest.folder.rglob("*.tfrecord")
    }


def content(manifest):
    return {name: data for name, (data, _) in shards(manifest).items()}


@pytest.fixture
def reused(again):
    """A function that prepares again and tells of each video if it was reused."""

    def run():
        seen = {}
        manifest = again(
            on_video=lambda now: seen.update({now.report["video_id"]: now.reused})
        )
        return manifest, seen

    return run


def test_second_preparation_reuses_everything(copy, reused, write_clip, blank):
    write_clip(copy.fake("071_054"), blank)  # also what showed no face
    first, at_first = reused()
    before = shards(first)
    second, then = reused()
    assert shards(second) == before
    assert set(at_first.values()) == {False}
    assert set(then.values()) == {True}
    assert second == first


def test_changed_file_of_the_same_name_is_prepared_again(copy, again, reused):
    before = shards(again())
    shutil.copy(copy.clip("val"), copy.clip("train"))
    manifest, then = reused()
    after = shards(manifest)
    assert then == {
        "demo/real/071": False,
        "demo/real/720": True,
        "demo/real/953": True,
    }
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"demo__real__071.tfrecord"}


def test_file_that_became_unreadable_leaves_no_old_faces(copy, again, collection):
    name = "demo__Deepfakes__071_054.tfrecord"
    shutil.copy(copy.clip("train"), copy.fake("071_054"))
    assert name in shards(again())
    copy.fake("071_054").write_bytes(b"garbage")
    assert name not in shards(again())
    # And is tried again every time, for it may be a copy that is under way.
    shutil.copy(copy.clip("train"), copy.fake("071_054"))
    assert name in shards(again())


def test_killed_preparation_goes_on_to_the_same_bytes(again):
    first = again()
    before = shards(first)
    for manifest in first.folder.glob("*/manifest.json"):
        manifest.unlink()
    lost = first.shards("val")[0]
    lost.unlink()
    lost.with_name(f".{lost.name}.123.tmp").write_bytes(b"half")
    second = again()
    after = shards(second)
    assert {name: data for name, (data, _) in before.items()} == content(second)
    assert {name for name in before if before[name] != after[name]} == {lost.name}
    assert read_manifest(second.folder) == second == first
    assert not [*first.folder.rglob("*.tmp")]


def test_other_frames_go_to_another_folder(again):
    first, second = again(Settings(1)), again(Settings(2))
    assert first.folder != second.folder
    assert first.folder.parent == second.folder.parent
    assert first.folder.name == f"demo-{first.fingerprint}"
    assert [v["records"] for v in first.videos] == [1, 1, 1]


def test_fingerprint_tells_settings_and_data_sets_apart():
    c23, c40 = load_card("ff_c23"), load_card("ff_c40")
    wanted = [
        (c23, Settings(8)),
        (c23, Settings(9)),
        (c23, Settings(8, "all")),
        (c23, Settings(8, boxes="0123")),
        (c23, Settings(8, detector="yunet")),
        (c40, Settings(8)),
        (load_card("celebdf_v2"), Settings(8)),
    ]
    assert len({fingerprint(*one) for one in wanted}) == len(wanted)
    assert fingerprint(load_card("ff_c23"), Settings(8)) == fingerprint(*wanted[0])
    # Of records that were made when there was one detector.
    assert fingerprint(*wanted[0]) == "1248ef8f"


def test_a_detector_that_is_not_asked_makes_no_other_records(tmp_path):
    (tmp_path / "boxes.json").write_text("{}")
    for changes in ({"faces": "full"}, {"boxes": str(tmp_path / "boxes.json")}):
        one = DataConfig(dataset="demo", **changes)
        other = DataConfig(dataset="demo", detector="yunet", **changes)
        assert Settings.of(one) == Settings.of(other)


def test_split_without_any_face_is_an_error_where_it_is_needed(
    copy, again, write_clip, blank
):
    write_clip(copy.clip("val"), blank)
    manifest = again()
    assert manifest.require(("train", "test")) is manifest
    with pytest.raises(DataError, match=r"split `val`.*real/720: no face found"):
        manifest.require(("train", "val"))


def test_nothing_is_written_below_the_collection(copy, again):
    before = sorted(copy.root.rglob("*"))
    again()
    assert sorted(copy.root.rglob("*")) == before


def test_unwritable_records_folder_is_an_error(again, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"writable folder.*--records"):
        again(records=tmp_path / "file" / "records")


def test_damaged_manifest_is_an_error_that_tells_the_way_out(again):
    folder = again().folder
    path = folder / "val/manifest.json"
    path.write_text(json.dumps({"card": "demo"}))
    with pytest.raises(DataError, match="Remove that file"):
        read_manifest(folder)
    assert again().coverage()["frames_with_face"] == 6
    assert read_manifest(folder.parent) is None


@pytest.mark.slow  # each imports TensorFlow anew
def test_two_workers_give_the_same_bytes_as_one(again, tmp_path):
    one, two = again(), again(records=tmp_path / "by_two", engine=process_pool(2))
    assert content(two) == content(one)
    assert two.videos == one.videos
    assert two.folder.name == one.folder.name
