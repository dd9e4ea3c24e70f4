"""Training batches a second of one core, and where the time goes.

`python benchmarks/pipeline.py paper`: the paper's preset, whose only op is the flip;
`... augmented`: every op of the augmentation on every crop. Faces are 308 px wide, so
that crops have some 400 px and the regions that records store, and that are decoded,
some 496 px. Their PNGs are as large as those of FaceForensics++ c23, 1.5 bytes a pixel.
"""

import functools
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
if hasattr(os, "sched_setaffinity"):  # before TensorFlow starts its threads
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import cv2
import numpy as np
import skimage.data
import tensorflow as tf
from spectral import numpy_sida
from timing import interleaved, report

from sfcl_tf.catalog.listing import Video
from sfcl_tf.config import AugmentConfig, load_config
from sfcl_tf.faces.face import Face
from sfcl_tf.inputs.crop import crop_face, crop_square
from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.inputs.preprocess import Preprocessor
from sfcl_tf.media.picture import Picture
from sfcl_tf.media.video import VideoFacts
from sfcl_tf.records.manifest import Manifest, Settings
from sfcl_tf.records.record import (
    decode_region,
    encode_record,
    parse_record,
    write_shard,
)

FACE, FRAMES, ROUNDS = 308, 40, 5
OVERRIDES = {
    "paper": [],
    "augmented": [
        f"augment.{name}=1.0"
        for name, value in vars(AugmentConfig()).items()
        if isinstance(value, float)
    ],
}
RATE = {"paper": 60, "augmented": 25}
LEAST = 2  # times as fast as by hand


def write_records(folder):
    """Writes shards of an enlarged photograph with a camera's noise."""
    rng = np.random.default_rng(0)
    photograph = skimage.data.astronaut()[:256, 96:352]  # the face is 100 px wide
    photograph = cv2.resize(photograph, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    facts = VideoFacts(FRAMES, *photograph.shape[:2], "yuv444p", 23.0)
    reports = []
    for label, name in enumerate(("real", "Deepfakes")):
        video = Video(f"{name}/0", folder, "train", label, name, ("0",))
        records = []
        for index in range(FRAMES):
            noisy = photograph + rng.normal(0, 1.5, photograph.shape)
            image = np.clip(noisy, 0, 255).astype("uint8")
            x, y = (start + int(rng.integers(16)) for start in (220, 170))
            face = Face((x, y, x + FACE, y + FACE), 0, True)
            picture = Picture(image, index, index / 25)
            records.append(encode_record(picture, face, video, facts))
        write_shard(folder / f"{name}.tfrecord", records)
        reports.append(
            {
                "split": "train",
                "label": label,
                "shard": f"{name}.tfrecord",
                "records": FRAMES,
            }
        )
    return Manifest(folder, "benchmark", Settings(FRAMES), tuple(reports), ())


def stages(pipeline):
    """Returns what an example goes through, each stage with all before it."""
    config, preprocess = pipeline.config, Preprocessor(pipeline.config)

    def decode(record):
        return decode_region(record["png"])

    def crop(record):
        return crop_face(decode(record), record["box"], config.data.margin)

    def augment(record):
        return pipeline.training_crop(record, 0, tf.constant(0, tf.int64))[0]

    def inputs(record):
        return preprocess.inputs(augment(record))

    return {
        "read and parse": lambda record: record["png"],
        "decode PNG": decode,
        "crop": crop,
        "augment": augment,
        "resize": lambda record: inputs(record)["image"],  # SIDA is pruned
        "SIDA": inputs,
    }


def counted(pipeline, stage):
    """Returns a function that takes an epoch's examples through a stage."""
    count = pipeline.training_examples()
    shards = [str(path) for path in pipeline.manifest.shards("train")]
    records = tf.data.TFRecordDataset(shards).repeat()
    examples = records.map(lambda record: stage(parse_record(record)))
    options = tf.data.Options()
    options.experimental_optimization.inject_prefetch = False  # it works between turns
    last = examples.shard(count, count - 1)  # only one of an epoch gets to Python
    iterator = iter(last.with_options(options))
    return lambda: next(iterator)


def trained(pipeline):
    """Returns a function that takes an epoch from the pipeline itself."""
    iterator = iter(pipeline.training())
    return lambda: [next(iterator) for _ in range(pipeline.steps_per_epoch())]


def handwritten(pipeline):
    """Returns a function that makes an epoch as one would by hand, on one core."""
    cv2.setNumThreads(1)
    size, batch = pipeline.config.model.image_size, pipeline.config.train.batch_size
    shards = [str(path) for path in pipeline.manifest.shards("train")]
    records = [parse_record(x) for x in tf.data.TFRecordDataset(shards)]
    faces = []
    for record in records:
        x0, y0, x1, y1 = (int(n) for n in record["region"])
        margin = pipeline.config.data.margin
        place = crop_square(record["box"], y1 - y0, x1 - x0, margin)
        png = np.frombuffer(record["png"].numpy(), "uint8")
        faces.append((png, *(int(n) for n in place)))
    rng = np.random.default_rng(0)

    def example(png, x, y, side):
        image = cv2.cvtColor(cv2.imdecode(png, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        crop = image[y : y + side, x : x + side]
        if rng.random() < 0.5:
            crop = np.ascontiguousarray(crop[:, ::-1])
        resized = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
        return resized.astype("float32"), numpy_sida(crop)

    def epoch():
        for start in range(0, len(faces), batch):
            rows = [example(*face) for face in faces[start : start + batch]]
            [np.stack(column) for column in zip(*rows, strict=True)]

    return epoch


def main(name):
    """Prints rates and stages; returns whether the claims hold."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    config = load_config(
        preset="paper", overrides=[*OVERRIDES[name], "data.parallel_calls=1"]
    )
    with tempfile.TemporaryDirectory() as folder:
        pipeline = InputPipeline(write_records(Path(folder)), config)
        measure = functools.partial(
            # The core's time, not the wall's: others may be using the machine.
            interleaved,
            rounds=ROUNDS,
            warm_up=1,
            clock=time.process_time,
        )
        times = measure(
            {
                stage: counted(pipeline, function)
                for stage, function in stages(pipeline).items()
            }
        )
        # By itself, as it reads ahead in the background.
        times |= measure({"shuffle and batch": trained(pipeline)})
        if name == "paper":
            times |= measure({"by hand": handwritten(pipeline)})
    return show(name, times, pipeline.training_examples())


def show(name, times, examples):
    """Prints what was measured, and returns whether the claims hold."""
    ms = {n: statistics.median(v) / examples * 1e3 for n, v in times.items()}
    whole = ms["shuffle and batch"]
    print(f"\nTraining batches, `{name}`, 380 px, one core")
    before = 0.0
    for stage in [n for n in ms if n != "by hand"]:
        spent, before = max(ms[stage] - before, 0.0), ms[stage]  # 0: below the noise
        print(f"  {stage:<34}{spent:9.2f} ms/image   {spent / whole:6.0%}")
    rate = 1e3 / whole
    holds = rate >= RATE[name]
    print(
        f"  {'all':<34}{whole:9.2f} ms/image   {rate:.0f} images/s   claim: at least "
        f"{RATE[name]}, {'holds' if holds else 'DOES NOT HOLD'}"
    )
    if "by hand" in times:
        pairs = {n: times[n] for n in ("shuffle and batch", "by hand")}
        holds &= report(
            "The same against OpenCV and NumPy",
            pairs,
            "shuffle and batch",
            examples,
            least={"by hand": LEAST},
        )
    return holds


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1]))
