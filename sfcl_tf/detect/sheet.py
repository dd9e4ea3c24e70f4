"""What the pages about files have in common: colours, words, writing."""

from pathlib import Path

from sfcl_tf.evaluation.plots import FAKE, GREY, REAL
from sfcl_tf.system.html import render
from sfcl_tf.system.output import explain_write_errors, write_text

THUMBNAIL = 128
"""Side of a face in a strip, in pixels."""

COLORS = {"fake": FAKE, "real": REAL, "uncertain": "#8a6d00"}
"""Of the verdicts."""


def word(verdict: str) -> str:
    """Returns a verdict or a flag as it is written."""
    return verdict.replace("_", " ")


def page(template: str, **values) -> str:
    """Returns a page that needs no network and no scripts.

    Args:
        template: Name of a template that extends `detect/page.html.j2`.
        **values: What it shows, and its `title`.
    """
    look = {"colors": COLORS, "grey": GREY, "thumbnail": THUMBNAIL}
    return render(template, **look, **values)


def write_whole(path: Path, text: str) -> Path:
    """Writes a text to a temporary name and renames it."""
    with explain_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    # A path may hold bytes that are no UTF-8, which a page cannot show.
    write_text(path, text, "replace")
    return path
