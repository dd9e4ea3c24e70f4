"""A prepared data set of noise, made in a second: fakes are smoothed noise."""

import cv2
import numpy as np

from sfcl_tf.catalog.listing import Video
from sfcl_tf.config import load_config
from sfcl_tf.faces.face import Face
from sfcl_tf.media.picture import Picture
from sfcl_tf.media.video import VideoFacts
from sfcl_tf.records.manifest import Manifest, Settings
from sfcl_tf.records.record import encode_record, write_shard

SIDE = 32


def small_config(*overrides):
    """A configuration for `small_model` and `small_manifest`."""
    return load_config(
        preset="tiny",
        overrides=[
            "data.dataset=demo",
            f"model.image_size={SIDE}",
            "data.frames=4",
            "train.batch_size=8",
            "train.epochs=2",
            "data.real_repeat=1",
            "evaluate.batch_size=16",
            *overrides,
        ],
    )


def small_manifest(folder, frames=4, card="demo", seed=0, methods=("Deepfakes",)):
    """Returns the manifest of 2 real and 2 fake videos a split.

    The fakes are of the methods, in turns. Shards that are not there are written.
    """
    rng = np.random.default_rng(seed)
    facts = VideoFacts(frames, 96, 96, "yuv444p", 23.0)
    reports = []
    for split in ("train", "val", "test"):
        (folder / split).mkdir(parents=True, exist_ok=True)
        for number in range(4):
            label = number % 2
            method = methods[number // 2 % len(methods)] if label else "real"
            video_id = f"{method}/{split}{number}"
            video = Video(video_id, folder, split, label, method, (str(number),))
            shard = f"{split}/{method}__{split}{number}.tfrecord"
            if not (folder / shard).exists():
                write_shard(
                    folder / shard,
                    [_record(rng, video, facts, index) for index in range(frames)],
                )
            reports.append(
                {
                    "video_id": video_id,
                    "split": split,
                    "label": label,
                    "method": method,
                    "status": "ok",
                    "shard": shard,
                    "frames_wanted": frames,
                    "frames_with_face": frames,
                    "records": frames,
                }
            )
    return Manifest(folder, card, Settings(frames), tuple(reports), ())


def _record(rng, video, facts, index):
    image = rng.integers(60, 200, (96, 96, 3)).astype("uint8")
    if video.label:
        image = cv2.blur(image, (3, 3))
    face = Face((24, 24, 64, 64), 0, True)
    return encode_record(Picture(image, index, index / 25), face, video, facts)
