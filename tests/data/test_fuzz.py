"""Mutated copies of a good video and of good images harm nothing.

By default a few, made here. `SFCL_FUZZ=500 SFCL_TEST_MEDIA=... pytest
tests/data/test_fuzz.py` takes as many of real ones.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from sfcl_tf.data.cards import load_card
from sfcl_tf.data.engines import in_this_process, process_pool
from sfcl_tf.data.layouts import list_videos
from sfcl_tf.data.manifest import Settings
from sfcl_tf.data.prepare import prepare

COUNT = int(os.environ.get("SFCL_FUZZ", "24"))


def mutated(data, rng):
    """Returns a copy with bytes changed, or a stretch cut out, doubled or blanked."""
    data = bytearray(data)
    kind = rng.integers(5)
    start = int(rng.integers(len(data)))
    length = int(rng.integers(1, max(len(data) // 4, 2)))
    if kind == 0:
        for place in rng.integers(0, len(data), rng.integers(1, 50)):
            data[place] = rng.integers(256)
    elif kind == 1:
        del data[start : start + length]
    elif kind == 2:
        data[start:start] = data[start : start + length]
    elif kind == 3:
        data[start : start + length] = bytes(len(data[start : start + length]))
    else:  # in the headers, where sizes and counts stand
        for place in rng.integers(0, min(len(data), 256), rng.integers(1, 12)):
            data[place] = rng.integers(256)
    return bytes(data)


@pytest.fixture
def originals(tmp_path, write_clip):
    """Good files: real ones where they are at hand and many copies are wanted."""
    media = os.environ.get("SFCL_TEST_MEDIA")
    if media and "SFCL_FUZZ" in os.environ:
        crops = sorted(Path(media).glob("faces_ff/*/*/*.png"))[:3]
        photographs = sorted(Path(media).glob("faces_boxes/*.jpg"))[:2]
        videos = [Path(media) / "ff/original_sequences/youtube/c23/videos/519.mp4"]
        return [*videos * 3, *crops, *photographs]
    face = pytest.importorskip("skimage.data").astronaut()[:256, 90:346]
    clip = write_clip(tmp_path / "a.mp4", np.repeat(face[None], 6, axis=0))
    import cv2

    for name in ("a.png", "a.jpg"):
        cv2.imwrite(str(tmp_path / name), face[..., ::-1])
    return [clip, tmp_path / "a.png", tmp_path / "a.jpg"]


def test_mutated_files_neither_hang_nor_crash_preparation(tmp_path, originals):
    rng = np.random.default_rng(0)
    folder = tmp_path / "files/real"
    folder.mkdir(parents=True)
    for n in range(COUNT):
        original = originals[n % len(originals)]
        name = folder / f"{n:04d}{original.suffix}"
        name.write_bytes(mutated(original.read_bytes(), rng))
    card = load_card(tmp_path / "files")
    manifest = prepare(
        card,
        list_videos(card, tmp_path / "files"),
        Settings(3),
        records=tmp_path / "records",
        engine=process_pool(2, 120) if COUNT > 100 else in_this_process,
    )
    statuses = [video["status"] for video in manifest.videos]
    counts = {status: statuses.count(status) for status in sorted(set(statuses))}
    print(counts)
    assert len(statuses) == COUNT
    assert set(statuses) <= {"ok", "no_face", "too_small", "unreadable"}
    assert {"ok", "unreadable"} <= set(statuses)
