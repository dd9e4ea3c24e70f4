"""How things are shown: one console, one kind of progress bar, one kind of table."""

import os
import sys

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.table import Table

from sfcl_tf.system.plain_text import printable_lines


class SafeConsole(Console):
    """Takes brackets in file names as they are, and a closed pipe for an end.

    Whatever is shown, file names may be part of it: what a terminal would obey is
    escaped here, and nowhere else.
    """

    def render(self, renderable, options=None):
        """Renders, with odd characters escaped."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(printable_lines(segment.text), segment.style)

    def on_broken_pipe(self):
        """Ends the command, as others end in a pipe."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0)


console = SafeConsole(markup=False)


def progress(*, elapsed: bool = True, width: int = 40) -> Progress:
    """Returns a progress bar; silent where the output is no terminal.

    Args:
        elapsed: Whether to show the time since the beginning.
        width: Of the bar, in characters: less of it leaves room for a note.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(width),
        MofNCompleteColumn(),
        *([TimeElapsedColumn()] if elapsed else []),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        disable=not console.is_terminal,
    )


def say(text: str) -> None:
    """Prints a line as it is: paths and numbers uncoloured, nothing wrapped."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def table(title: str, *columns: str) -> Table:
    """Returns an empty table whose columns after the first hold numbers."""
    result = Table(title=title, title_justify="left", title_style="bold")
    for index, column in enumerate(columns):
        result.add_column(column, justify="right" if index else "left")
    return result


def percent(value) -> str:
    """Formats a share in percent, `n/a` for `None`."""
    return "n/a" if value is None else f"{100 * value:.2f}"
