"""What the pages about files have in common: style, badges, writing."""

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path

from sfcl_tf.evaluation.plots import FAKE, GREY, REAL
from sfcl_tf.html import CSS

THUMBNAIL = 128
"""Side of a face in a strip, in pixels."""

COLORS = {"fake": FAKE, "real": REAL, "uncertain": "#8a6d00"}
"""Of the verdicts."""

_CSS = f"""
.verdict {{ display: inline-block; color: #fff; padding: 0 0.7rem; font-weight: 700;
  border-radius: 0.4rem; white-space: nowrap; background: {GREY};
  print-color-adjust: exact; }}
.fake {{ background: {FAKE}; }} .real {{ background: {REAL}; }}
.uncertain {{ background: #8a6d00; }}
.strip {{ display: flex; flex-wrap: wrap; gap: 0.6rem; margin: 0.8rem 0; }}
.strip figure {{ margin: 0; width: {THUMBNAIL}px; }}
.strip img {{ display: block; border-radius: 0.3rem; }}
.frames {{ display: flex; flex-wrap: wrap; gap: 1rem; }}
.frames figure {{ margin: 0; flex: 1 1 18rem; max-width: 40rem; }}
.card h1 {{ font-size: 1.1rem; }} .card h2 {{ font-size: 1rem; margin-top: 1rem; }}
section {{ break-inside: avoid; }}
.files td:last-child {{ min-width: 14rem; }}
"""


def page(title: str, body: Sequence[str]) -> str:
    """Returns a page that needs no network and no scripts.

    Args:
        title: Plain text.
        body: Pieces of HTML.
    """
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n<style>{CSS}{_CSS}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def word(verdict: str) -> str:
    """Returns a verdict or a flag as it is written."""
    return verdict.replace("_", " ")


def badge(verdict: str, text: str) -> str:
    """Returns a text on the colour of a verdict."""
    kind = verdict if verdict in COLORS else ""
    return f'<span class="verdict {kind}">{escape(text)}</span>'


def write_whole(path: Path, text: str) -> Path:
    """Writes a text to a temporary name and renames it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".tmp.{os.getpid()}.{path.name}")
    # A path may hold bytes that are no UTF-8.
    try:
        temporary.write_bytes(text.encode("utf-8", "replace"))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
