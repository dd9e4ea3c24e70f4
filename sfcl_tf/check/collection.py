"""What a check's rules are told: a card, its collection's folder, and its listing."""

import dataclasses
import functools
from pathlib import Path

from sfcl_tf.catalog.cards import Card
from sfcl_tf.catalog.listing import Listing, Video
from sfcl_tf.config import DataConfig


@dataclasses.dataclass(frozen=True)
class Collection:
    """A collection that was listed.

    Attributes:
        card: The data set.
        root: Its folder, or its CSV.
        listing: What it holds.
        data: How it is to be prepared.
    """

    card: Card
    root: Path
    listing: Listing
    data: DataConfig

    def relative_path(self, path: Path) -> str:
        """Returns a path as it is told: below the collection where it lies there."""
        try:
            return str(path.relative_to(self._folder))
        except ValueError:
            return str(path)

    @functools.cached_property
    def _folder(self) -> Path:
        return self.root.parent if self.root.is_file() else self.root

    @property
    def named(self) -> tuple[Video, ...]:
        """All videos of a split, there or not."""
        return (*self.listing.videos, *self.listing.missing)
