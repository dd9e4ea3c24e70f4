"""Augmented batches: whatever runs in parallel, and from any step on."""

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf
from small_data import small_config, small_manifest

from sfcl_tf import ops
from sfcl_tf.config import AugmentConfig
from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.inputs.preprocess import tf_basis
from sfcl_tf.records.record import parse_record

OPS = [f.name for f in dataclasses.fields(AugmentConfig) if f.type is float]
HALF = [f"augment.{name}=0.5" for name in OPS]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A function that builds a pipeline of 2 batches of 8 an epoch."""
    manifest = small_manifest(tmp_path_factory.mktemp("small"))

    def build(*overrides):
        return InputPipeline(manifest, small_config(*HALF, *overrides))

    return build


def read(pipeline, count, **options):
    batches = pipeline.training(**options).take(count)
    return [(i["image"].numpy(), i["sida"].numpy(), y.numpy()) for i, y in batches]


def assert_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_batches_do_not_depend_on_parallel_calls(small):
    expected = read(small("data.parallel_calls=1"), 5)
    for calls in (0, 3):
        assert_same(read(small(f"data.parallel_calls={calls}"), 5), expected)


def test_resumed_batches_are_those_of_an_uninterrupted_pass(small):
    assert small().steps_per_epoch() == 2
    whole = read(small(), 7)
    for start in (1, 2, 5):
        assert_same(read(small(), 7 - start, start_step=start), whole[start:])


def test_resuming_counts_the_batches_that_a_remainder_leaves(small):
    change = "train.batch_size=3"
    assert small(change).steps_per_epoch() == 5  # and one example over
    whole = read(small(change), 13)
    assert_same(read(small(change), 2, start_step=11), whole[11:])


def test_skipped_examples_are_not_decoded(small, tmp_path):
    off = [f"augment.{name}=0" for name in OPS]
    config = small_config(*off)
    manifest = small_manifest(tmp_path)
    pipeline = InputPipeline(manifest, config)
    ((inputs, _),) = pipeline.training().take(1)
    first = {sida.tobytes() for sida in inputs["sida"].numpy()}
    batches = [i["sida"].numpy() for i, _, _ in pipeline.evaluation("train")]
    broken = [sida.tobytes() in first for sida in np.concatenate(batches)]
    assert sum(broken) == 8

    breaks = iter(broken)
    for shard in manifest.shards("train"):
        records = [r.numpy() for r in tf.data.TFRecordDataset(str(shard))]
        with tf.io.TFRecordWriter(str(shard)) as writer:
            for record in records:
                example = tf.train.Example.FromString(record)
                if next(breaks):
                    example.features.feature["png"].bytes_list.value[0] = b"broken"
                writer.write(example.SerializeToString())
    pipeline = InputPipeline(manifest, config)
    with pytest.raises(tf.errors.InvalidArgumentError):
        list(pipeline.training().take(1))
    assert len(list(pipeline.training(start_step=1).take(1))) == 1


def test_faces_of_a_frame_and_repeats_of_one_draw_apart(small):
    pipeline = small()
    shard = tf.data.TFRecordDataset(str(pipeline.manifest.shards("train")[0]))
    record = parse_record(next(iter(shard)))
    other = {**record, "track": tf.constant(1, tf.int64)}
    epoch = tf.constant(0, tf.int64)
    drawn = [
        pipeline.training_crop(of, repeat, epoch)[1]["jitter"].arguments[0].numpy()
        for of, repeat in ((record, 0), (other, 0), (record, 1), (record, 0))
    ]
    np.testing.assert_array_equal(drawn[0], drawn[3])
    assert len(np.unique(drawn[:3], axis=0)) == 3


def test_sida_and_image_are_of_the_augmented_crop(small):
    pipeline = small("train.batch_size=16")
    found = {}
    for epoch in range(2):
        seen = []
        for path in pipeline.manifest.shards("train"):
            for record in tf.data.TFRecordDataset(str(path)).map(parse_record):
                crop, drawn = pipeline.training_crop(
                    record, 0, tf.constant(epoch, "int64")
                )
                assert set(drawn) == set(OPS)
                resized = tf.image.resize(crop, (32, 32), antialias=True)
                seen.append((resized, ops.sida(crop, basis=tf_basis())))
        found[epoch] = seen
    batches = itertools.islice(pipeline.training(), 2)
    for epoch, (inputs, _) in enumerate(batches):
        for image, sida in zip(inputs["image"], inputs["sida"], strict=True):
            distances = [np.abs(image - other).max() for other, _ in found[epoch]]
            nearest = int(np.argmin(distances))
            assert distances[nearest] < 1e-3
            np.testing.assert_allclose(sida, found[epoch][nearest][1], 1e-3, 1e-3)
