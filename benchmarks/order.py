"""How soon an epoch begins, and what its batches hold, at FaceForensics++'s size.

    python benchmarks/order.py

3,600 shards of 270 records, links to one dummy shard: what is measured is finding and
ordering 972,000 records, not decoding them. Beside it, what TensorFlow users reach for:
shards in random order, 16 open at a time, and a shuffle buffer of 1,024.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import numpy as np
import tensorflow as tf

from sfcl_tf.catalog.listing import Video
from sfcl_tf.config import load_config
from sfcl_tf.faces.face import Face
from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.media.picture import Picture
from sfcl_tf.media.video import VideoFacts
from sfcl_tf.records.manifest import Manifest, Settings
from sfcl_tf.records.record import encode_record, write_shard

REALS, FAKES, FRAMES, BATCH, STEPS = 720, 2880, 270, 20, 100
MOST_SECONDS, LEAST_VIDEOS = 5, 1300


def write_records(folder):
    """Writes one shard, and a manifest of links to it."""
    image = np.random.default_rng(0).integers(0, 256, (80, 80, 3)).astype("uint8")
    video = Video("real/0", folder, "train", 0, "real", ("0",))
    facts = VideoFacts(FRAMES, 80, 80, "yuv444p", 23.0)
    face = Face((10, 10, 70, 70), 0, True)
    (folder / "train").mkdir()
    write_shard(
        folder / "train/shard",
        (
            encode_record(Picture(image, i, i / 25), face, video, facts)
            for i in range(FRAMES)
        ),
    )
    reports = []
    for number in range(REALS + FAKES):
        shard = f"train/{number}.tfrecord"
        os.link(folder / "train/shard", folder / shard)
        reports.append(
            {
                "video_id": str(number),
                "split": "train",
                "label": int(number >= REALS),
                "shard": shard,
                "records": FRAMES,
            }
        )
    return Manifest(folder, "benchmark", Settings(FRAMES), tuple(reports), ())


def shard_by_shard(manifest):
    """Yields the videos of batches as interleaved shards and a buffer give them."""
    numbers = np.arange(REALS + FAKES)
    order = np.concatenate([np.repeat(numbers[:REALS], 4), numbers[REALS:]])
    shards = tf.data.Dataset.from_tensor_slices(order).shuffle(len(order), 0)
    records = shards.interleave(
        lambda number: tf.data.Dataset.from_tensors(number).repeat(FRAMES),
        cycle_length=16,
    )
    return iter(records.shuffle(1024, 1).batch(BATCH))


def told(name, batches):
    """Prints what some batches hold; returns how many videos."""
    fakes = (batches >= REALS).mean(1)
    videos = len(np.unique(batches))
    least = min(len(set(batch)) for batch in batches.tolist())
    print(
        f"  {name:<34}{videos:6,} videos, at least {least} in a batch, share of fakes "
        f"{fakes.min():.2f} to {fakes.max():.2f}"
    )
    return videos


def main():
    """Prints times and what batches hold; exits with 1 if a claim does not hold."""
    config = load_config(
        preset="paper", overrides=["data.real_repeat=4", f"train.batch_size={BATCH}"]
    )
    with tempfile.TemporaryDirectory() as folder:
        manifest = write_records(Path(folder))
        start = time.perf_counter()
        InputPipeline(manifest, config).training()
        indexed = time.perf_counter() - start
        pipeline = InputPipeline(manifest, config)
        steps = pipeline.steps_per_epoch()
        start = time.perf_counter()
        batches = iter(pipeline.training(steps - 1))
        next(batches)
        first = time.perf_counter() - start
        start = time.perf_counter()
        next(batches)  # of the next epoch
        second = time.perf_counter() - start
        record, _ = pipeline.order.epoch(0)
        ours = record[:STEPS] // FRAMES
        naive = shard_by_shard(manifest)
        theirs = np.array([next(naive).numpy() for _ in range(STEPS)])
    print(f"\n{REALS + FAKES:,} shards of {FRAMES} records, {steps:,} steps an epoch")
    print(f"  indexing shards without an index  {indexed:6.1f} s")
    holds = max(first, second) < MOST_SECONDS
    print(
        f"  first batch, and of the next epoch{first:6.1f} s and {second:.1f} s   "
        f"claim: under {MOST_SECONDS}, {'holds' if holds else 'DOES NOT HOLD'}"
    )
    print(f"What {STEPS} steps of {BATCH} hold")
    enough = told("by class, spread over the epoch", ours) >= LEAST_VIDEOS
    print(
        f"  claim: at least {LEAST_VIDEOS:,}, {'holds' if enough else 'DOES NOT HOLD'}"
    )
    told("16 open shards, buffer of 1,024", theirs)
    return int(not (holds and enough))


if __name__ == "__main__":
    sys.exit(main())
