"""The page that lists files, with links to the pages about them."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from sfcl_tf.detect.results import Result
from sfcl_tf.detect.sheet import page, word, write_whole


def write_index(path: Path, rows: Iterable[tuple[Result, str]]) -> Path:
    """Writes a page that lists results.

    Args:
        path: The file to write.
        rows: Results, each with the relative address of its report, or nothing.
    """
    order = {"fake": 0, "uncertain": 1, "real": 2}
    rows = sorted(
        rows, key=lambda row: (order.get(row[0].verdict, 3), -(row[0].score or 0))
    )
    counts = Counter(word(result.verdict) or result.status for result, _ in rows)
    text = page(
        "detect/index.html.j2",
        title="Results",
        counts=", ".join(f"{count} {name}" for name, count in counts.items()),
        rows=[(result, link, Path(result.source)) for result, link in rows],
    )
    return write_whole(path, text)
