"""DFDC: parts of the training set, each with its metadata, and the test set.

    dfdc_train_part_0/aaa.mp4, .../metadata.json
        {"aaa.mp4": {"label": "FAKE", "split": "train", "original": "bbb.mp4"}}
    test/aaa.mp4, test/labels.csv       "filename,label", 1 = fake

The training parts have no official split: parts 45 to 49 are held out for
validation. Nothing tells who is in a video but its original.

As at Kaggle: a part may lie in a folder of its own name; without parts,
`train_sample_videos` is read, a fifth of whose originals are held out; `test_videos`
is the test set if it has a `labels.csv`, for without one nobody knows its labels.
"""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

from sfcl_tf.catalog.layouts import present
from sfcl_tf.catalog.listing import REAL, Listing, Video, held_out
from sfcl_tf.catalog.lists import (
    label_of,
    read_entries,
    read_rows,
    require_below,
    require_label,
)
from sfcl_tf.system.errors import DataError

OPTIONS = {"val_parts": (45, 46, 47, 48, 49)}
METHOD = "DFDC"
SAMPLE, TESTS = "train_sample_videos", ("test", "test_videos")
_PART = re.compile(r"dfdc_train_part_(\d+)")
_METADATA = "metadata.json"
_LISTS = (_METADATA, "labels.csv")
_FORM = '{"NAME.mp4": {"label": "FAKE" or "REAL", ...}, ...}'
_HELD_OUT = 1 / 5  # of the sample's originals


def expected_path(card) -> str:
    """Returns where the videos belong."""
    parts = f"{{dfdc_train_part_*,{SAMPLE}}}/{_METADATA}"
    return f"{card.folder}/{{{parts},{{{','.join(TESTS)}}}/labels.csv}}"


def matches(folder: Path, card) -> bool:
    """Tells whether a folder holds parts, the sample or the test set of DFDC."""
    return bool(_parts(folder) or _sample(folder) or _tests(folder))


def read(card, root: Path, methods: tuple[str, ...]) -> Listing:
    """Lists what metadata and labels name.

    Raises:
        DataError: If one of these files is missing or not as published.
    """
    parts, tests = _parts(root), _tests(root)
    sample = [] if parts else _sample(root)
    named = [video for n, part in parts.items() for video in _part(card, part, n)]
    named += [video for folder in sample for video in _part(card, folder, None)]
    named += [video for folder in tests for video in _test(card, folder)]
    folders = [*parts.values(), *sample, *tests]
    known = {video.path for video in named}
    unlisted = [
        path
        for folder in folders
        for path in sorted(folder.iterdir())
        if path not in known and path.name not in _LISTS and path.name[0] != "."
    ]
    looked_at = {path for folder in folders for path in (folder, folder.parent)}
    unlisted += (p for p in sorted(root.iterdir()) if p.is_dir() and p not in looked_at)
    return dataclasses.replace(present(named), unlisted=tuple(unlisted))


def _parts(root: Path) -> dict[int, Path]:
    """Returns the folders of the training parts by number, ascending."""
    if not root.is_dir():
        return {}
    parts = ((_PART.fullmatch(path.name), path) for path in root.iterdir())
    return dict(sorted((int(m[1]), _unpacked(path)) for m, path in parts if m))


def _unpacked(folder: Path) -> Path:
    """Returns a folder, or the one of the same name in it, as some archives have it."""
    inner = folder / folder.name
    return inner if inner.is_dir() and not (folder / _METADATA).exists() else folder


def _sample(root: Path) -> list[Path]:
    folder = _unpacked(root / SAMPLE)
    return [folder] if folder.is_dir() else []


def _tests(root: Path) -> list[Path]:
    folders = [_unpacked(root / name) for name in TESTS]
    return [folder for folder in folders if (folder / "labels.csv").is_file()][:1]


def _part(card, folder: Path, number: int | None) -> Iterator[Video]:
    path = folder / _METADATA
    try:
        metadata = read_entries(path, _FORM)
        entries = [
            (name, require_label(entry["label"], name), entry.get("original"))
            for name, entry in metadata.items()
        ]
    except OSError as error:
        raise DataError(
            f"Expected metadata.json in {folder}, which holds the labels. Received: "
            f"{error.strerror}. It is part of the archive of each part."
        ) from error
    except ValueError as error:
        raise DataError(f"Expected {_FORM} in {path}. Received: {error}.") from error
    for name, label, original in entries:
        identity = Path(original or name).stem
        if number is None:
            held = held_out(identity, _HELD_OUT)
        else:
            held = number in card.options["val_parts"]
        split = "val" if held else "train"
        video_id = f"{card.name}/{folder.name}/{Path(name).stem}"
        method = METHOD if label else REAL
        yield Video(video_id, folder / name, split, label, method, (identity,))


def _test(card, folder: Path) -> Iterator[Video]:
    path = folder / "labels.csv"
    for line, row in read_rows(path, ("filename", "label")):
        name, label = require_below(row["filename"], path), label_of(row["label"])
        if not name or label is None:
            raise DataError(
                f"Expected `filename,label` with labels 0 and 1 in line {line} of "
                f"{path}. Received: {row}."
            )
        video_id = f"{card.name}/test/{Path(name).stem}"
        method = METHOD if label else REAL
        yield Video(video_id, folder / name, "test", label, method, ())
