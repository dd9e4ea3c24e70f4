"""Finding any record by where it lies."""

import os

import numpy as np
import pytest
import tensorflow as tf
from small_data import small_config, small_manifest

from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.records.index import FILE, RecordIndex, update_index
from sfcl_tf.records.manifest import Manifest, Settings
from sfcl_tf.records.record import read_record, write_shard
from sfcl_tf.system.errors import DataError


def manifest_of(folder, shards):
    """Writes shards of some records, and returns their manifest."""
    videos = []
    (folder / "train").mkdir(exist_ok=True)
    for number, records in enumerate(shards):
        shard = f"train/{number}.tfrecord"
        write_shard(folder / shard, records)
        videos.append(
            {
                "split": "train",
                "label": number % 2,
                "shard": shard,
                "records": len(records),
            }
        )
    return Manifest(folder, "demo", Settings(1), tuple(videos), ())


def read(index, record):
    shard, *place = (each[0] for each in index.locate([record]))
    return read_record(index.paths[shard], *place).numpy()


@pytest.fixture
def shards():
    rng = np.random.default_rng(0)
    return [[rng.bytes(n) for n in (300, 0, 7)], [rng.bytes(70000)], [b"a", b"b"]]


def test_any_record_is_read_by_itself(tmp_path, shards):
    index = RecordIndex.of(manifest_of(tmp_path, shards), "train")
    expected = [record for shard in shards for record in shard]
    assert len(index) == len(expected)
    for record in (5, 0, 3, 1, 4, 2):
        assert read(index, record) == expected[record]
    np.testing.assert_array_equal(index.shard, [0, 0, 0, 1, 2, 2])
    np.testing.assert_array_equal(index.labels, [0, 1, 0])


def test_index_that_is_kept_is_read_instead_of_the_shards(tmp_path, shards):
    manifest = manifest_of(tmp_path, shards)
    first = RecordIndex.of(manifest, "train")
    for path in manifest.shards("train"):  # as long, and nothing in it
        path.write_bytes(bytes(path.stat().st_size))
    again = RecordIndex.of(manifest, "train")
    np.testing.assert_array_equal(again.offset, first.offset)
    np.testing.assert_array_equal(again.size, first.size)


def test_preparation_keeps_the_index(again, monkeypatch):
    from sfcl_tf.records import index as record_index

    manifest = again()
    assert (manifest.folder / "train" / FILE).is_file()
    assert "record_bytes" not in manifest.videos[0]
    monkeypatch.setattr(record_index, "_scan", None)  # nothing is looked for in shards
    for split in ("train", "val", "test"):
        index = RecordIndex.of(manifest, split)
        assert len(index) == sum(v["records"] for v in manifest.split(split)) == 2
    kept = (manifest.folder / "train" / FILE).read_bytes()
    again()  # of what was prepared before
    assert (manifest.folder / "train" / FILE).read_bytes() == kept


def test_changed_shard_is_indexed_anew(tmp_path, shards):
    manifest = manifest_of(tmp_path, shards)
    RecordIndex.of(manifest, "train")
    write_shard(tmp_path / "train/1.tfrecord", [b"longer or shorter"])
    index = RecordIndex.of(manifest, "train")
    assert read(index, 3) == b"longer or shorter"


@pytest.mark.parametrize("damage", [b"", b"no zip file", "half"])
def test_damaged_index_is_made_anew(tmp_path, shards, damage):
    manifest = manifest_of(tmp_path, shards)
    path = tmp_path / "train" / FILE
    RecordIndex.of(manifest, "train")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if damage == "half" else damage)
    assert read(RecordIndex.of(manifest, "train"), 5) == b"b"
    assert path.read_bytes() == whole


def test_index_of_objects_is_not_loaded(tmp_path, shards):
    manifest = manifest_of(tmp_path, shards)
    loaded = []

    class Spy:
        def __reduce__(self):
            return loaded.append, (1,)

    names = np.array([Spy()], object)
    with (tmp_path / "train" / FILE).open("wb") as file:
        np.savez(file, names=names, counts=np.array([1]), sizes=np.array([1]))
    assert read(RecordIndex.of(manifest, "train"), 5) == b"b"
    assert not loaded


