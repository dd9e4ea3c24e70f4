"""Whether a SavedModel is there as a whole, or is still being copied.

An export lists its files with their sizes in `assets.extra/files.json`. A copy of it is
whole when all of them are there.
"""

import json
from pathlib import Path

from sfcl_tf.serving.names import EXTRA
from sfcl_tf.system.output import write_json

MARKER = "files.json"


def write_marker(folder: Path) -> None:
    """Writes the list of a SavedModel's files, the last one that is written.

    Raises:
        NotWrittenError: If that fails.
    """
    marker = folder / EXTRA / MARKER
    marker.parent.mkdir(exist_ok=True)
    sizes = {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != marker
    }
    write_json(marker, sizes)


def awaited_files(folder: Path) -> list[str] | None:
    """Returns which files are not there yet with their sizes.

    Returns:
        Their names; `None` where there is no list that can be read.
    """
    try:
        sizes = json.loads((folder / EXTRA / MARKER).read_text("utf-8"))
        return [name for name, size in sizes.items() if _size(folder / name) != size]
    except (OSError, ValueError, AttributeError):
        return None


def _size(path):
    return path.stat().st_size if path.is_file() else None
