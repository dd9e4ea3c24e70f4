"""A CSV with `path,label[,split][,group][,method]`, paths relative to it.

Labels are 1 or fake, 0 or real. A group is what must not stand in two splits: a
person, or a clip and its forgeries; several are joined by `;`. Rows without a split
are divided 80 : 10 : 10, of each class, all that is linked by groups together; rows
without a group go by their file's name, as in folders.
"""

import csv
from pathlib import Path

from sfcl_tf.catalog.grouping import with_splits
from sfcl_tf.catalog.layouts import present
from sfcl_tf.catalog.listing import REAL, SPLITS, Listing, Video
from sfcl_tf.system.errors import DataError

OPTIONS: dict = {}
_LABELS = {"0": 0, "1": 1, "real": 0, "fake": 1}


def expected_path(card) -> str:
    """Returns where files belong."""
    return "the paths that the CSV names"


def matches(folder: Path, card) -> bool:
    """Tells whether the list is there."""
    return folder.is_file()


def read(card, root: Path, methods: tuple[str, ...]) -> Listing:
    """Lists the rows.

    Raises:
        DataError: If a row is not as it should be; the message gives its line.
    """
    named, seen = [], set()
    try:
        with root.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            rows.fieldnames = [n.strip().lower() for n in rows.fieldnames or ()]
            if not {"path", "label"} <= set(rows.fieldnames):
                raise DataError(
                    f"Expected columns path,label[,split][,group][,method] in {root}, "
                    "divided by commas. Received: "
                    f"{','.join(rows.fieldnames) or 'nothing'}."
                )
            for row in rows:
                video = _video(card, root, rows.line_num, row)
                if video.video_id in seen:
                    raise DataError(
                        f"Expected each path once in {root}. Received: {row['path']} "
                        f"again in line {rows.line_num}."
                    )
                seen.add(video.video_id)
                named.append(video)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"Expected a readable CSV in UTF-8. Received: {root} ({error})."
        ) from error
    return present(with_splits(named))


def _video(card, root: Path, line: int, row) -> Video:
    path = (row["path"] or "").strip()
    label = _LABELS.get((row["label"] or "").strip().lower())
    split = (row.get("split") or "").strip().lower()
    groups = tuple(g.strip() for g in (row.get("group") or "").split(";") if g.strip())
    if not path or label is None or split not in ("", *SPLITS):
        raise DataError(
            f"Expected a path, a label of 0, 1, real or fake and, if given, a split of "
            f"{', '.join(SPLITS)} in line {line} of {root}. Received: {dict(row)}."
        )
    method = (row.get("method") or "").strip() or "fake"
    return Video(
        f"{card.name}/{path.lstrip('/')}",
        root.parent / path,
        split,
        label,
        method if label else REAL,
        groups,
    )
