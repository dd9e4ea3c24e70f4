"""Which files are looked at: paths, folders, patterns, lists."""

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from sfcl_tf.catalog.listing import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from sfcl_tf.media.footage import is_media


def expand(paths: Iterable[str]) -> tuple[list[Path], list[Path]]:
    """Returns the files that paths stand for, each once, in order.

    Args:
        paths: Files, taken as they are, there or not; folders, for the videos and
            images below them, sorted; or patterns, where `**` stands for any folders.
            A link is a file of its own.

    Returns:
        The files; and those below folders that are neither videos nor images, as
        their content says where their ending is unusual.
    """
    files: dict[str, Path] = {}
    others: list[Path] = []
    for text in paths:
        for path in _expanded(text, others):
            files.setdefault(os.path.abspath(path), path)  # noqa: PTH100
    return list(files.values()), others


def split_list(text: str) -> list[str]:
    """Returns the paths of a list, one a line or separated by NUL."""
    parts = text.split("\0") if "\0" in text else text.splitlines()
    return [part for part in parts if part.strip()]


def _expanded(text, others) -> Iterator[Path]:
    path = Path(text).expanduser()
    if path.is_dir():
        yield from _below(path, others)
    elif not path.exists() and glob.has_magic(text):
        matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207
        if not matches:
            yield path
        # A link to a folder above makes the same file match over and over.
        first = {os.path.realpath(match): match for match in sorted(matches)[::-1]}
        for match in map(Path, sorted(first.values())):
            yield from _below(match, others) if match.is_dir() else [match]
    else:
        yield path


def _below(folder, others):
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or path.is_dir():
            continue
        if path.suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES or is_media(path):
            yield path
        else:
            others.append(path)
