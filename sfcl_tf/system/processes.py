"""Looking at files in other processes: one that crashes or hangs costs itself alone."""

import concurrent.futures
import dataclasses
import functools
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sfcl_tf.system.errors import UsageError
from sfcl_tf.system.portable import block_interrupts


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        index: Its position among the jobs.
        result: What it returned; `None` if it did not.
        status: `done`, `timed_out` or `crashed`.
        reason: Why it is not done.
    """

    index: int
    result: Any
    status: str = "done"
    reason: str = ""


def run_in_processes(
    jobs: Sequence[Callable[[], Any]],
    workers: int,
    timeout: float,
    warm_up: Callable[[], None],
) -> Iterator[Outcome]:
    """Calls each job in a pool of processes.

    An exception that a job raises is raised here; the others are ended then.

    Args:
        jobs: They must pickle.
        workers: Processes.
        timeout: Seconds after which a job is given up.
        warm_up: Called first in each process; it imports what jobs need, so that this
            is not in their time.

    Yields:
        An `Outcome` for each job, as they end.

    Raises:
        UsageError: If the processes do not come to life.
    """
    if not jobs:
        return
    end_if_unguarded()
    pool = _pool(min(workers, len(jobs)), warm_up)
    try:
        with block_interrupts():
            indices = {
                pool.schedule(job, timeout=timeout): index
                for index, job in enumerate(jobs)
            }
        for future in concurrent.futures.as_completed(indices):
            yield _outcome(future, indices.pop(future), timeout)
        pool.close()
        pool.join()
    except concurrent.futures.BrokenExecutor as error:
        raise unguarded("their end before they began") from error
    finally:
        pool.stop()
        pool.join()


def end_if_unguarded() -> None:
    """Ends a process in which a script without a main guard is imported.

    It would do the script's work again, beside the process that it was to help.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        os._exit(1)


def unguarded(received: str) -> UsageError:
    """Returns what to raise where processes end before they began.

    Args:
        received: What became of them.
    """
    return UsageError(
        f"Expected other processes to do a part. Received: {received}. A script that "
        'has them do so under `if __name__ == "__main__":`, and lies in a file.'
    )


class WorkerProcess:
    """Calls one job at a time in a process that is kept for the next.

    Args:
        warm_up: Called first in that process, and in one that takes its place.
    """

    def __init__(self, warm_up: Callable[[], None]):
        self._pool = _pool(1, warm_up)

    def __call__(self, job: Callable[[], Any], timeout: float) -> Outcome:
        """Calls a job and waits for it; an exception that it raises is raised here."""
        with block_interrupts():
            future = self._pool.schedule(job, timeout=timeout)
        return _outcome(future, 0, timeout)


def _pool(workers: int, warm_up: Callable[[], None]):
    from pebble import ProcessPool

    return ProcessPool(
        workers,
        initializer=functools.partial(_start_worker, warm_up),
        context=multiprocessing.get_context("spawn"),  # TensorFlow survives no fork
    )


def _outcome(future, index: int, timeout: float) -> Outcome:
    from pebble import ProcessExpired

    try:
        return Outcome(index, future.result())
    except concurrent.futures.TimeoutError:
        return Outcome(index, None, "timed_out", f"not done after {timeout:g} s")
    except ProcessExpired as error:
        reason = f"its process died, exit code {error.exitcode}"
        return Outcome(index, None, "crashed", reason)


def _start_worker(warm_up) -> None:
    threading.Thread(target=end_with_parent, daemon=True).start()
    warm_up()


def end_with_parent() -> None:
    """Ends this process when its parent is killed, which closes nothing by itself."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
