"""The folder of temporary files: it goes with its process, however that ends."""

import contextlib
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sfcl_tf.system import portable

_PREFIX = "sfcl_app_"
_LOCK = ".lock"
_TRIES = 8


@contextlib.contextmanager
def own_folder() -> Iterator[Path]:
    """Makes a folder, which is deleted when the context ends.

    Those of processes that were killed are deleted first.

    Yields:
        The folder, which lies beside its lock.

    Raises:
        OSError: If none can be made.
    """
    sweep_left_behind(Path(tempfile.gettempdir()))
    with contextlib.ExitStack() as stack:
        folder = _locked_folder(stack)
        try:
            files = folder / "files"
            files.mkdir(mode=0o700)
            yield files
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            stack.close()
            shutil.rmtree(folder, ignore_errors=True)  # where locks cannot be deleted


def sweep_left_behind(parent: Path) -> None:
    """Deletes the folders whose process has ended and did not come to it.

    Left alone are those of other users, and those whose lock is held or not there yet.

    Args:
        parent: Where they are.
    """
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(portable.InUseError, OSError):
            if not _is_own(folder) or not (folder / _LOCK).is_file():
                continue
            with portable.locked(folder / _LOCK):
                shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)


def _locked_folder(stack):
    """Makes a folder and holds its lock, which a sweep may have been faster to take."""
    for _ in range(_TRIES):
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        with contextlib.suppress(portable.InUseError, FileNotFoundError):
            stack.enter_context(portable.locked(folder / _LOCK))
            if (folder / _LOCK).exists():
                return folder
    raise OSError(f"Expected a folder of its own in {tempfile.gettempdir()}.")


def _is_own(folder):
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and portable.is_own(status)
