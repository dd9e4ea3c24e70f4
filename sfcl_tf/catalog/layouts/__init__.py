"""Readers of collections: one module a layout, each with the same four names.

| name | what |
|---|---|
| `OPTIONS` | keys that a card may have below `[options]`, with their defaults |
| `expected_path(card)` | a path below the collection: tells people where files belong |
| `matches(folder, card)` | whether a folder is laid out so |
| `read(card, root, methods)` | the `Listing` |

Where a card names methods, `ALL_METHODS` are those that can be read at all.
"""

import dataclasses
import importlib
from collections.abc import Sequence
from pathlib import Path

from sfcl_tf.catalog.listing import Listing, require_disjoint
from sfcl_tf.system.errors import DataError, UsageError

LAYOUTS = ("faceforensics", "celebdf", "dfdc", "dfdcp", "folder", "csv_list")


def reader(layout: str):
    """Returns the module that reads a layout.

    Raises:
        DataError: If there is none of that name.
    """
    if layout not in LAYOUTS:
        raise DataError(
            f"Expected a layout of {', '.join(LAYOUTS)}. Received: {layout!r}."
        )
    return importlib.import_module(f"sfcl_tf.catalog.layouts.{layout}")


def list_videos(card, root: Path, methods: tuple[str, ...] = ()) -> Listing:
    """Lists a card's videos below its collection's folder.

    Args:
        card: A `sfcl_tf.catalog.cards.Card`.
        root: The collection's folder.
        methods: Manipulation methods to take; all of the card's where empty.

    Raises:
        DataError: If nothing is there, a list contradicts the folders, or an
            identity stands in two splits of a data set that says it does not.
    """
    layout, own = reader(card.layout), card.methods
    # All of them, so that a choice knows what it is a part of.
    readable = dict.fromkeys((*own, *getattr(layout, "ALL_METHODS", ())))
    listing = layout.read(card, Path(root), tuple(readable))
    there = _methods(listing)
    if unknown := [method for method in methods if method not in there]:
        raise UsageError(
            f"Expected methods of {card.title}: {', '.join(there) or 'it has none'}. "
            f"Received: {', '.join(unknown)}."
        )
    listing = dataclasses.replace(listing, methods=own or there)
    if methods or readable:
        listing = listing.of_methods(methods or own)
    if card.identity_disjoint:
        require_disjoint((*listing.videos, *listing.missing), root)
    if not listing.videos:
        first = listing.missing[0].path if listing.missing else None
        raise DataError(
            f"Expected videos of {card.title} below {root}. Received: none"
            f"{f'; the first one missing is {first}' if first else ''}. They belong "
            f"into `{reader(card.layout).expected_path(card)}`."
        )
    return listing


def _methods(listing: Listing) -> tuple[str, ...]:
    named = (*listing.videos, *listing.missing)
    return tuple(sorted({video.method for video in named if video.label}))


def require_splits(card, listing: Listing, splits: Sequence[str]) -> None:
    """Raises where a split that is needed has no video.

    Raises:
        DataError: It names the first video that is missing there.
    """
    for split in splits:
        if listing.split(split):
            continue
        missing = [video.path for video in listing.missing if video.split == split]
        raise DataError(
            f"Expected videos of {card.title} in the split `{split}`. Received: none"
            + (f". The first one missing is {missing[0]}." if missing else ".")
            + (
                " Give splits by folders named train, val and test, or by a CSV with "
                "a column `split`."
                if card.path
                else ""
            )
        )


def present(named) -> Listing:
    """Divides named videos into those that are there and those that are not.

    A folder stands for the video of which it holds the frames.
    """
    named = tuple(named)
    here = {video.video_id for video in named if video.path.exists()}
    return Listing(
        tuple(video for video in named if video.video_id in here),
        tuple(video for video in named if video.video_id not in here),
    )
