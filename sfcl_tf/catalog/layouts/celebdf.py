"""Celeb-DF, version 1 and 2.

    Celeb-real/id0_0000.mp4, YouTube-real/00000.mp4, Celeb-synthesis/id0_id1_0000.mp4
    List_of_testing_videos.txt      "1 Celeb-real/id0_0000.mp4"

The label is the folder's: in the list 1 means real. The official test list is no
split by identity. Of the rest, a sixth of the people is held out for validation; a
fake of a person in and a person out of it is left out.
"""

import dataclasses
from pathlib import Path

from sfcl_tf.catalog.layouts import present
from sfcl_tf.catalog.listing import REAL, VIDEO_SUFFIXES, Listing, Video, held_out
from sfcl_tf.catalog.lists import plain, read_text
from sfcl_tf.system.errors import DataError

OPTIONS: dict = {}
TEST_LIST = "List_of_testing_videos.txt"
METHOD = "Celeb-synthesis"
FOLDERS = {"Celeb-real": REAL, "YouTube-real": REAL, METHOD: METHOD}
_PUBLISHED = {name.lower(): name for name in FOLDERS}
_HELD_OUT = 1 / 6


def expected_path(card) -> str:
    """Returns where the videos belong."""
    return f"{card.folder}/{{{','.join(FOLDERS)}}}/*.mp4"


def matches(folder: Path, card) -> bool:
    """Tells whether a folder is laid out as Celeb-DF is."""
    return bool(_folders(folder))


def read(card, root: Path, methods: tuple[str, ...]) -> Listing:
    """Lists what the folders hold and what the test list names.

    Raises:
        DataError: If the test list is missing or contradicts the folders.
    """
    tests, folders = _test_list(root), _folders(root)
    names = {
        f"{folder}/{path.name}"
        for folder, directory in folders.items()
        for path in directory.glob("*")
        if path.suffix.lower() in VIDEO_SUFFIXES
    }
    named = [_video(card, root, folders, name, tests) for name in sorted(names | tests)]
    listing = present([video for video in named if video.split])
    crossing = tuple(video for video in named if not video.split)
    return dataclasses.replace(listing, left_out=crossing)


def _folders(root: Path) -> dict[str, Path]:
    """Returns where the videos of each published folder lie, in whatever case."""
    if not root.is_dir():
        return {}
    found = {
        _PUBLISHED[path.name.lower()]: path
        for path in sorted(root.iterdir())
        if path.name.lower() in _PUBLISHED and path.is_dir()
    }
    return {
        name: path / "videos" if (path / "videos").is_dir() else path
        for name, path in found.items()
    }


def _test_list(root: Path) -> set[str]:
    path = root / TEST_LIST
    try:
        lines = read_text(path).splitlines()
    except OSError as error:
        raise DataError(
            f"Expected Celeb-DF's {TEST_LIST} beside its folders. Received: {path} "
            f"({error.strerror}). It comes with the data set."
        ) from error
    names = set()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        digit, _, name = line.strip().partition(" ")
        folder, _, file = plain(name).partition("/")
        folder = _PUBLISHED.get(folder.lower(), "")
        if not folder or not file or "/" in file or digit not in ("0", "1"):
            raise DataError(
                f"Expected `1 Celeb-real/NAME.mp4` in line {number} of {path}. "
                f"Received: {line!r}."
            )
        if (digit == "1") != (FOLDERS[folder] == REAL):
            raise DataError(
                f"Expected 1 for real and 0 for fake in {path}, as published. Received "
                f"in line {number}: {line!r}, which contradicts its folder. Get the "
                "list again from the authors."
            )
        names.add(f"{folder}/{file}")
    return names


def _video(card, root, folders, name, tests) -> Video:
    folder, file = name.split("/", 1)
    path = folders.get(folder, root / folder) / file
    if folder == "YouTube-real":
        sources = (f"youtube{path.stem}",)
    else:
        sources = tuple(part for part in path.stem.split("_") if part.startswith("id"))
    method = FOLDERS[folder]
    # Two folders hold reals: the folder is part of the id.
    video_id = f"{card.name}/{folder}/{path.stem}"
    split = "test" if name in tests else _remaining_split(sources)
    return Video(video_id, path, split, int(method != REAL), method, sources)


def _remaining_split(sources) -> str:
    """Returns `val`, `train`, or nothing where people of both are in the video."""
    held = {held_out(identity, _HELD_OUT) for identity in sources}
    if len(held) != 1:
        return ""
    return "val" if held.pop() else "train"
