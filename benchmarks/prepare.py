"""Preparation against a face detector on every frame, and against decoding alone.

    SFCL_TEST_MEDIA=DIR python benchmarks/prepare.py [270] [32]

needs real FaceForensics++ videos in `DIR/ff`. All on one core, in one run, video
after video. CPU time is counted, which other processes do not change much.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import cv2
import dlib
import numpy as np
import tensorflow as tf

from sfcl_tf.catalog.cards import find_root, load_card
from sfcl_tf.catalog.layouts import list_videos
from sfcl_tf.faces.face import area, overlap
from sfcl_tf.media.video import decode, evenly_spaced, scan
from sfcl_tf.records.manifest import Settings
from sfcl_tf.records.prepare_video import prepare_video
from sfcl_tf.records.record import parse_record

# frames a video: how many times faster than the detector it is to be
CLAIMS = {270: 12, 32: 4}
MOST_OF_DECODING = 2.5
LEAST_IOU, MOST_DISTANCE = 0.75, 0.10
PLOT = Path("build/benchmarks/boxes_over_time.png")


def timed(function):
    """Returns what a function returns, and the CPU seconds that it took."""
    started = time.process_time()
    result = function()
    return result, time.process_time() - started


def decode_to_rgb(path, wanted):
    """Decodes a video and converts the wanted frames to RGB."""
    for picture in decode(path):
        if picture.index in wanted:
            yield picture.index, picture.rgb()


def detect(detector, path, wanted):
    """Runs dlib's HOG with upsampling on each frame; returns boxes and its seconds."""
    boxes, seconds = {}, 0.0
    for index, image in decode_to_rgb(path, wanted):
        found, took = timed(lambda image=image: detector(image, 1))
        seconds += took
        edges = [(b.left(), b.top(), b.right() + 1, b.bottom() + 1) for b in found]
        boxes[index] = max(edges, key=area, default=None)
    return boxes, seconds


def stored_boxes(shard):
    """Returns the boxes of a shard in their frames, by frame index."""
    boxes = {}
    for record in map(parse_record, tf.data.TFRecordDataset(str(shard))):
        left, top = record["region"].numpy()[:2]
        box = np.add(record["box"].numpy(), [left, top, left, top])
        boxes[int(record["frame_index"])] = tuple(box.tolist())
    return boxes


def centre_distance(box, other):
    """Returns the distance of two boxes' centres, in sides of the second."""
    offset = (np.add(box[:2], box[2:]) - np.add(other[:2], other[2:])) / 2
    return np.hypot(*offset) / max(other[2] - other[0], other[3] - other[1])


def compare(root, frames):
    """Prints the comparison at a number of frames; returns whether claims hold."""
    videos = list_videos(load_card("ff_c23"), root).videos
    detector = dlib.get_frontal_face_detector()
    sums = dict.fromkeys(("ours", "detector", "decoding"), 0.0)
    agreement, coverage = [], np.zeros(2, int)
    print(f"\nPreparation of {len(videos)} videos at {frames} frames, one core, CPU s")
    print(f"  {'':<34}{'ours':>8}{'HOG x2':>9}{'decode':>8}   IoU")
    for video in videos:
        stamps = scan(video.path)[1]
        wanted = set(evenly_spaced(stamps, frames).tolist())
        _, decoding = timed(lambda v=video, w=wanted: [*decode_to_rgb(v.path, w)] and 0)
        theirs, detecting = detect(detector, video.path, wanted)
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            (folder / video.split).mkdir()
            report, ours = timed(
                lambda v=video, f=folder: prepare_video(v, f, Settings(frames))
            )
            mine = stored_boxes(folder / report["shard"])
        both = [i for i in mine if theirs.get(i)]
        pairs = [
            (overlap(mine[i], theirs[i]), centre_distance(mine[i], theirs[i]))
            for i in both
        ]
        agreement += pairs
        coverage += [len(mine), sum(box is not None for box in theirs.values())]
        for name, value in zip(sums, (ours, detecting, decoding), strict=True):
            sums[name] += value
        iou = np.mean([pair[0] for pair in pairs])
        times = f"{ours:8.2f}{detecting:9.2f}{decoding:8.2f}"
        print(f"  {video.video_id:<34}{times}{iou:6.2f}")
        if frames == max(CLAIMS) and video is videos[1]:
            plot(video, mine, theirs)
    iou, distance = np.mean(agreement, axis=0)
    faster = sums["detector"] / sums["ours"]
    slower = sums["ours"] / sums["decoding"]
    checks = [
        (
            f"{faster:.1f}x faster than HOG on each",
            faster >= CLAIMS[frames],
            f"at least {CLAIMS[frames]}x",
        ),
        (
            f"{slower:.2f}x the time of decoding to RGB",
            frames < max(CLAIMS) or slower <= MOST_OF_DECODING,
            f"at most {MOST_OF_DECODING}x at {max(CLAIMS)}",
        ),
        (
            f"mean IoU {iou:.3f} with its boxes",
            iou >= LEAST_IOU,
            f"at least {LEAST_IOU}",
        ),
        (
            f"mean distance of centres {distance:.1%} of the side",
            distance < MOST_DISTANCE,
            f"under {MOST_DISTANCE:.0%}",
        ),
        (
            f"faces in {coverage[0]} frames, HOG {coverage[1]}",
            coverage[0] >= coverage[1],
            "no fewer",
        ),
    ]
    for told, holds, claim in checks:
        print(f"  {told}. Claim: {claim}, {'holds' if holds else 'DOES NOT HOLD'}")
    return all(holds for _, holds, _ in checks)


def plot(video, mine, theirs):
    """Draws the boxes of one video over time, both ways."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(3, sharex=True, figsize=(9, 6), layout="constrained")
    for boxes, name, style in (
        (theirs, "HOG, upsampled, on each frame", {"color": "0.65", "lw": 1.2}),
        (mine, "preparation: detector and tracker", {"color": "tab:blue", "lw": 1.4}),
    ):
        index = [i for i in sorted(boxes) if boxes[i]]
        box = np.array([boxes[i] for i in index])
        lines = (
            (box[:, 0] + box[:, 2]) / 2,
            (box[:, 1] + box[:, 3]) / 2,
            box[:, 2] - box[:, 0],
        )
        for ax, line in zip(axes, lines, strict=True):
            ax.plot(index, line, label=name, **style)
    for ax, title in zip(
        axes, ("centre x, px", "centre y, px", "side, px"), strict=True
    ):
        ax.set_ylabel(title)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
    axes[-1].set_xlabel(f"frame of {video.video_id}")
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PLOT, dpi=110)
    print(f"  boxes over time: {PLOT}")


def main():
    """Runs the comparisons and returns the exit code."""
    sys.stdout.reconfigure(line_buffering=True)
    media = os.environ.get("SFCL_TEST_MEDIA")
    if not media:
        print("Preparation: skipped, for SFCL_TEST_MEDIA names no real videos.")
        return 0
    cv2.setNumThreads(1)
    root = find_root(load_card("ff_c23"), [Path(media) / "ff"])
    counts = [int(argument) for argument in sys.argv[1:]] or sorted(CLAIMS)
    failed = [frames for frames in counts if not compare(root, frames)]
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
