"""Results of `sfcl detect` on the terminal: as they come, a line a file."""

import csv
import sys

from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from sfcl_tf.cli.console import SafeConsole, console, say
from sfcl_tf.system.plain_text import cells, printable
from sfcl_tf.workflow.progress import listed

_STYLES = {"fake": "bold red", "uncertain": "yellow", "real": "green"}
_COLUMNS = (
    "file",
    "status",
    "verdict",
    "score",
    "faces",
    "pictures",
    "pictures_with_face",
    "reason",
)


class Display:
    """Shows results in one of three formats, with a progress bar on a terminal.

    Only results go to the standard output, but for `table`.

    Args:
        style: `table`, `jsonl` or `csv`.
        total: Files.
    """

    def __init__(self, style: str, total: int):
        self._style = style
        # The bar is drawn where the results are, or else where it disturbs no pipe.
        shared = console.is_terminal
        self._bar_console = (
            console if shared else SafeConsole(stderr=True, markup=False)
        )
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(24),
            TextColumn("{task.fields[done]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._bar_console,
            disable=not self._bar_console.is_terminal,
        )
        self._task = self._progress.add_task(
            "", total=None, done=f"0/{total} files", note=""
        )
        self._total, self._shown, self._name = total, 0, ""
        if style == "csv":
            csv.writer(sys.stdout).writerow(_COLUMNS)

    def __enter__(self):
        self._progress.start()
        return self

    def __exit__(self, *_):
        self._progress.update(self._task, visible=False)
        self._progress.stop()

    def note(self, text: str) -> None:
        """Says what is no result."""
        target = console if self._style == "table" else SafeConsole(stderr=True)
        target.print(text, markup=False, highlight=False, soft_wrap=True)

    def begin(self, path) -> None:
        """Says which file is looked at."""
        self._name = printable(path.name)
        self._progress.update(
            self._task, completed=0, total=None, note=f"{self._name[:40]}"
        )

    def sample(self, sample, frames) -> None:
        """Moves the bar to a sample of a file."""
        self._progress.update(
            self._task,
            completed=min(sample.index + 1, frames),
            total=max(frames, 1),
            note=f"{self._name[:40]}, {sample.time:.0f} s",
        )

    def result(self, result) -> None:
        """Shows a result."""
        self._shown += 1
        self._progress.update(self._task, done=f"{self._shown}/{self._total} files")
        if self._style == "table":
            if self._shown == 1:
                head()
            console.print(_line(result), soft_wrap=True, highlight=False)
        elif self._style == "jsonl":
            # As JSON escapes what is no UTF-8 in a path.
            print(result.to_json().encode("utf-8", "backslashreplace").decode())
            sys.stdout.flush()
        else:
            csv.writer(sys.stdout).writerow(cells(_row(result)))
            sys.stdout.flush()


def _row(result):
    score = "" if result.score is None else f"{result.score:.6f}"
    return (
        printable(result.source),
        result.status,
        result.verdict,
        score,
        len(result.tracks),
        result.pictures,
        result.pictures_with_face,
        printable(result.reason),
    )


def _line(result):
    """A result as a line of text, columns under one another."""
    word = (result.verdict or result.status).replace("_", " ")
    line = Text(f"{word:<11}", style=_STYLES.get(result.verdict, "dim"))
    score = "  -  " if result.score is None else f"{result.score:.3f}"
    line.append(f"{score}  ", style="not bold default")
    faces = len(result.tracks)
    count = f"{faces} face{'s' * (faces != 1)}" if result.pictures else ""
    seen = f"{result.pictures_with_face}/{result.pictures}" if result.pictures else ""
    line.append(f"{count:<8} {seen:>9}  ", style="not bold default")
    line.append(printable(result.source), style="not bold default")
    if result.reason:
        line.append(f"  {printable(result.reason)}", style="not bold dim")
    return line


def head() -> None:
    """Says what the columns of the table are."""
    say(f"{'verdict':<11}{'score':<7}{'faces':<8} {'pictures':>9}  file")


def left_aside(paths) -> str:
    """Says which files of folders are not looked at."""
    names = listed([path.name for path in paths], 5)
    files = "1 file" if len(paths) == 1 else f"{len(paths)} files"
    return f"{files} left aside, neither video nor image: {names}"


def counts(results) -> str:
    """Returns how many files there are of each verdict."""
    words = [(r.verdict or r.status).replace("_", " ") for r in results]
    parts = [f"{words.count(word)} {word}" for word in dict.fromkeys(sorted(words))]
    return f"{len(words)} file{'s' * (len(words) != 1)}: {', '.join(parts)}."
