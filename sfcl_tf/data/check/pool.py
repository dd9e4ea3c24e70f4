"""Looking at files in other processes: one that crashes or hangs costs itself alone."""

import concurrent.futures
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any


def run_apart(
    jobs: Sequence[Callable[[], Any]], workers: int, timeout: float
) -> Iterator[tuple[int, Any, str]]:
    """Calls each job in a pool of processes, without TensorFlow.

    Args:
        jobs: They must pickle.
        workers: Processes.
        timeout: Seconds after which a job is given up.

    Yields:
        The job's place, what it returned, and what ended it otherwise; as they end.
    """
    from pebble import ProcessExpired, ProcessPool

    if not jobs:
        return
    pool = ProcessPool(
        min(workers, len(jobs)),
        initializer=_start_worker,
        context=multiprocessing.get_context("spawn"),
    )
    try:
        places = {
            pool.schedule(job, timeout=timeout): place for place, job in enumerate(jobs)
        }
        for future in concurrent.futures.as_completed(places):
            place = places.pop(future)
            try:
                yield place, future.result(), ""
            except concurrent.futures.TimeoutError:
                yield place, None, f"not read after {timeout:g} s"
            except ProcessExpired as error:
                yield place, None, f"the process that read it died ({error.exitcode})"
        pool.close()
        pool.join()
    finally:
        pool.stop()
        pool.join()


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the pool
    parent = multiprocessing.parent_process()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    import sfcl_tf.data.footage  # noqa: F401 - now, and not in the time of a file


def _end_with(parent) -> None:
    """Ends this process when its parent is killed."""
    parent.join()
    os._exit(1)
