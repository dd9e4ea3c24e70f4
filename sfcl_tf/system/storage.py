"""Locations on `s3://`, where records, runs and exports may lie.

Records are written and read in place. Runs and exports are made in a local folder
and copied. A location is a `pathlib.Path`, or for `s3://` an `etils.epath.Path`, of
which only what both have is used.
"""

import contextlib
import importlib.util
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from sfcl_tf.system.errors import DataError, UsageError
from sfcl_tf.system.quiet import import_tensorflow

# tensorflow-io's last release loads its file systems in this line alone.
_TENSORFLOW = "2.17."
_NEEDED = ("etils", "tensorflow_io")


def is_remote(location) -> bool:
    """Tells whether a text or a location is a URL."""
    return "://" in str(location)


def parse_location(text: str):
    """Returns the location that a text names.

    Raises:
        UsageError: If it is a URL of another kind, or what `s3://` needs is absent.
    """
    if not is_remote(text):
        return Path(text)
    scheme, _, rest = text.partition("://")
    if scheme != "s3" or not rest.strip("/"):
        raise UsageError(
            f"Expected a folder, or s3://BUCKET/PREFIX. Received: {text}. Mount "
            "other stores as a folder."
        )
    if missing := [m for m in _NEEDED if importlib.util.find_spec(m) is None]:
        raise _unfit(text, f"{' and '.join(missing)} not installed")
    load()
    from etils import epath

    return epath.Path(text)


def load() -> None:
    """Brings `s3://` into TensorFlow, in each process that uses it.

    Raises:
        UsageError: If it cannot be had in this version of TensorFlow.
    """
    import_tensorflow()
    import tensorflow

    if not tensorflow.__version__.startswith(_TENSORFLOW):
        raise _unfit("s3://", f"TensorFlow {tensorflow.__version__}")
    import tensorflow_io  # noqa: F401


def _unfit(text: str, received: str) -> UsageError:
    return UsageError(
        f"Expected tensorflow-io and TensorFlow {_TENSORFLOW}* for {text}. Received: "
        f"{received}. Use an environment of its own, with Python 3.11, since "
        "tensorflow-io loads in no later line of TensorFlow: pip install "
        '"sfcl_tf[io]". Or mount the bucket and give the folder.'
    )


def end_process(code: int) -> None:
    """Ends this process; where `s3://` was loaded, without tearing it down.

    Its client aborts while it is torn down, and would replace the exit code by 134.
    """
    if "tensorflow_io" in sys.modules:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


@contextlib.contextmanager
def explain_access_errors(location) -> Iterator[None]:
    """Tells of a store that cannot be reached; errors of local files pass.

    Raises:
        DataError: Instead of the file system's own error.
    """
    try:
        yield
    except Exception as error:
        reason = os_error_message(error)
        if reason is None or not is_remote(location):
            raise
        raise DataError(
            f"Expected to read and write {location}. Received: {reason}. See that the "
            "bucket exists, and that AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, "
            "AWS_REGION and, if it is not Amazon's, S3_ENDPOINT are right."
        ) from error


def os_error_message(error: Exception) -> str | None:
    """Returns what a file system says of what failed; `None` for other errors."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    # TensorFlow's file systems have errors of their own, known where it is loaded.
    if type(error).__module__.startswith("tensorflow"):
        message = re.sub(r"{{.*?}} | \[Op:\w+\]$", "", getattr(error, "message", ""))
        return re.sub(r"^\S*/.*; ", "", message) or str(error)
    return None


def size(path) -> int:
    """Returns a file's size in bytes."""
    stat = path.stat()
    return stat.length if is_remote(path) else stat.st_size


def upload(path: Path, url) -> None:
    """Copies a local file; it appears at its URL when it is whole."""
    import tensorflow as tf

    tf.io.gfile.copy(str(path), str(url), overwrite=True)


def require_writable(location) -> None:
    """Writes a remote object and removes it; empty folders do not exist there.

    Raises:
        DataError: If that fails.
    """
    probe = location / ".writable"
    with explain_access_errors(location):
        probe.write_text("sfcl")
        probe.unlink()


@contextlib.contextmanager
def local_copy(location, *, fetch: bool = False) -> Iterator[tuple[Path, Callable]]:
    """Gives a local folder for a location, and a function that brings it up to date.

    A local location stands for itself. What is made for a remote one is also copied at
    the end, whatever ends it.

    Args:
        location: The folder.
        fetch: Whether to begin with what lies there.

    Raises:
        DataError: If copying fails; what was made is kept in the local folder.
    """
    if not is_remote(location):
        yield location, lambda: None
        return
    parent = Path(tempfile.mkdtemp(prefix="sfcl-"))
    copy = _Copy(parent / location.name, location)
    try:
        copy.folder.mkdir()
        if fetch:
            copy.download()
        yield copy.folder, copy.upload
    finally:
        try:
            copy.upload()
        except DataError as error:
            raise DataError(f"{error} All is kept in {copy.folder}.") from error
        shutil.rmtree(parent)


class _Copy:
    """A local folder and a remote one; what did not change is not copied again."""

    def __init__(self, folder: Path, url):
        self.folder = folder
        self._url = url
        self._synced: dict[Path, tuple[int, int]] = {}

    def download(self) -> None:
        """Copies everything from the remote folder."""
        import tensorflow as tf

        root = str(self._url)
        with explain_access_errors(self._url):
            for above, _, names in tf.io.gfile.walk(root):
                below = self.folder / above.removeprefix(root).strip("/")
                below.mkdir(parents=True, exist_ok=True)
                for name in filter(None, names):
                    url = f"{above.rstrip('/')}/{name}"
                    part = below / f".{name}"  # never uploaded, should this fail
                    tf.io.gfile.copy(url, str(part), overwrite=True)
                    path = part.replace(below / name)
                    self._synced[path] = _state(path)

    def upload(self) -> None:
        """Copies what is new, but for what is hidden, and so half written."""
        paths = self.folder.rglob("*")
        files = [path.relative_to(self.folder) for path in paths if path.is_file()]
        # Deepest first: a server takes a SavedModel for whole by its topmost file.
        for name in sorted(files, key=lambda name: (-len(name.parts), name)):
            path = self.folder / name
            if any(part.startswith(".") for part in name.parts):
                continue
            state = _state(path)
            if self._synced.get(path) != state:
                url = self._url / name.as_posix()
                with explain_access_errors(url):
                    upload(path, url)
                self._synced[path] = state


def _state(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns
