"""DFDC's preview: `dataset.json`, path -> label, set and people.

    {"method_A/...mp4": {"label": "fake", "set": "train",
                         "target_id": "123", "swapped_id": "456"}}

A tenth of the training set's people is held out for validation; a fake of a person
in and a person out of it is left out.
"""

import dataclasses
from pathlib import Path

from sfcl_tf.catalog.layouts import present
from sfcl_tf.catalog.listing import REAL, Listing, Video, held_out
from sfcl_tf.catalog.lists import read_entries, require_label
from sfcl_tf.system.errors import DataError

OPTIONS: dict = {}
LIST = "dataset.json"
_FORM = '{"PATH": {"label": "real" or "fake", "set": "train" or "test"}, ...}'
_HELD_OUT = 0.1


def expected_path(card) -> str:
    """Returns where the list belongs; its paths are relative to it."""
    return f"{card.folder}/{LIST}"


def matches(folder: Path, card) -> bool:
    """Tells whether a folder holds the preview's list."""
    return (folder / LIST).is_file()


def read(card, root: Path, methods: tuple[str, ...]) -> Listing:
    """Lists what `dataset.json` names.

    Raises:
        DataError: If it is not as published.
    """
    path = root / LIST
    try:
        entries = read_entries(path, _FORM)
        named = [_video(card, root, name, entries[name]) for name in sorted(entries)]
    except (OSError, ValueError) as error:
        raise DataError(f"Expected {_FORM} in {path}. Received: {error}.") from error
    left_out = tuple(video for video in named if not video.split)
    listing = present([video for video in named if video.split])
    return dataclasses.replace(listing, left_out=left_out)


def _video(card, root, name, entry) -> Video:
    label = require_label(entry["label"], name)
    people = (entry.get("target_id"), entry.get("swapped_id"))
    sources = tuple(dict.fromkeys(str(person) for person in people if person))
    if entry.get("set") == "test":
        split = "test"
    else:
        held = {held_out(person, _HELD_OUT) for person in sources or (name,)}
        split = "" if len(held) > 1 else ("val" if True in held else "train")
    method = name.split("/")[0] if label else REAL
    video_id = f"{card.name}/{Path(name).with_suffix('').as_posix()}"
    return Video(video_id, root / name, split, label, method, sources)
