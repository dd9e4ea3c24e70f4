"""Features that are added to records which are there."""

import numpy as np
import pytest
import tensorflow as tf
from small_data import small_config, small_manifest

from sfcl_tf.faces.quality import measure
from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.records.enrich import enrich
from sfcl_tf.records.index import RecordIndex
from sfcl_tf.records.manifest import read_manifest
from sfcl_tf.records.record import OPTIONAL, decode_region, parse_record
from sfcl_tf.system.errors import UsageError


def records(manifest):
    paths = [
        str(p) for split in ("train", "val", "test") for p in manifest.shards(split)
    ]
    return [parse_record(each) for each in tf.data.TFRecordDataset(paths)]


def test_records_of_before_lack_optional_features_and_are_whole(tmp_path):
    for record in records(small_manifest(tmp_path)):
        assert all(record[name].shape == (0,) for name in OPTIONAL)


def test_what_is_added_is_there_and_nothing_else_changes(again):
    before = again()
    digests = {split: before.digest(split) for split in ("train", "val", "test")}
    earlier = records(before)
    seen = []
    found = enrich(before, ["quality"], on_video=lambda *now: seen.append(now))
    assert (found.shards, found.before, found.failed) == (3, 0, {})
    assert seen[-1] == (3, 3)
    manifest = read_manifest(before.folder)
    assert {split: manifest.digest(split) for split in digests} == digests
    for old, new in zip(earlier, records(manifest), strict=True):
        x0, y0, x1, y1 = new["box"].numpy()
        face = decode_region(new["png"]).numpy()[y0:y1, x0:x1]
        expected = measure(face)
        np.testing.assert_allclose(
            new["quality"],
            [expected.size, expected.sharpness, expected.brightness, expected.detail],
            rtol=1e-6,
        )
        for name in set(old) - {"quality"}:
            np.testing.assert_array_equal(old[name], new[name])
    assert enrich(manifest, ["quality"]).before == 3


def test_an_enriched_record_is_not_prepared_anew_and_found_in_the_index(again):
    enrich(again(), ["quality"])
    reused = []
    manifest = again(on_video=lambda now: reused.append(now.reused))
    assert reused == [True] * 3
    index = RecordIndex.of(manifest, "train")
    lengths = [path.stat().st_size for path in manifest.shards("train")]
    assert index.size.sum() == sum(lengths)
    crops = list(InputPipeline(manifest, small_config()).crops("train", every=2))
    assert len(crops) == 1


def test_a_damaged_shard_stops_none_of_the_others(again):
    manifest = again()
    (shard,) = manifest.shards("val")
    shard.write_bytes(shard.read_bytes()[:-40])
    found = enrich(manifest, ["quality"])
    assert found.shards == 2
    ((video, reason),) = found.failed.items()
    assert video.endswith("720")
    assert "sfcl check" in reason


def test_an_unknown_feature_is_told(tmp_path):
    with pytest.raises(UsageError, match="Expected features of quality"):
        enrich(small_manifest(tmp_path), ["age"])
