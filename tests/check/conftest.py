"""Collections that are lists alone, and facts of files that need not exist."""

import dataclasses
from pathlib import Path

import pytest

from sfcl_tf.catalog.cards import Card
from sfcl_tf.catalog.listing import Listing, Video
from sfcl_tf.check.collection import Collection
from sfcl_tf.check.survey import FileFacts
from sfcl_tf.config import DataConfig

ROOT = Path("/collection")
CARD = Card("mine", "Mine", "folder", "mine", "me", "none")


@pytest.fixture
def video():
    """A function that makes a video of the collection from its place there."""

    def make(place, split="train", label=None, *sources):
        label = int("fake" in place) if label is None else label
        method = "swap" if label else "real"
        return Video(f"mine/{place}", ROOT / place, split, label, method, sources)

    return make


@pytest.fixture
def listed():
    """A function that makes a collection of videos; `card` changes the card's."""

    def make(*videos, frames=32, methods=(), faces="largest", card=(), **listing):
        data = DataConfig(dataset="mine", frames=frames, methods=methods, faces=faces)
        changed = dataclasses.replace(CARD, **dict(card))
        return Collection(changed, ROOT, Listing(videos, **listing), data)

    return make


@pytest.fixture
def facts(video):
    """A function that makes facts of a sound video, with changes."""

    def make(place, **changes):
        sound = {
            "size": 1000,
            "digest": place,
            "fully_hashed": True,
            "frames": 300,
            "width": 640,
            "height": 480,
            "pixel_format": "yuv420p",
            "crf": 23.0,
            "codec": "h264",
            "container": "mp4",
            "rate": 25.0,
            "seconds": 12.0,
        }
        found = changes.pop("video", None) or video(place)
        return FileFacts(found, **{**sound, **changes})

    return make
