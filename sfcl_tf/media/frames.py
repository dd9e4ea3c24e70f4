"""A video that was taken apart: a folder of its frames as images."""

import dataclasses
import functools
import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sfcl_tf.catalog.listing import IMAGE_SUFFIXES
from sfcl_tf.media.footage import Footage, open_footage, require_file
from sfcl_tf.media.images import read_image
from sfcl_tf.media.picture import Picture
from sfcl_tf.media.video import VideoFacts
from sfcl_tf.system.errors import DataError


def frame_files(folder: Path) -> list[Path]:
    """Returns the images of a folder, by the numbers in their names: 2 before 10."""
    return sorted(
        (
            path
            for path in folder.iterdir()
            if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
        ),
        key=_order,
    )


def open_collected(path: Path) -> Footage:
    """Opens what a collection has for a video: a file, or a folder of its frames.

    Nothing tells how far apart in time such frames are: they have no times, and the
    detector looks at each that is sampled. Each is decoded when it is looked at: one
    that cannot be read raises a `DataError` then.

    Raises:
        DataError: If it cannot be read.
    """
    if not path.is_dir():
        return open_footage(path)
    files = frame_files(path)
    if not files:
        raise DataError(
            f"Expected the frames of a video. Received: no image in {path}."
        )
    facts = dataclasses.replace(_facts(files), frames=len(files))
    return Footage(facts, np.arange(len(files)), lambda: _pictures(files))


def _facts(files: list[Path]) -> VideoFacts:
    """Returns the facts of the first image that can be read."""
    problem = None
    for path in files:
        try:
            require_file(path)
            return read_image(path)[0]
        except DataError as error:
            problem = problem or error
    raise problem or DataError("no frames")


class _Frame(Picture):
    """A frame that is read when it is looked at."""

    def __init__(self, path: Path, index: int):
        self._path = path
        self.index = self.stamp = index
        self.time = math.nan

    @functools.cached_property
    def _rgb(self) -> np.ndarray:  # type: ignore[override]
        require_file(self._path)
        return read_image(self._path)[1].rgb()


def _pictures(files: list[Path]) -> Iterator[Picture]:
    for index, path in enumerate(files):
        yield _Frame(path, index)


def _order(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), part) if part.isdecimal() else (-1, part) for part in parts]
