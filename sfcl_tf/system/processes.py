"""Looking at files in other processes: one that crashes or hangs costs itself alone."""

import concurrent.futures
import dataclasses
import functools
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sfcl_tf.system.portable import interrupts_held


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        place: Its place among the jobs.
        result: What it returned; `None` if it did not.
        status: `done`, `timed_out` or `crashed`.
        reason: Why it is not done.
    """

    place: int
    result: Any
    status: str = "done"
    reason: str = ""


def run_apart(
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
    """
    if not jobs:
        return
    pool = _pool(min(workers, len(jobs)), warm_up)
    try:
        with interrupts_held():
            places = {
                pool.schedule(job, timeout=timeout): place
                for place, job in enumerate(jobs)
            }
        for future in concurrent.futures.as_completed(places):
            yield _outcome(future, places.pop(future), timeout)
        pool.close()
        pool.join()
    finally:
        pool.stop()
        pool.join()


class ProcessBeside:
    """Calls one job at a time in a process that is kept for the next.

    Args:
        warm_up: Called first in that process, and in one that takes its place.
    """

    def __init__(self, warm_up: Callable[[], None]):
        self._pool = _pool(1, warm_up)

    def __call__(self, job: Callable[[], Any], timeout: float) -> Outcome:
        """Calls a job and waits for it; an exception that it raises is raised here."""
        with interrupts_held():
            future = self._pool.schedule(job, timeout=timeout)
        return _outcome(future, 0, timeout)


def _pool(workers: int, warm_up: Callable[[], None]):
    from pebble import ProcessPool

    return ProcessPool(
        workers,
        initializer=functools.partial(_start_worker, warm_up),
        context=multiprocessing.get_context("spawn"),  # TensorFlow survives no fork
    )


def _outcome(future, place: int, timeout: float) -> Outcome:
    from pebble import ProcessExpired

    try:
        return Outcome(place, future.result())
    except concurrent.futures.TimeoutError:
        return Outcome(place, None, "timed_out", f"not done after {timeout:g} s")
    except ProcessExpired as error:
        reason = f"its process died, exit code {error.exitcode}"
        return Outcome(place, None, "crashed", reason)


def _start_worker(warm_up) -> None:
    threading.Thread(target=end_with_parent, daemon=True).start()
    warm_up()


def end_with_parent() -> None:
    """Ends this process when its parent is killed, which closes nothing by itself."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
