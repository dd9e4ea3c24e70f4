"""Results as they are kept: appended, so that an interrupted run goes on.

`results.jsonl` has a line a file: a `Result` as JSON, with `file` (size and time of
change) and `settings`. A later line about the same file takes an earlier one's place.
"""

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sfcl_tf.detect.results import Result
from sfcl_tf.system import portable
from sfcl_tf.system.errors import DataError, UsageError

NAME = "results.jsonl"
_LOCK = ".lock"
# What may be otherwise next time.
_RETRIED = ("stalled", "failed")


@dataclasses.dataclass(frozen=True)
class _Entry:
    result: Result
    file: dict[str, int]
    settings: dict[str, Any]


class Store:
    """A folder of results; use it in a `with`.

    Args:
        folder: Made if it is not there.
        settings: What results depend on, as JSON has it; those of other settings are
            not taken for done.

    Raises:
        UsageError: If the folder cannot be written, or another process writes there.
        DataError: If what is there is of another version.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]):
        self._path = folder / NAME
        self._settings = json.loads(json.dumps(settings))
        with contextlib.ExitStack() as held:
            self._open(folder, held)
            self._entries = dict(self._read())
            self._held = held.pop_all()

    def _open(self, folder, held):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(portable.locked(folder / _LOCK))
            self._file = held.enter_context(self._path.open("ab"))
        except portable.InUseError as error:
            raise UsageError(
                f"Expected a folder of one run. Received: {folder}, into which another "
                "one writes. Wait for it, or give another --out."
            ) from error
        except OSError as error:
            raise UsageError(
                f"Expected a folder that can be written. Received: {folder} "
                f"({error.strerror}). Give another --out."
            ) from error

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_) -> None:
        self._held.close()

    def done(self, path: Path) -> Result | None:
        """Returns the result of a file that has not changed since, if there is one."""
        entry = self._entries.get(_key(path))
        if (
            entry is None
            or entry.result.status in _RETRIED
            or entry.settings != self._settings
            or entry.file != identity(path)
        ):
            return None
        return entry.result

    def add(self, path: Path, result: Result) -> None:
        """Appends a result; it is on the disk when this returns.

        Raises:
            DataError: If it cannot be written; what was written before is kept.
        """
        record = {"file": identity(path), "settings": self._settings}
        line = json.dumps(
            result.to_dict() | record, ensure_ascii=False, allow_nan=False
        )
        try:
            # As JSON escapes what is no UTF-8 in a path.
            self._file.write(line.encode("utf-8", "backslashreplace") + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise DataError(
                f"Expected space for results in {self._path}. Received: "
                f"{error.strerror}. What was found before is kept: make room "
                "and run the same command again."
            ) from error
        self._entries[_key(path)] = _Entry(result, record["file"], self._settings)

    def results(self) -> list[Result]:
        """Returns the latest result of each file, in the order in which they came."""
        return [entry.result for entry in self._entries.values()]

    def _read(self) -> Iterator[tuple[str, _Entry]]:
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):  # cut off while it was written
            self._file.truncate(len(whole))
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                record = json.loads(line)
                result = Result.from_dict(record)
                entry = _Entry(result, record["file"], record["settings"])
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise DataError(
                    f"Expected results of this version in {self._path}. Received in "
                    f"line {number}: {error}. Give another --out, or move it away."
                ) from error
            yield _key(Path(result.source)), entry


def identity(path: Path) -> dict[str, int]:
    """Returns a file's size and time of change; empty if it is not there."""
    with contextlib.suppress(OSError, ValueError):
        stat = path.stat()
        return {"bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    return {}


def _key(path):
    return str(path.expanduser().absolute())
