"""Lists of files with labels, as people and data sets write them: one rule for all.

Read in UTF-8, with or without a byte order mark; divided by commas, tabs or
semicolons; `./a.mp4` is `a.mp4`; labels are 0 or real, 1 or fake, in any case. What is
ambiguous is refused, with the line and what was probably meant.
"""

import csv
import json
import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path

from sfcl_tf.catalog.listing import SPLITS
from sfcl_tf.system.errors import DataError

LIST_SUFFIXES = (".csv", ".tsv", ".txt")
_LABELS = {"0": 0, "1": 1, "real": 0, "fake": 1}
_SPLITS = {name: name for name in SPLITS} | {"valid": "val", "validation": "val"}
_DIVIDERS = (",", "\t", ";")
_MEANT = {
    "path": ("file", "filename", "file_name", "filepath", "video", "image", "name"),
    "filename": ("file", "path", "video", "name"),
    "label": ("labels", "class", "target", "is_fake", "fake"),
}


def label_of(text: object) -> int | None:
    """Returns 1 for fake and 0 for real; `None` for anything else."""
    return _LABELS.get(str(text).strip().lower())


def require_label(text: object, name: str) -> int:
    """Returns `label_of` a file's label.

    Raises:
        ValueError: If it is none.
    """
    label = label_of(text)
    if label is None:
        raise ValueError(f"the label {text!r} of {name}")
    return label


def split_of(text: str) -> str | None:
    """Returns `train`, `val` or `test`; `None` for anything else."""
    return _SPLITS.get(text.strip().lower())


def plain(path: str) -> str:
    """Returns a path in its plain form, in which it is the same wherever it stands."""
    return posixpath.normpath(path.strip())


def require_below(name: str, path: Path) -> str:
    """Returns the plain form of a name that a published list gives.

    Raises:
        DataError: If it leads out of the list's own folder.
    """
    name = plain(name)
    if name.startswith(("/", "..")) or "\\" in name:
        raise DataError(
            f"Expected names of files below {path.parent} in {path}. Received: "
            f"{name!r}. Get the list again from the authors."
        )
    return name


def read_entries(path: Path, form: str) -> dict[str, dict[str, str]]:
    """Reads a published list in JSON: an object of text by the name of a file.

    Args:
        path: The list.
        form: What an entry looks like, for messages.

    Returns:
        Each entry by the plain form of its name; what is no text or whole number is
        left out.

    Raises:
        DataError: If it is otherwise, names a file twice, or one that is not below its
            folder.
        OSError: If it cannot be read.
    """
    expected = f"Expected {form} in {path}. Received: "
    try:
        pairs = json.loads(read_text(path), object_pairs_hook=list)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{expected}{error}.") from error
    # An empty object is an empty list, too.
    if not isinstance(pairs, list) or not all(isinstance(p, tuple) for p in pairs):
        raise DataError(f"{expected}no object by file.")
    entries: dict[str, dict[str, str]] = {}
    for given, values in pairs:
        name = require_below(given, path)
        if name in entries:
            raise DataError(f"{expected}{name!r} twice.")
        if not isinstance(values, list) or not all(
            isinstance(pair, tuple) for pair in values
        ):
            raise DataError(f"{expected}something else for {name!r}.")
        entries[name] = {
            key: str(value)
            for key, value in values
            if isinstance(value, str | int) and not isinstance(value, bool)
        }
        if "label" not in entries[name]:
            raise DataError(f"{expected}{name!r} without a label.")
    return entries


def read_text(path: Path) -> str:
    """Reads UTF-8, with or without a byte order mark."""
    return path.read_text("utf-8-sig")


def read_rows(
    path: Path, needed: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the rows of a list with a head, each with its line.

    Args:
        path: The list.
        needed: Columns that must be there. The first names a file, each once.
        optional: Others that are read.

    Yields:
        The number of its line and its cells by column, empty where there is none; the
        file's name in its plain form.

    Raises:
        DataError: If it cannot be read, lacks a column, has one twice, has more cells
            than columns, or names a file twice.
    """
    columns = (*needed, *optional)
    seen: dict[str, int] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            divider = max(_DIVIDERS, key=head.count)
            file.seek(0)
            rows = csv.reader(file, delimiter=divider)
            names = [name.strip().lower() for name in next(rows, [])]
            _require_columns(path, names, needed, optional)
            for cells in rows:
                if not any(cell.strip() for cell in cells):
                    continue
                if any(cell.strip() for cell in cells[len(names) :]):
                    raise DataError(
                        f"Expected {len(names)} cells in line {rows.line_num} of "
                        f"{path}. Received: {len(cells)}. Put quotes about a name with "
                        f"{divider!r} in it."
                    )
                row = dict.fromkeys(columns, "")
                row |= {
                    name: cell.strip()
                    for name, cell in zip(names, cells, strict=False)
                    if name in columns
                }
                if row[needed[0]]:
                    name = row[needed[0]] = plain(row[needed[0]])
                    if name in seen:
                        raise DataError(
                            f"Expected each {needed[0]} once in {path}. Received: "
                            f"{name} again in line {rows.line_num}, after line "
                            f"{seen[name]}."
                        )
                    seen[name] = rows.line_num
                yield rows.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"Expected a readable list in UTF-8. Received: {path} ({error})."
        ) from error


def _require_columns(path, names, needed, optional):
    form = ",".join([*needed, *(f"[{name}]" for name in optional)])
    received = ",".join(names) or "nothing"
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        raise DataError(
            f"Expected each column once in {path}. Received: {', '.join(twice)} twice "
            f"in {received}."
        )
    missing = [name for name in needed if name not in names]
    if missing:
        meant = [
            f"Call the column {other} {name}."
            for name in missing
            for other in names
            if other in _MEANT.get(name, ())
        ]
        raise DataError(
            f"Expected columns {form} in {path}. Received: {received}. "
            + " ".join(meant[:2])
        )
