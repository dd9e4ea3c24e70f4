"""Cards: what a data set is, where it comes from, how it is laid out."""

import dataclasses
import functools
import hashlib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sfcl_tf.catalog.layouts import reader
from sfcl_tf.catalog.lists import LIST_SUFFIXES
from sfcl_tf.system import resources
from sfcl_tf.system.errors import DataError, UsageError

_OWN = "your own"


@dataclasses.dataclass(frozen=True)
class Card:
    """One data set, as its TOML file in `datasets/` tells it.

    Attributes:
        name: The card's name; the file's stem.
        title: Name in print.
        layout: Reader in `sfcl_tf.catalog.layouts`.
        folder: Name of the collection's folder below a common data root.
        source: Who gives the data set out, and where.
        licence: Under which terms.
        real_repeat: How often a real counts in the length of an epoch, or `auto`.
        identity_disjoint: Whether no person may stand in two splits.
        crf: x264's rate factor of every video, if the data set has one.
        pixel_format: FFmpeg's name of every video's format, if there is one.
        options: What the layout's reader wants to know.
        published: Published numbers of videos: `real`, `fake`, `videos` of all,
            or of a split below its name.
        path: The collection, where it was given by its path.
    """

    name: str
    title: str
    layout: str
    folder: str
    source: str
    licence: str
    real_repeat: int | str = "auto"
    identity_disjoint: bool = True
    crf: float | None = None
    pixel_format: str | None = None
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    published: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    path: Path | None = None

    @property
    def methods(self) -> tuple[str, ...]:
        """Manipulation methods that the card names; none where its folders do."""
        return tuple(self.options.get("methods", ()))

    @property
    def config(self) -> dict:
        """Configuration values that the data set recommends."""
        return {"data.real_repeat": self.real_repeat}


def card_names() -> list[str]:
    """Returns the names of all cards, sorted."""
    return sorted(path.stem for path in resources.path("datasets").glob("*.toml"))


def load_card(name: str | Path) -> Card:
    """Finds a card.

    Args:
        name: A name of `card_names()`; or the path of a folder with `real/` and
            `fake/`, of a CSV, or of a card of one's own.

    Raises:
        UsageError: If it is none of these.
        DataError: If the card has an unknown or missing key.
    """
    if str(name) in card_names():
        return _read_card(resources.path("datasets") / f"{name}.toml")
    path = Path(name).expanduser()
    if path.suffix == ".toml" and path.is_file():
        return _read_card(path)
    if path.suffix.lower() in LIST_SUFFIXES and path.is_file():
        return _own_card(path, "csv_list")
    if _is_path(name):
        if path.is_dir():
            return _own_card(path, "folder")
        raise DataError(
            f"Expected a folder with real/ and fake/, a list "
            f"({', '.join(LIST_SUFFIXES)}) or a card's .toml. Received: {path}, "
            + (
                "a file of another kind."
                if path.exists()
                else "which is not there. If it was moved, give its new place."
            )
        )
    raise UsageError(
        f"Expected a data set of {', '.join(card_names())}, or the path (with a `/`) "
        "of a folder with real/ and fake/, of a .csv or of a card's .toml. "
        f"Received: {str(name)!r}."
    )


def _is_path(name: str | Path) -> bool:
    """Tells a path from a bare word, which is a card's name."""
    text = str(name)
    known = text.lower().endswith((*LIST_SUFFIXES, ".toml"))
    return Path(text).name != text or known or text == "."


def card_name(name: str | Path) -> str:
    """Returns the name that `load_card` gives, whether or not the path is there."""
    if not _is_path(name):
        return str(name)
    path = Path(name).expanduser().resolve()
    word = path.stem if path.suffix.lower() in (*LIST_SUFFIXES, ".toml") else path.name
    return re.sub(r"[^\w.-]+", "_", word) or "data"


def dataset_path(name: str | Path) -> str:
    """Returns a name as it is, and a path so that it holds in any working folder."""
    return str(Path(name).expanduser().resolve()) if _is_path(name) else str(name)


