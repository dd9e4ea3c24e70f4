"""Storage that fails on purpose, one operation after another, as SQLite tests it.

```
for fault in each_fault(folder):
    with fault:
        the_call_under_test()
    ...what is in the folder is whole, whatever the call did...
```

The operations are those of this process below a folder: opening to write, renaming,
making a folder and flushing to the disk. What libraries write in C++ is limited in
size instead, by `most_bytes`.
"""

import contextlib
import errno
import itertools
import os
import resource
import sys
from pathlib import Path

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_active = None
_flush = os.fsync


class Fault:
    """Lets the n-th operation below a folder fail, from 1; `seen` names those so far.

    As a context it passes over errors of the block, and keeps the one in `error`.
    """

    def __init__(self, folder, number, kills=False):
        self.folder = str(Path(folder).resolve())
        self.number, self.kills = number, kills
        self.seen, self.error = [], None

    @property
    def happened(self):
        return len(self.seen) >= self.number

    @property
    def failed(self):
        """The operation that failed, and of which name; two empty texts for none."""
        return self.seen[self.number - 1] if self.happened else ("", "")

    def operation(self, what, path):
        path = os.fspath(path)
        path = os.fsdecode(path) if isinstance(path, bytes) else path
        if not os.path.abspath(path).startswith(self.folder):  # noqa: PTH100
            return
        self.seen.append((what, Path(path).name))
        if len(self.seen) == self.number:
            if self.kills:
                os._exit(9)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    def __enter__(self):
        global _active
        _install()
        _active = self
        return self

    def __exit__(self, kind, error, trace):
        global _active
        _active, self.error = None, error
        return isinstance(error, Exception)


def each_fault(folder):
    """Yields faults at the first, second, ... operation, and last one that never is."""
    for number in itertools.count(1):
        fault = Fault(folder, number)
        yield fault
        if not fault.happened:
            return


@contextlib.contextmanager
def most_bytes(number):
    """Lets writes fail past so many bytes of a file, in C++ too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (number, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _install():
    if os.fsync is _flush:
        os.fsync = _fsync
        sys.addaudithook(_see)


def _fsync(descriptor):
    if _active:
        _active.operation("flush", Path(f"/proc/self/fd/{descriptor}").readlink())
    _flush(descriptor)


def _see(event, values):
    # A hook stays for good: it is cheap while nothing is to fail.
    if _active is None:
        return
    if event == "open" and isinstance(values[0], str | bytes | os.PathLike):
        if (values[2] or 0) & _WRITES:
            _active.operation("open", values[0])
    elif event in ("os.rename", "os.mkdir"):
        _active.operation(event[3:], values[0])


def main():
    """Publishes in a process that dies at an operation: `faults.py KIND PATH N`."""
    from sfcl_tf.system.output import publish_folder, write_text

    kind, path, number = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    with Fault(path.parent, number, kills=True):
        if kind == "file":
            write_text(path, "new")
        else:
            with publish_folder(path) as folder:
                (folder / "deep").mkdir()
                (folder / "deep" / "file").write_text("new")


if __name__ == "__main__":
    main()
