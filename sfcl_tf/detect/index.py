"""The page that lists files, with links to the pages about them."""

from collections.abc import Iterable
from html import escape
from pathlib import Path

from sfcl_tf.detect.results import Result
from sfcl_tf.detect.sheet import badge, page, word, write_whole


def write_index(path: Path, rows: Iterable[tuple[Result, str]]) -> Path:
    """Writes a page that lists results.

    Args:
        path: The file to write.
        rows: Results, each with the relative address of its report, or nothing.
    """
    rows = list(rows)
    order = {"fake": 0, "uncertain": 1, "real": 2}
    rows.sort(key=lambda row: (order.get(row[0].verdict, 3), -(row[0].score or 0)))
    names = [word(result.verdict) or result.status for result, _ in rows]
    counts = {name: names.count(name) for name in names}
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    head = ("File", "Verdict", "Score", "Faces", "Pictures with a face", "Why")
    body = [
        f"<h1>{len(rows)} files</h1>",
        f'<p class="lead">{escape(told)}.</p>',
        '<p class="note">A score is P(fake) under the data that the model was trained '
        "on. It is evidence, never proof.</p>",
        '<div class="wide files"><table><thead><tr>',
        *(f"<th>{name}</th>" for name in head),
        "</tr></thead>\n<tbody>",
        *(_row(result, link) for result, link in rows),
        "</tbody></table></div>",
    ]
    return write_whole(path, page("Results", body))


def _row(result, link):
    path = Path(result.source)
    name = escape(path.name)
    if link:
        name = f'<a href="{escape(link)}">{name}</a>'
    seen = f"{result.pictures_with_face} of {result.pictures}"
    cells = [
        f"{name}<br><small>{escape(str(path.parent))}</small>",
        badge(result.verdict, word(result.verdict) or result.status),
        "" if result.score is None else f"{result.score:.3f}",
        str(len(result.tracks)),
        seen if result.pictures else "",
        escape(result.reason),
    ]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
