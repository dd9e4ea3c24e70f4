"""What a second preparation does with what the first has left."""

import json
import shutil

import pytest

from sfcl_tf.data.cards import load_card
from sfcl_tf.data.prepare import fingerprint, read_manifest
from sfcl_tf.errors import DataError


def shards(manifest):
    """Bytes and time of every shard, by file name."""
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in manifest.folder.rglob("*.tfrecord")
    }


def content(manifest):
    return {name: data for name, (data, _) in shards(manifest).items()}


def reused(manifest):
    return {v["video_id"]: v["reused"] for v in manifest.videos}


def test_second_preparation_reuses_everything(copy, again, write_clip, blank):
    write_clip(copy.fake("071_054"), blank)  # also what showed no face
    first = again()
    before = shards(first)
    second = again()
    assert shards(second) == before
    assert set(reused(first).values()) == {False}
    assert set(reused(second).values()) == {True}
    assert second.coverage() == first.coverage()


def test_changed_file_of_the_same_name_is_prepared_again(copy, again):
    before = shards(again())
    shutil.copy(copy.clip("val"), copy.clip("train"))
    manifest = again()
    after = shards(manifest)
    assert reused(manifest) == {
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
    (first.folder / "manifest.json").unlink()
    lost = first.shards("val")[0]
    lost.unlink()
    lost.with_name(f".{lost.name}.123.tmp").write_bytes(b"half")
    second = again()
    after = shards(second)
    assert {name: data for name, (data, _) in before.items()} == content(second)
    assert {name for name in before if before[name] != after[name]} == {lost.name}
    assert read_manifest(second.folder).coverage() == first.coverage()


def test_other_frames_go_to_another_folder(again):
    first, second = again(frames=1), again(frames=2)
    assert first.folder != second.folder
    assert first.folder.parent == second.folder.parent
    assert first.folder.name == f"demo-{first.fingerprint}"
    assert [v["records"] for v in first.videos] == [1, 1, 1]


def test_fingerprint_tells_settings_and_data_sets_apart():
    c23, c40 = load_card("ff_c23"), load_card("ff_c40")
    prints = {fingerprint(c23, 8), fingerprint(c23, 9), fingerprint(c40, 8)}
    assert len(prints) == 3
    assert fingerprint(load_card("ff_c23"), 8) in prints


def test_split_without_any_face_is_an_error(copy, again, write_clip, blank):
    write_clip(copy.clip("val"), blank)
    with pytest.raises(DataError, match=r"split `val`.*real/720: no face found"):
        again()


def test_nothing_is_written_below_the_collection(copy, again):
    before = sorted(copy.root.rglob("*"))
    again()
    assert sorted(copy.root.rglob("*")) == before


def test_unwritable_records_folder_is_an_error(again, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"writable folder.*--records"):
        again(records=tmp_path / "file" / "records")


def test_damaged_manifest_is_an_error_that_tells_the_way_out(again):
    path = again().folder / "manifest.json"
    path.write_text(json.dumps({"card": "demo"}))
    with pytest.raises(DataError, match="Remove that file"):
        read_manifest(path.parent)
    assert again().coverage()["frames_with_face"] == 6
    assert read_manifest(path.parent.parent) is None


@pytest.mark.slow  # each imports TensorFlow anew
def test_two_workers_give_the_same_bytes_as_one(again, tmp_path):
    one, two = again(), again(records=tmp_path / "by_two", workers=2)
    assert content(two) == content(one)
    assert two.videos == one.videos
    assert two.folder.name == one.folder.name
