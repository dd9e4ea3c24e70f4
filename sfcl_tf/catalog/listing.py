"""What a collection holds: its videos and images, their labels and splits."""

import dataclasses
import hashlib
from collections.abc import Iterable
from pathlib import Path

from sfcl_tf.system.errors import DataError

SPLITS = ("train", "val", "test")
REAL = "real"

_VIDEO = (
    "mp4 m4v mov qt avi divx mkv webm mpg mpeg mpe m1v m2v vob ts mts m2ts m2t wmv asf "
    "flv f4v 3gp 3g2 ogv mxf dv gif"
)
_IMAGE = (
    "png jpg jpeg jpe jfif bmp dib tif tiff webp avif heic heif hif jp2 j2k jpx ppm "
    "pgm pbm pnm"
)
VIDEO_SUFFIXES = frozenset(f".{name}" for name in _VIDEO.split())
IMAGE_SUFFIXES = frozenset(f".{name}" for name in _IMAGE.split())


@dataclasses.dataclass(frozen=True)
class Video:
    """One video, or one image, of a collection.

    Attributes:
        video_id: Data set, method and file, such as `ff_c23/Deepfakes/519_515`.
            Grouping by the file alone would merge methods.
        path: Where it lies.
        split: `train`, `val` or `test`.
        label: 1 = fake, 0 = real.
        method: Manipulation method, or `real`.
        sources: Ids of the people in it: target first, then source. Empty where
            the data set does not tell.
        only_with: Of a real that stands beside one method alone: that method, without
            which it is not taken. Empty for all others.
    """

    video_id: str
    path: Path
    split: str
    label: int
    method: str
    sources: tuple[str, ...]
    only_with: str = ""

    @property
    def is_image(self) -> bool:
        """Whether the file is a still image, by its name alone."""
        return self.path.suffix.lower() in IMAGE_SUFFIXES


@dataclasses.dataclass(frozen=True)
class Listing:
    """What a collection holds, and what it should hold.

    Attributes:
        videos: Those that are there.
        missing: Those that its lists name but that are not there.
        unlisted: Files and folders beside them that are not looked at.
        left_out: Those that belong to no split, such as fakes whose two people
            stand in different ones.
        all_videos: All that are there, in order, where `videos` are a choice of them:
            of methods, or of so many a split.
        methods: Manipulation methods of the whole data set.
    """

    videos: tuple[Video, ...]
    missing: tuple[Video, ...] = ()
    unlisted: tuple[Path, ...] = ()
    left_out: tuple[Video, ...] = ()
    all_videos: tuple[Video, ...] = ()
    methods: tuple[str, ...] = ()

    def split(self, name: str) -> tuple[Video, ...]:
        """Returns the videos of one split."""
        return tuple(video for video in self.videos if video.split == name)

    def of_splits(self, splits: Iterable[str]) -> "Listing":
        """Returns the listing without the other splits."""
        splits = set(splits)
        return dataclasses.replace(
            self,
            videos=tuple(v for v in self.videos if v.split in splits),
            missing=tuple(v for v in self.missing if v.split in splits),
            all_videos=tuple(v for v in self.all_videos if v.split in splits),
        )

    def of_methods(self, methods: Iterable[str]) -> "Listing":
        """Returns the listing with the fakes of these methods alone.

        Reals that stand beside one method alone go with it.
        """
        methods = {*methods, ""}

        def taken(video):
            return (video.method if video.label else video.only_with) in methods

        return dataclasses.replace(
            self,
            videos=tuple(filter(taken, self.videos)),
            missing=tuple(filter(taken, self.missing)),
            all_videos=self.all_videos or self.videos,
        )

    def limited(self, count: int) -> "Listing":
        """Returns at most `count` videos of each split, spread over its methods.

        They are taken in turns from real and each method, in the listing's order.
        """
        kept = set()
        for split in SPLITS:
            queues: dict[str, list[Video]] = {REAL: []}
            for video in self.split(split):
                queues.setdefault(video.method, []).append(video)
            in_turns = sorted(
                (position, number, video.video_id)
                for number, queue in enumerate(queues.values())
                for position, video in enumerate(queue)
            )
            kept |= {video_id for _, _, video_id in in_turns[:count]}
        videos = tuple(v for v in self.videos if v.video_id in kept)
        all_videos = self.all_videos or self.videos
        return dataclasses.replace(
            self, videos=videos, missing=(), all_videos=all_videos
        )


def identity_leaks(videos: Iterable[Video]) -> dict[str, tuple[str, ...]]:
    """Returns the identities that stand in more than one split, with these splits."""
    splits: dict[str, set[str]] = {}
    for video in videos:
        for identity in video.sources:
            splits.setdefault(identity, set()).add(video.split)
    return {
        identity: tuple(split for split in SPLITS if split in seen)
        for identity, seen in splits.items()
        if len(seen) > 1
    }


def require_disjoint(videos: Iterable[Video], where: object) -> None:
    """Raises where an identity stands in two splits.

    Raises:
        DataError: It names the first such identities.
    """
    leaks = identity_leaks(videos)
    if leaks:
        shown = "; ".join(
            f"{identity} in {' and '.join(splits)}"
            for identity, splits in list(leaks.items())[:5]
        )
        raise DataError(
            f"Expected each identity in one split. Received: {shown}"
            f"{f' and {len(leaks) - 5} more' if len(leaks) > 5 else ''} ({where}). A "
            "detector would be tested on people it was trained on."
        )


def held_out(key: str, share: float) -> bool:
    """Tells whether a key falls into a held-out share, the same way everywhere.

    Example:
        >>> sum(held_out(str(n), 0.1) for n in range(100_000))
        10049
    """
    digest = hashlib.sha256(key.encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def linked(groups: Iterable[tuple[str, ...]]) -> list[str]:
    """Returns, for each tuple of names, one name of all that it is linked with.

    Tuples that share a name, or are joined by a chain of such, get the same one.

    Example:
        >>> linked([("a",), ("c", "b"), ("b", "a"), ("d",)])
        ['a', 'a', 'a', 'd']
    """
    groups = list(groups)
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = name = parent[parent[name]]
        return name

    for names in groups:
        for name in names:
            low, high = sorted((root(names[0]), root(name)))
            parent[high] = low
    return [root(names[0]) for names in groups]
