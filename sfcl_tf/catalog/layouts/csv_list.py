"""A list with `path,label[,split][,group][,method]`, paths relative to it.

A CSV, or divided by tabs or semicolons. Labels are 1 or fake, 0 or real. A group is
what must not stand in two splits: a person, or a clip and its forgeries; several are
joined by `;`. Rows without a split are divided 80 : 10 : 10, of each class, all that is
linked by groups together; rows without a group go by their file's name, as in folders.
"""

from pathlib import Path

from sfcl_tf.catalog.grouping import with_splits
from sfcl_tf.catalog.layouts import present
from sfcl_tf.catalog.listing import REAL, SPLITS, Listing, Video
from sfcl_tf.catalog.lists import label_of, read_rows, split_of
from sfcl_tf.system.errors import DataError

OPTIONS: dict = {}


def expected_path(card) -> str:
    """Returns where files belong."""
    return "the paths that the list names"


def matches(folder: Path, card) -> bool:
    """Tells whether the list is there."""
    return folder.is_file()


def read(card, root: Path, methods: tuple[str, ...]) -> Listing:
    """Lists the rows.

    Raises:
        DataError: If a row is not as it should be; the message gives its line.
    """
    rows = read_rows(root, ("path", "label"), ("split", "group", "method"))
    return present(with_splits([_video(card, root, *each) for each in rows]))


def _video(card, root: Path, line: int, row: dict[str, str]) -> Video:
    path, label = row["path"], label_of(row["label"])
    split = split_of(row["split"]) if row["split"] else ""
    groups = tuple(g.strip() for g in row["group"].split(";") if g.strip())
    if not path or label is None or split is None:
        raise DataError(
            f"Expected a path, a label of 0, 1, real or fake and, if given, a split of "
            f"{', '.join(SPLITS)} in line {line} of {root}. Received: {row}."
        )
    return Video(
        f"{card.name}/{path.lstrip('/')}",
        root.parent / path,
        split,
        label,
        (row["method"] or "fake") if label else REAL,
        groups,
    )
