"""A video or an image, opened: facts, time stamps, pictures."""

import dataclasses
import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from sfcl_tf.catalog.listing import IMAGE_SUFFIXES
from sfcl_tf.media.container import open_video
from sfcl_tf.media.images import STILL, read_image
from sfcl_tf.media.picture import Picture
from sfcl_tf.media.video import DecodingLog, VideoFacts, decode, scan
from sfcl_tf.system.errors import DataError, UsageError


@dataclasses.dataclass(frozen=True)
class Footage:
    """What can be looked at.

    Attributes:
        facts: What the file says of itself.
        stamps: `(frames,)` int64, ascending, of the frames that are to come.
        pictures: Begins a new pass over them, in presentation order.
        log: What it turned out to be in the passes so far.
    """

    facts: VideoFacts
    stamps: np.ndarray
    pictures: Callable[[], Iterator[Picture]]
    log: DecodingLog = dataclasses.field(default_factory=DecodingLog)

    def announces(self, picture: Picture) -> bool:
        """Tells whether a picture is the one that its time stamp stands for."""
        return (
            picture.index < len(self.stamps)
            and self.stamps[picture.index] == picture.stamp
        )

    def settled(self) -> "Footage":
        """Returns the same with the time stamps of the frames that do decode."""
        stamps = [picture.stamp for picture in self.pictures()]
        known = [stamp for stamp in stamps if stamp is not None]
        ascending = len(known) == len(stamps) and all(np.diff(known) > 0)
        return dataclasses.replace(
            self, stamps=np.array(known if ascending else range(len(stamps)), np.int64)
        )


def open_footage(path: Path) -> Footage:
    """Opens a video or an image, told apart by their content.

    Raises:
        DataError: If it cannot be read.
    """
    require_file(path)
    if is_still(path):
        return _still(*read_image(path))
    facts, stamps = scan(path)
    log = DecodingLog()
    return Footage(facts, stamps, lambda: decode(path, log), log)


def array_footage(image: np.ndarray) -> Footage:
    """Returns an `(H, W, 3)` uint8 RGB array as a footage of one picture.

    Raises:
        UsageError: If it is another one.
    """
    if (
        image.ndim != 3
        or image.shape[-1] != 3
        or image.dtype != np.uint8
        or not image.size
    ):
        raise UsageError(
            "Expected an (H, W, 3) uint8 RGB array. Received: "
            f"{image.shape} {image.dtype}."
        )
    height, width = image.shape[:2]
    return _still(VideoFacts(1, width, height, "array", math.nan), Picture(image))


def require_file(path: Path) -> None:
    """Raises for what is no file, such as a pipe, which would be waited for.

    Raises:
        DataError: If there is nothing, or no file, or an empty one.
    """
    if not path.is_file():
        there = "no file" if path.exists() else "nothing"
        raise DataError(f"Expected a video or an image. Received: {there} at {path}.")
    if not path.stat().st_size:
        raise DataError(f"Expected a video or an image. Received: {path}, empty.")


def is_still(path: Path) -> bool:
    """Tells whether a file is a still image, by its content; if damaged, by its name.

    Args:
        path: A file, see `require_file`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=STILL):
                return True
    except Image.DecompressionBombError:
        return True  # told by `read_image`
    except Exception:  # whatever a decoder meets
        return path.suffix.lower() in IMAGE_SUFFIXES and not _is_video(path)


def is_media(path: Path) -> bool:
    """Tells whether a file is a video or an image, by its content.

    Args:
        path: A file, see `require_file`.
    """
    try:
        require_file(path)
        if is_still(path):
            return True
        container, _ = open_video(path)
    except (DataError, OSError):
        return False
    container.close()
    return True


def local_path(source: object) -> Path:
    """Returns the path of a source that is to be a file.

    Raises:
        UsageError: If it is no path on this machine.
    """
    if not isinstance(source, str | Path) or "://" in str(source):
        raise UsageError(
            "Expected the path of a video or an image on this machine, or an "
            f"array. Received: {str(source)[:80]!r}."
        )
    return Path(source)


def _still(facts: VideoFacts, picture: Picture) -> Footage:
    return Footage(facts, np.zeros(1, np.int64), lambda: iter([picture]))


def _is_video(path):
    try:
        return scan(path)[0].frames > 0
    except DataError:
        return False
