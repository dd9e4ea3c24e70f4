"""Writing files so that one that exists is whole, and saying why one could not be."""

import contextlib
import errno
import json
import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sfcl_tf.system.errors import DataError
from sfcl_tf.system.storage import is_remote, os_error_message, upload

_NO_SPACE = {os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT)}


class NotWrittenError(DataError):
    """A file could not be written."""


class DiskFullError(NotWrittenError):
    """A file could not be written, for no space is left."""


@contextlib.contextmanager
def atomic_write(path) -> Iterator[Path]:
    """Gives a temporary name; what is written there takes the name `path` at the end.

    If nothing lies there at the end, or an error is raised, `path` stays as it was.
    The temporary name is that of a local file, for a remote `path` too.

    Raises:
        NotWrittenError: If writing fails.
        DiskFullError: If it fails for lack of space.
    """
    remote = is_remote(path)
    # Not the process id, which two hosts that share the folder may both have.
    name = f".{path.name[:100]}.{uuid.uuid4().hex}.tmp"
    temporary = Path(tempfile.gettempdir()) / name if remote else path.with_name(name)
    try:
        with explain_write_errors(path):
            yield temporary
            if temporary.exists():
                if remote:
                    upload(temporary, path)
                else:
                    temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def explain_write_errors(
    path, hint="run the command again: it goes on where it stopped"
) -> Iterator[None]:
    """Turns what the system says of a write that failed into an error of ours.

    Raises:
        NotWrittenError: If writing fails.
        DiskFullError: If it fails for lack of space.
    """
    try:
        yield
    except Exception as error:
        reason = os_error_message(error)
        if reason is None:
            raise
        kind = DiskFullError if any(t in reason for t in _NO_SPACE) else NotWrittenError
        raise kind(
            f"Expected to write {path}. Received: {reason}. Free some space or choose "
            f"another folder, and {hint}."
        ) from error


def write_json(path, values: Any) -> None:
    """Writes JSON in UTF-8.

    Raises:
        NotWrittenError: If writing fails.
    """
    with atomic_write(path) as temporary:
        text = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text, "utf-8")