def test_parts_of_an_index_are_added(tmp_path, shards):
    manifest = manifest_of(tmp_path, shards)
    RecordIndex.of(manifest, "train")
    update_index(tmp_path, "train", {"train/other.tfrecord": [20, 30]})
    with np.load(tmp_path / "train" / FILE) as found:
        assert found["names"].tolist()[-1] == "train/other.tfrecord"
        assert found["sizes"].tolist()[-2:] == [20, 30]
    assert read(RecordIndex.of(manifest, "train"), 5) == b"b"


@pytest.mark.parametrize("lost", [1, 40, 313])
def test_cut_off_shard_is_named(tmp_path, shards, lost):
    manifest = manifest_of(tmp_path, shards)
    path = tmp_path / "train/0.tfrecord"
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(DataError, match=r"0\.tfrecord.*ends within one.*sfcl prepare"):
        RecordIndex.of(manifest, "train")


def test_other_numbers_of_records_and_absent_shards_are_told(tmp_path, shards):
    manifest = manifest_of(tmp_path, shards)
    write_shard(tmp_path / "train/1.tfrecord", [b"a", b"b", b"c"])
    with pytest.raises(DataError, match=r"Expected 1 records in .*1\.tfrecord.* 3\."):
        RecordIndex.of(manifest, "train")
    (tmp_path / "train/1.tfrecord").unlink()
    with pytest.raises(DataError, match=r"1\.tfrecord.*No such file.*sfcl prepare"):
        RecordIndex.of(manifest, "train")


def test_records_that_cannot_be_written_beside_are_indexed_each_time(
    tmp_path, shards, monkeypatch
):
    from sfcl_tf.system import output

    manifest = manifest_of(tmp_path, shards)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(output.Path, "replace", refuse)
    assert len(RecordIndex.of(manifest, "train")) == 6
    assert not (tmp_path / "train" / FILE).exists()


def test_damaged_record_is_an_error(tmp_path):
    manifest = small_manifest(tmp_path)
    pipeline = InputPipeline(manifest, small_config())
    pipeline.training()  # indexes the shards while they are whole
    for path in manifest.shards("train"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 255
        path.write_bytes(content)
    with pytest.raises(tf.errors.DataLossError, match="corrupted record"):
        list(pipeline.training().take(4))


@pytest.mark.slow
def test_batches_come_from_thousands_of_shards(tmp_path):
    """3,600 videos of 270 frames; their shards are links to one."""
    manifest = small_manifest(tmp_path / "one", frames=1)
    record = next(iter(tf.data.TFRecordDataset(str(manifest.shards("train")[0]))))
    (tmp_path / "train").mkdir()
    write_shard(tmp_path / "train/shard", [record.numpy()] * 270)
    videos = []
    for number in range(3600):
        os.link(tmp_path / "train/shard", tmp_path / f"train/{number}.tfrecord")
        videos.append(
            {
                "video_id": f"demo/{number}",
                "split": "train",
                "label": int(number >= 720),
                "shard": f"train/{number}.tfrecord",
                "records": 270,
            }
        )
    manifest = Manifest(tmp_path, "demo", Settings(270), tuple(videos), ())
    change = "data.real_repeat=4", "train.batch_size=20"
    pipeline = InputPipeline(manifest, small_config(*change))
    assert pipeline.steps_per_epoch() == 77760
    batches = pipeline.order.epoch(0)[0][40000:40100] // 270
    assert min(len(set(batch)) for batch in batches.tolist()) >= 19
    assert len(np.unique(batches)) >= 1300
    assert abs((batches >= 720).mean(1) - 0.5).max() <= 0.05
    ids = [name.split(",")[0] for name in pipeline.batch_ids(40000)]
    assert ids == [f"demo/{number}" for number in batches[0]]
    ((inputs, label),) = pipeline.training(40000).take(1)
    assert inputs["image"].shape == (20, 32, 32, 3)
    assert label.shape == (20, 1)
