"""DFDC: parts of the training set, each with its metadata, and the test set.

    dfdc_train_part_0/aaa.mp4, .../metadata.json
        {"aaa.mp4": {"label": "FAKE", "split": "train", "original": "bbb.mp4"}}
    test/aaa.mp4, test/labels.csv       "filename,label", 1 = fake

The training parts have no official split: parts 45 to 49 are held out for
validation. Nothing tells who is in a video but its original.
"""

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

from sfcl_tf.catalog.layouts import present
from sfcl_tf.catalog.listing import REAL, VIDEO_SUFFIXES, Listing, Video
from sfcl_tf.catalog.lists import label_of, read_rows, read_text, require_label
from sfcl_tf.system.errors import DataError

OPTIONS = {"val_parts": (45, 46, 47, 48, 49)}
METHOD = "DFDC"
_PART = re.compile(r"dfdc_train_part_(\d+)")


def expected_path(card) -> str:
    """Returns where the videos belong."""
    return f"{card.folder}/{{dfdc_train_part_*/metadata.json,test/labels.csv}}"


def matches(folder: Path, card) -> bool:
    """Tells whether a folder holds parts or the test set of DFDC."""
    return (folder / "test" / "labels.csv").is_file() or bool(_parts(folder))


def read(card, root: Path, methods: tuple[str, ...]) -> Listing:
    """Lists what metadata and labels name.

    Raises:
        DataError: If one of these files is missing or not as published.
    """
    parts = _parts(root)
    named = [video for part in parts for video in _part(card, root / parts[part], part)]
    folders = [root / name for name in parts.values()]
    if (root / "test" / "labels.csv").is_file():
        named += _test(card, root / "test")
        folders.append(root / "test")
    known = {video.path for video in named}
    unlisted = (
        path
        for folder in folders
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in VIDEO_SUFFIXES and path not in known
    )
    return dataclasses.replace(present(named), unlisted=tuple(unlisted))


def _parts(root: Path) -> dict[int, str]:
    """Returns the folders of the training parts by number, ascending."""
    if not root.is_dir():
        return {}
    parts = ((_PART.fullmatch(path.name), path) for path in root.iterdir())
    return dict(sorted((int(m[1]), path.name) for m, path in parts if m))


def _part(card, folder: Path, number: int) -> Iterator[Video]:
    path = folder / "metadata.json"
    try:
        metadata = json.loads(read_text(path))
        entries = [
            (name, require_label(entry["label"], name), entry.get("original"))
            for name, entry in metadata.items()
        ]
    except OSError as error:
        raise DataError(
            f"Expected metadata.json in {folder}, which holds the labels. Received: "
            f"{error.strerror}. It is part of the archive of each part."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            'Expected {"NAME.mp4": {"label": "FAKE" or "REAL", ...}, ...} in '
            f"{path}. Received: {error!r}."
        ) from error
    split = "val" if number in card.options["val_parts"] else "train"
    for name, label, original in entries:
        identity = Path(original or name).stem
        video_id = f"{card.name}/{folder.name}/{Path(name).stem}"
        method = METHOD if label else REAL
        yield Video(video_id, folder / name, split, label, method, (identity,))


def _test(card, folder: Path) -> Iterator[Video]:
    path = folder / "labels.csv"
    for line, row in read_rows(path, ("filename", "label")):
        name, label = row["filename"], label_of(row["label"])
        if not name or label is None:
            raise DataError(
                f"Expected `filename,label` with labels 0 and 1 in line {line} of "
                f"{path}. Received: {row}."
            )
        video_id = f"{card.name}/test/{Path(name).stem}"
        method = METHOD if label else REAL
        yield Video(video_id, folder / name, "test", label, method, ())
