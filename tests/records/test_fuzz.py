"""Mutated copies of a good video and of good images harm nothing.

By default a few, made here. `SFCL_FUZZ=500 SFCL_TEST_MEDIA=... pytest
tests/records/test_fuzz.py` takes as many of real ones.
"""

import os

import numpy as np
from bad_files import mutated, originals

from sfcl_tf.catalog.cards import load_card
from sfcl_tf.catalog.layouts import list_videos
from sfcl_tf.records.manifest import Settings
from sfcl_tf.records.prepare import prepare
from sfcl_tf.records.workers import process_pool, run_inline

COUNT = int(os.environ.get("SFCL_FUZZ", "24"))


def test_mutated_files_neither_hang_nor_crash_preparation(tmp_path, write_clip):
    good = originals(tmp_path, write_clip)
    rng = np.random.default_rng(0)
    folder = tmp_path / "files/real"
    folder.mkdir(parents=True)
    for n in range(COUNT):
        original = good[n % len(good)]
        name = folder / f"{n:04d}{original.suffix}"
        name.write_bytes(mutated(original.read_bytes(), rng))
    card = load_card(tmp_path / "files")
    manifest = prepare(
        card,
        list_videos(card, tmp_path / "files"),
        Settings(3),
        records=tmp_path / "records",
        engine=process_pool(2, 120) if COUNT > 100 else run_inline,
    )
    statuses = [video["status"] for video in manifest.videos]
    counts = {status: statuses.count(status) for status in sorted(set(statuses))}
    print(counts)
    assert len(statuses) == COUNT
    assert set(statuses) <= {"ok", "no_face", "too_small", "unreadable"}
    assert {"ok", "unreadable"} <= set(statuses)
