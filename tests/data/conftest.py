"""A small demo collection and its records, made once for all tests here."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from sfcl_tf.config import load_config
from sfcl_tf.data.cards import load_card
from sfcl_tf.data.demo import DemoSettings, make_demo
from sfcl_tf.data.layouts import list_videos
from sfcl_tf.data.manifest import Settings
from sfcl_tf.data.pipeline import InputPipeline
from sfcl_tf.data.prepare import prepare

SETTINGS = DemoSettings(
    train_pairs=1, val_pairs=1, test_pairs=1, frames=6, size=256, crfs=(23,)
)
# The first of each official split, as the demo takes them.
REALS = {"train": "071", "val": "720", "test": "953"}


@pytest.fixture(scope="session")
def collection(tmp_path_factory):
    """A demo collection: 10 clips of 6 frames a split. Nothing may change it."""
    pytest.importorskip("skimage")
    return make_demo(tmp_path_factory.mktemp("collection"), SETTINGS)


@pytest.fixture(scope="session")
def card():
    """The demo's card."""
    return load_card("demo")


@pytest.fixture(scope="session")
def manifest(collection, card, tmp_path_factory):
    """Its records: 3 frames a clip. Nothing may change them."""
    records = tmp_path_factory.mktemp("records")
    return prepare(card, list_videos(card, collection), Settings(3), records=records)


@dataclasses.dataclass(frozen=True)
class Copy:
    """A collection of one's own to spoil, with one real clip a split."""

    root: Path

    def clip(self, split: str) -> Path:
        """Returns the path of a split's real clip."""
        name = f"{REALS[split]}.mp4"
        return self.root / "original_sequences/youtube/c23/videos" / name

    def fake(self, name: str) -> Path:
        """Returns the path of a Deepfakes clip, which need not exist."""
        path = self.root / "manipulated_sequences/Deepfakes/c23/videos" / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


@pytest.fixture
def copy(collection, tmp_path):
    """A collection of one real clip a split, to be changed."""
    result = Copy(tmp_path / collection.name)
    for split in REALS:
        path = result.clip(split)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(collection / path.relative_to(result.root), path)
    return result


@pytest.fixture(scope="session")
def blank():
    """6 frames of plain grey."""
    return np.full((6, 256, 256, 3), 127, np.uint8)


@pytest.fixture
def again(card, copy, tmp_path):
    """A function that prepares the copy as it is now."""

    def run(settings=Settings(2), **changes):  # noqa: B008 - frozen
        changes = {"records": tmp_path / "records"} | changes
        return prepare(card, list_videos(card, copy.root), settings, **changes)

    return run


@pytest.fixture(scope="session")
def pipeline(manifest):
    """A function that builds the input pipeline, `section.key=value` as given."""

    def build(*overrides):
        # 48 training examples: 6 of reals four times, and 24 of fakes.
        small = "model.image_size=32", "train.batch_size=12", "data.real_repeat=4"
        config = load_config(preset="tiny", overrides=[*small, *overrides])
        return InputPipeline(manifest, config)

    return build