def _read_card(path: Path) -> Card:
    try:
        values = tomllib.loads(path.read_text("utf-8"))
        known = {field.name for field in dataclasses.fields(Card)} - {"name", "path"}
        layout = reader(str(values.get("layout")))
        unknown = {*values} - known | {*values.get("options", {})} - {*layout.OPTIONS}
        missing = {"title", "layout", "folder", "source", "licence"} - {*values}
        for keys, problem in ((unknown, "unknown keys"), (missing, "without the keys")):
            if keys:
                raise DataError(f"{problem} {', '.join(sorted(keys))}")
        _check_types(values)
        values["options"] = {**layout.OPTIONS, **values.get("options", {})}
        return Card(name=path.stem, **values)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError, DataError) as error:
        raise DataError(
            f"Expected a card as datasets/README.md tells. Received: {path} ({error})."
        ) from error


def _check_types(values: Mapping[str, Any]) -> None:
    """Raises `DataError` where a value is of a wrong kind."""
    repeat = values.get("real_repeat", "auto")
    wrong = {
        "real_repeat": repeat != "auto" and not (type(repeat) is int and repeat > 0),
        "identity_disjoint": type(values.get("identity_disjoint", True)) is not bool,
        "crf": type(values.get("crf", 0)) not in (int, float),
        **{
            key: not isinstance(values.get(key, ""), str)
            for key in ("title", "folder", "source", "licence", "pixel_format")
        },
        **{
            key: not isinstance(values.get(key, {}), Mapping)
            for key in ("options", "published")
        },
    }
    if any(wrong.values()):
        key = next(key for key, is_wrong in wrong.items() if is_wrong)
        raise DataError(f"{key} = {values[key]!r} is not of the kind told there")


def _own_card(path: Path, layout: str) -> Card:
    path = path.resolve()
    return Card(
        name=card_name(path),
        title=f"{path.name} ({layout.replace('_', ' ')})",
        layout=layout,
        folder=path.name,
        source=_OWN,
        licence=_OWN,
        path=path,
    )


def find_root(card: Card, roots: list[str | Path]) -> Path:
    """Finds a card's collection among the given data roots.

    Args:
        card: The data set.
        roots: Each is the collection itself, a folder that holds it under
            `card.folder`, or `card=DIR` for one card alone.

    Returns:
        The collection's folder (or the CSV).

    Raises:
        DataError: If none holds it; the message says whom to ask for it.
    """
    matches = functools.partial(reader(card.layout).matches, card=card)
    if card.path:
        if not matches(card.path):
            raise DataError(
                f"Expected {reader(card.layout).expected_path(card)} in {card.path}. "
                "Received: a folder without."
            )
        return card.path
    own, common = [], []
    for root in map(str, roots):
        name, separator, path = root.partition("=")
        if separator and name in {*card_names(), card.name}:
            own += [path] if name == card.name else []
        else:
            common.append(root)
    searched = []
    for root in own or common:
        folder = Path(root).expanduser()
        searched.append(root if folder.exists() else f"{root} (which is not there)")
        for candidate in (folder / card.folder, folder):
            if matches(candidate):
                return candidate
    locations = ", ".join(searched) or (
        f"nowhere: no --data-root and no SFCL_DATA for {card.name}"
    )
    raise DataError(
        f"Expected {card.title} in a data root. Looked in: {locations}. "
        f"Obtain it from {card.source} ({card.licence}), unpack it so that "
        f"`{reader(card.layout).expected_path(card)}` exists, and give the folder by "
        "--data-root or SFCL_DATA. Without data, try `--dataset demo`."
    )


def record_settings(card: Card) -> dict[str, Any]:
    """Returns what of a card decides which faces its records hold."""
    settings = {"layout": card.layout, **card.options}
    for key in ("methods", "splits", "val_parts"):  # which videos, and where they go
        settings.pop(key, None)
    if card.path:
        settings["path"] = hashlib.sha256(str(card.path).encode()).hexdigest()[:16]
    return settings
