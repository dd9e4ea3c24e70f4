"""What the functions of a program are given, checked before any work."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sfcl_tf.catalog.listing import SPLITS
from sfcl_tf.system.errors import UsageError

FACES = ("largest", "all", "full")


def require_one_of(name: str, value: Any, known: Sequence[str]) -> None:
    """Raises for a value that is not among the known ones.

    Raises:
        UsageError: It names them.
    """
    if value not in list(known):
        raise UsageError(f"Expected {name} of {', '.join(known)}. Received: {value!r}.")


def require_split(split: Any) -> None:
    """Raises for anything but a split.

    Raises:
        UsageError: It names them.
    """
    require_one_of("split", split, SPLITS)


def require_several(name: str, values: Any) -> None:
    """Raises for a single text where several are meant, which would be read by letter.

    Raises:
        UsageError: It says how to give a list of one.
    """
    if isinstance(values, str | Path):
        raise UsageError(
            f"Expected {name} as a list. Received: the single {str(values)!r}. For "
            f"that one alone write [{str(values)!r}]."
        )
