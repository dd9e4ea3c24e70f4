"""Any folder with `real/` and `fake/`, of videos or images, at any depth.

    real/a.mp4, fake/a_b.mp4                  split 80 : 10 : 10, of each class
    fake/NAME/b.mp4                           NAME is the manipulation method
    train/real/a.mp4, test/fake/b.mp4, ...    splits as they are

Nothing but names tells who is in them: files that share a name or a part of it stay in
one split (`sfcl_tf.catalog.grouping`). Where names do not tell, keep a person in one
split by giving splits, or by a CSV with a column `group`.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from sfcl_tf.catalog.grouping import with_splits
from sfcl_tf.catalog.listing import (
    IMAGE_SUFFIXES,
    REAL,
    SPLITS,
    VIDEO_SUFFIXES,
    Listing,
    Video,
)

OPTIONS: dict = {}
FAKE = "fake"


def expected_path(card) -> str:
    """Returns where files belong."""
    return "real/ and fake/"


def matches(folder: Path, card) -> bool:
    """Tells whether a folder holds `real` and `fake`, or splits that do."""
    return any(
        (base / label).is_dir()
        for base in (folder, *(folder / split for split in SPLITS))
        for label in (REAL, FAKE)
    )


def read(card, root: Path, methods: tuple[str, ...]) -> Listing:
    """Lists every video and image below."""
    bases = [(split, root / split) for split in SPLITS if (root / split).is_dir()]
    videos, unlisted = [], []
    for split, base in bases or [("", root)]:
        unlisted += _aside(base, (REAL, FAKE))
        for label in (REAL, FAKE):
            for path in _files(base / label):
                if path.suffix.lower() not in VIDEO_SUFFIXES | IMAGE_SUFFIXES:
                    unlisted.append(path)
                    continue
                videos.append(_video(card, root, base, split, path))
    if bases:
        unlisted += _aside(root, SPLITS)
    return Listing(tuple(with_splits(videos)), unlisted=tuple(unlisted))


def _aside(base: Path, used: tuple[str, ...]) -> list[Path]:
    """Returns the folders that are not looked into."""
    folders = (path for path in base.iterdir() if path.is_dir())
    return sorted(
        path
        for path in folders
        if path.name not in used and not path.name.startswith(".")
    )


def _video(card, root, base, split, path) -> Video:
    below = path.relative_to(base)
    label = int(below.parts[0] == FAKE)
    method = REAL
    if label:
        method = below.parts[1] if len(below.parts) > 2 else FAKE
    # With its suffix: `a.mp4` and `a.avi` are two.
    video_id = f"{card.name}/{path.relative_to(root).as_posix()}"
    return Video(video_id, path, split, label, method, ())


def _files(folder: Path) -> Iterator[Path]:
    """Yields files below a folder, sorted; each folder once, links or not."""
    seen = set()

    def walk(directory: Path) -> Iterator[Path]:
        try:
            status = directory.stat()
            entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        except OSError:
            return
        if (status.st_dev, status.st_ino) in seen:
            return  # a link back to where we came from
        seen.add((status.st_dev, status.st_ino))
        for entry in entries:
            if entry.name.startswith("."):
                continue
            path = Path(entry.path)
            if path.is_dir():
                yield from walk(path)
            else:
                yield path

    yield from walk(folder)
