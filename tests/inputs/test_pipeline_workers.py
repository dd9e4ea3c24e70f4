"""Shares of several workers, weights of the classes, and what cannot be read."""

import numpy as np
import pytest
import tensorflow as tf
from small_data import small_config, small_manifest

from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.records.reading import readable
from sfcl_tf.system.errors import DataError


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return small_manifest(tmp_path_factory.mktemp("small"))


def sums(batches):
    """One number an example, which tells it from the others."""
    return [np.sort(i["image"].numpy().sum((1, 2, 3))) for i, *_ in batches]


@pytest.mark.parametrize("replicas", [2, 4])
@pytest.mark.parametrize("start", [0, 3])
def test_two_workers_share_every_batch(manifest, replicas, start):
    pipeline = InputPipeline(manifest, small_config("train.batch_size=4"))
    whole = sums(pipeline.training(start).take(6))  # over the end of an epoch
    shares = []
    for worker in (0, 1):
        context = tf.distribute.InputContext(2, worker, replicas)
        each = replicas // 2  # batches that its replicas take of one
        taken = pipeline.training(start, context).take(6 * each)
        found = [i["image"].numpy().sum((1, 2, 3)) for i, _ in taken]
        assert {len(batch) for batch in found} == {4 // replicas}
        shares.append(np.concatenate(found).reshape(6, 2))
    for expected, *found in zip(whole, *shares, strict=True):
        np.testing.assert_array_equal(np.sort(np.concatenate(found)), expected)


def test_ids_are_those_of_the_batch(manifest):
    pipeline = InputPipeline(manifest, small_config())
    assert pipeline.steps_per_epoch() == 2
    for step, (_, label) in enumerate(pipeline.training().take(4)):
        ids = pipeline.batch_ids(step)
        fakes = [name.startswith("Deepfakes/") for name in ids]
        np.testing.assert_array_equal(fakes, label[:, 0] == 1)
        assert all(", frame " in name for name in ids)


@pytest.mark.parametrize("workers", [1, 2])
def test_every_replica_gets_both_classes(manifest, workers):
    pipeline = InputPipeline(manifest, small_config("train.batch_size=8"))
    for worker in range(workers):
        context = tf.distribute.InputContext(workers, worker, 4)
        for _, label in pipeline.training(0, context).take(8):
            assert label[:, 0].numpy().tolist() == [0, 1]


def test_records_that_cannot_be_read_are_told(tmp_path):
    manifest = small_manifest(tmp_path)
    shard = manifest.shards("val")[1]
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 255
    shard.write_bytes(content)
    dataset = InputPipeline(manifest, small_config()).evaluation("val")
    with pytest.raises(DataError, match=r"whole records in the split val.*sfcl check"):
        list(readable(dataset, "the split val"))
