"""Publishing files and folders whole, and saying why one could not be.

What is made has another name until it is on the disk; a name that is there leads to
what is whole, after a kill and after a loss of power too.
"""

import contextlib
import errno
import glob
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sfcl_tf.system import portable
from sfcl_tf.system.errors import DataError, UsageError
from sfcl_tf.system.storage import is_remote, os_error_message, upload

_NO_SPACE = {os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT)}


AGAIN = "run the command again"
"""The hint for what does not go on where it stopped."""


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
                    portable.flush_to_disk(temporary)
                    temporary.replace(path)
                    portable.flush_to_disk(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def alone(lock: Path, what: str, other: str) -> Iterator[None]:
    """Holds a lock, or tells which other process does.

    Args:
        lock: Its file, which may stay.
        what: What is to be done alone, such as "train runs/first".
        other: What another process does, and what to do about it.

    Raises:
        UsageError: If another process holds it.
        NotWrittenError: If its file cannot be made.
    """
    with contextlib.ExitStack() as held:
        with explain_write_errors(lock, AGAIN):
            try:
                held.enter_context(portable.locked(lock))
            except portable.InUseError as error:
                raise UsageError(
                    f"Expected to {what} alone. Received: another process {other}."
                ) from error
        yield


@contextlib.contextmanager
def publish_folder(path: Path) -> Iterator[Path]:
    """Gives a new folder; what is made there takes the name `path` at the end.

    One process at a time makes it. If an error is raised, what was at `path` stays; a
    folder that is replaced is moved aside first, and put back by the next call if
    there was none to take its place.

    Raises:
        UsageError: If another process is making the same.
        NotWrittenError: If it cannot be made there.
        DiskFullError: If that is for lack of space.
    """
    with contextlib.ExitStack() as held:
        with explain_write_errors(path, AGAIN):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = path.with_name(f".{path.name}.lock")
            other = "is writing it. Wait for it, or give another folder or --version"
            held.enter_context(alone(lock, f"write {path}", other))
            _recover(path)
            mark = f".{path.name}.{uuid.uuid4().hex}"
            new, old = path.with_name(f"{mark}.tmp"), path.with_name(f"{mark}.old")
            new.mkdir()
        try:
            yield new
            with explain_write_errors(path, AGAIN):
                for file in new.rglob("*"):
                    portable.flush_to_disk(file)
                portable.flush_to_disk(new)
                if path.exists():
                    path.rename(old)
                try:
                    new.rename(path)
                finally:
                    _recover(path)
                portable.flush_to_disk(path.parent)
        finally:
            shutil.rmtree(new, ignore_errors=True)


def _recover(path):
    """Puts right what a publication left that ended between two steps."""
    for old in path.parent.glob(f".{glob.escape(path.name)}.*.old"):
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(path)
    for half in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        shutil.rmtree(half, ignore_errors=True)


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


def write_text(path, text: str, errors: str = "surrogateescape") -> None:
    """Writes a text in UTF-8, with line ends as they are.

    Args:
        path: The file.
        text: Its content. By default, what came from a name of a file that is no
            UTF-8 goes back as its bytes.
        errors: As of `str.encode`.

    Raises:
        NotWrittenError: If writing fails.
    """
    with atomic_write(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", errors))
