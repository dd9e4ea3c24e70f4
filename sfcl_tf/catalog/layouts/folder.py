"""Any folder with `real/` and `fake/`, of videos or images, at any depth.

    real/a.mp4, fake/a_b.mp4                  split 80 : 10 : 10, of each class
    fake/NAME/b.mp4                           NAME is the manipulation method
    train/real/a.mp4, test/fake/b.mp4, ...    splits as they are

These names may be written in any case, and `valid` or `validation` for `val`.

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
from sfcl_tf.catalog.lists import split_of

OPTIONS: dict = {}
FAKE = "fake"


def expected_path(card) -> str:
    """Returns where files belong."""
    return "real/ and fake/"


def matches(folder: Path, card) -> bool:
    """Tells whether a folder holds `real` and `fake`, or splits that do."""
    bases = [folder, *(base for _, base in _splits(folder))]
    return any(_labels(base) for base in bases)


def read(card, root: Path, methods: tuple[str, ...]) -> Listing:
    """Lists every video and image below."""
    bases = _splits(root)
    videos, unlisted = [], []
    for split, base in bases or [("", root)]:
        unlisted += _aside(base, [folder for _, folder in _labels(base)])
        for label, folder in _labels(base):
            for path in _files(folder):
                if path.suffix.lower() not in VIDEO_SUFFIXES | IMAGE_SUFFIXES:
                    unlisted.append(path)
                    continue
                videos.append(_video(card, root, folder, split, label, path))
    if bases:
        unlisted += _aside(root, [base for _, base in bases])
    return Listing(tuple(with_splits(videos)), unlisted=tuple(unlisted))


def _splits(root: Path) -> list[tuple[str, Path]]:
    """Returns the folders of splits, in whatever case, in the splits' order."""
    found = [(split_of(path.name), path) for path in _folders(root)]
    order = {split: position for position, split in enumerate(SPLITS)}
    known = [(split, path) for split, path in found if split]
    return sorted(known, key=lambda each: (order[each[0]], each[1]))


def _labels(base: Path) -> list[tuple[int, Path]]:
    """Returns the folders of reals and of fakes, in whatever case."""
    labels = {REAL: 0, FAKE: 1}
    found = [(labels.get(path.name.lower()), path) for path in _folders(base)]
    return sorted((label, path) for label, path in found if label is not None)


def _folders(base: Path) -> list[Path]:
    if not base.is_dir():
        return []
    return sorted(path for path in base.iterdir() if path.is_dir())


def _aside(base: Path, used: list[Path]) -> list[Path]:
    """Returns the folders that are not looked into."""
    return [
        path
        for path in _folders(base)
        if path not in used and not path.name.startswith(".")
    ]


def _video(card, root, folder, split, label, path) -> Video:
    below = path.relative_to(folder).parts
    method = REAL
    if label:
        method = below[0] if len(below) > 1 else FAKE
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
