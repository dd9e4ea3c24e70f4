"""What preparation made of a collection, and what happened to it since."""

import dataclasses

import pytest

from sfcl_tf.catalog.layouts import list_videos
from sfcl_tf.check import record_rules
from sfcl_tf.check.collection import Collection
from sfcl_tf.config import DataConfig
from sfcl_tf.records.manifest import Manifest, Settings


@pytest.fixture
def prepared(copy, again, card):
    """Records of three clips, and their collection."""
    made = again()
    listing = list_videos(card, copy.root)
    return made, Collection(card, copy.root, listing, DataConfig(dataset="demo"))


def reports(folder, *videos, split="train"):
    """A manifest of (label, frames with a face of 10, status)."""
    made = [
        {
            "video_id": f"mine/{number}",
            "split": split,
            "label": label,
            "status": status,
            "reason": "",
            "shard": f"{split}/{number}.tfrecord",
            "shard_bytes": 4,
            "frames_wanted": 10,
            "frames_with_face": faces,
            "records": faces,
        }
        for number, (label, faces, status) in enumerate(videos)
    ]
    return Manifest(folder, "mine", Settings(10), tuple(made), ())


def test_whole_records_give_information_only(prepared):
    manifest, collection = prepared
    found = [
        *record_rules.out_of_date(collection, manifest),
        *record_rules.failed_videos(manifest),
        *record_rules.damaged_shards(manifest),
        *record_rules.unreadable_records(manifest),
        *record_rules.coverage(manifest),
    ]
    assert [(f.code, f.severity) for f in found] == [("coverage", "info")]
    assert found[0].details[0] == "train: real 100.0 %"


def test_shard_that_is_cut_or_gone_is_an_error(prepared):
    manifest, _ = prepared
    cut, gone = manifest.shards("train")[0], manifest.shards("val")[0]
    cut.write_bytes(cut.read_bytes()[:-9])
    gone.unlink()
    (found,) = record_rules.damaged_shards(manifest)
    assert found.severity == "error"
    assert "2 of 3 shards" in found.message
    assert "bytes instead of" in found.details[0]
    assert found.details[1] == f"{gone.relative_to(manifest.folder)}: not there"


def test_byte_changed_inside_a_shard_is_found_by_reading_it(prepared):
    manifest, _ = prepared
    shard = manifest.shards("train")[0]
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    assert not list(record_rules.damaged_shards(manifest))
    (found,) = record_rules.unreadable_records(manifest)
    assert (found.code, found.severity) == ("unreadable_records", "error")
    assert len(found.details) == 1


def test_videos_that_are_new_or_have_another_label_are_told(prepared, video):
    manifest, collection = prepared
    first, *rest = collection.listing.videos
    changed = dataclasses.replace(first, label=1 - first.label)
    listing = dataclasses.replace(
        collection.listing, videos=(changed, *rest, video("real/new.mp4"))
    )
    collection = dataclasses.replace(collection, listing=listing)
    moved, waiting = record_rules.out_of_date(collection, manifest)
    assert (moved.code, moved.severity) == ("records_of_other_labels", "error")
    assert len(moved.details) == 1
    assert (waiting.code, waiting.severity) == ("not_prepared", "warning")
    assert waiting.details == ("/collection/real/new.mp4",)


def test_videos_without_records_are_told_by_reason(tmp_path):
    manifest = reports(
        tmp_path, (0, 5, "ok"), (0, 0, "no_face"), (1, 0, "unreadable"), (1, 5, "ok")
    )
    bad, faceless = record_rules.failed_videos(manifest)
    assert (bad.severity, bad.details) == ("error", ("2: cannot be read",))
    assert (faceless.severity, faceless.details) == ("warning", ("1: no face found",))


def test_videos_with_few_faces_are_named_worst_first(tmp_path):
    manifest = reports(tmp_path, (0, 4, "ok"), (1, 2, "ok"), (0, 5, "ok"))
    low, _ = record_rules.coverage(manifest)
    assert low.details == ("1: 2 of 10 frames", "0: 4 of 10 frames")


def test_coverage_that_differs_by_label_is_a_warning_where_it_is_no_chance(tmp_path):
    def codes(count, fakes):
        videos = [(0, 10, "ok")] * count + [(1, fakes, "ok")] * count
        return [f.code for f in record_rules.coverage(reports(tmp_path, *videos))]

    assert codes(20, 8) == ["coverage_bias", "coverage"]
    assert codes(20, 10) == ["coverage"]
    assert codes(3, 8) == ["coverage"]
