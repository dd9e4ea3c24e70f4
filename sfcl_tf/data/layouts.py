"""Readers of collections: which videos there are, and what each one is."""

import dataclasses
import json
from pathlib import Path

from sfcl_tf import resources
from sfcl_tf.data.cards import Card
from sfcl_tf.errors import DataError

SPLITS = ("train", "val", "test")
REAL = "real"


@dataclasses.dataclass(frozen=True)
class Video:
    """One video of a collection.

    Attributes:
        video_id: Data set, method and file, such as `ff_c23/Deepfakes/519_515`.
            Grouping by the file alone would merge methods.
        path: Where it lies.
        split: `train`, `val` or `test`.
        label: 1 = fake, 0 = real.
        method: Manipulation method, or `real`.
        sources: Ids of the people in it: target first, then source.
    """

    video_id: str
    path: Path
    split: str
    label: int
    method: str
    sources: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Listing:
    """What a collection holds, and what its lists name but it does not hold."""

    videos: tuple[Video, ...]
    missing: tuple[Video, ...]

    def split(self, name: str) -> tuple[Video, ...]:
        """Returns the videos of one split."""
        return tuple(video for video in self.videos if video.split == name)


def list_videos(card: Card, root: Path) -> Listing:
    """Lists a card's videos below its collection's folder.

    Raises:
        DataError: If a split is empty or an identity stands in two splits.
    """
    if card.layout != "faceforensics":
        raise DataError(
            f"Expected a layout of faceforensics. Received: {card.layout!r} in the "
            f"card {card.name}."
        )
    named = _faceforensics(card, root)
    here = tuple(video for video in named if video.path.is_file())
    missing = tuple(video for video in named if not video.path.is_file())
    for split in SPLITS:
        if not any(video.split == split for video in here):
            wanted = next(video for video in missing if video.split == split)
            raise DataError(
                f"Expected videos of {card.title} in the split `{split}`. Received: "
                f"none below {root}. The first one missing is "
                f"{wanted.path.relative_to(root)}."
            )
    return Listing(here, missing)


def _faceforensics(card: Card, root: Path) -> list[Video]:
    videos, split_of = [], {}
    for split in SPLITS:
        path = resources.path("datasets") / "splits" / card.splits / f"{split}.json"
        for pair in json.loads(path.read_text("utf-8")):
            for identity in pair:
                if split_of.setdefault(identity, split) != split:
                    raise DataError(
                        "Expected each identity in one split. Received: "
                        f"{identity} in {split_of[identity]} and {split} ({path})."
                    )
            videos += _pair(card, root, split, *pair)
    return videos


def _pair(card: Card, root: Path, split: str, a: str, b: str) -> list[Video]:
    def video(method, name, *sources):
        real = method == REAL
        folder = (
            root / "original_sequences" / "youtube"
            if real
            else root / "manipulated_sequences" / method
        )
        path = folder / card.compression / "videos" / f"{name}.mp4"
        video_id = f"{card.name}/{method}/{name}"
        return Video(video_id, path, split, int(not real), method, sources)

    reals = [video(REAL, name, name) for name in (a, b)]
    fakes = [
        video(method, f"{target}_{source}", target, source)
        for method in card.methods
        for target, source in ((a, b), (b, a))
    ]
    return reals + fakes
