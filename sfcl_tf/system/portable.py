"""What systems do each in their own way: locks, signals, memory used.

Other modules import nothing that Windows lacks, and ask here.
"""

import contextlib
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]


class InUseError(Exception):
    """Another process holds a lock."""


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a lock that ends with the process, whatever ends that.

    Args:
        path: The lock's file. It is made, may stay, and its content means nothing.

    Raises:
        InUseError: If another holds it.
        OSError: If the file cannot be opened.
    """
    lock = filelock.FileLock(path, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout as error:
        raise InUseError(f"Another process holds {path}.") from error
    try:
        yield
    finally:
        lock.release()


def flush_to_disk(path: Path) -> None:
    """Has what a file holds, or which names a folder does, outlast a loss of power.

    Raises:
        OSError: If that fails. A folder of a system that cannot do it is left alone.
    """
    if os.name == "nt" and path.is_dir():
        return
    # Windows flushes what is open for writing alone.
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_own(status: os.stat_result) -> bool:
    """Tells whether a file is this user's; where there are no users, it is."""
    return not hasattr(os, "getuid") or status.st_uid == os.getuid()


@contextlib.contextmanager
def block_interrupts() -> Iterator[None]:
    """Lets processes be started that Ctrl-C does not reach: the parent ends them.

    Where signals cannot be held, they reach a process until it ignores them itself.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def on_signal(loop, number: int, callback: Callable, *args) -> None:
    """Has an event loop call something when a signal comes in.

    Args:
        loop: That runs in the main thread.
        number: Of the signal.
        callback: Called in the loop with `args`.
        *args: For it.
    """
    try:
        loop.add_signal_handler(number, callback, *args)
    except NotImplementedError:
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(callback, *args))


def peak_memory(children: bool = False) -> float:
    """Returns the most memory in use so far, in MiB; NaN where it is not known.

    Args:
        children: Of the largest process that was started and has ended, instead of
            this one.
    """
    if resource is None:
        return math.nan
    who = resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF
    unit = 1 << (20 if sys.platform == "darwin" else 10)
    return resource.getrusage(who).ru_maxrss / unit
