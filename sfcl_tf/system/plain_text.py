"""Text that comes from files, where a terminal or a spreadsheet would obey it."""

from collections.abc import Iterable
from typing import Any

# What begins a formula, in some program: OWASP's list of CSV injection.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def printable(text: object) -> str:
    """Returns a text whose odd characters are escaped: file names may hold any."""
    plain = str(text).encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in plain)


def printable_lines(text: object) -> str:
    """Returns `printable` of each line."""
    return "\n".join(map(printable, str(text).split("\n")))


def in_a_line(error: BaseException, most: int = 300) -> str:
    """Returns an error's text in a line; Keras's may quote a whole model."""
    text = " ".join(str(error)[: 4 * most].split())
    if isinstance(error, KeyError) or not text:  # its text is the key alone
        text = f"{type(error).__name__} {text}".strip()
    return text if len(text) <= most else f"{text[:most]} ..."


def cells(row: Iterable[Any]) -> list[Any]:
    """Returns a row for a CSV file, in which no text is a formula.

    An apostrophe is put before one, as spreadsheets themselves mark text; `text_of`
    takes it off again. Numbers are left as they are.
    """
    return [
        f"'{cell}"
        if isinstance(cell, str) and cell.lstrip("'").startswith(_FORMULA)
        else cell
        for cell in row
    ]


def text_of(cell: str) -> str:
    """Returns the text that `cells` wrote."""
    if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA):
        return cell[1:]
    return cell
