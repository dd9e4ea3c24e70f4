"""Preparation on the machines of a Ray cluster."""

import dataclasses
import functools
import itertools
import logging
import os
import platform
import socket
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sfcl_tf import __version__
from sfcl_tf.records.workers import (
    DEFAULT_TIMEOUT,
    Engine,
    Result,
    Task,
    init_worker,
    result_of,
)
from sfcl_tf.system.errors import DataError, UsageError
from sfcl_tf.system.processes import WorkerProcess
from sfcl_tf.system.storage import is_remote

# Of a video whose node or worker is lost; one that crashes its decoder has none.
RETRIES = 3
# A task waiting on every CPU hides the way to the driver and back, and lets an
# autoscaler see that there is work; 100,000 waiting would only burden the driver.
_WAITING_PER_CPU = 1
_WAITING_AT_LEAST = 8
_OBJECT_STORE = 100 << 20  # bytes, Ray's least and a bit; reports are small
_CONNECT = 10.0  # s


def ray_cluster(
    address: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    *,
    workers: int | None = None,
) -> Engine:
    """Returns an engine that has each video prepared by a CPU of a Ray cluster.

    The contract is that of `process_pool`, since every worker of the cluster has one
    of a single process. A lost machine costs time alone: its videos are done again by
    others, `RETRIES` times at most. Shards are written by whoever makes them, so the
    collection and the records' folder have the same path everywhere.

    Args:
        address: `host:port` of the cluster; `auto`, one that this machine is part of;
            `local`, one that is started here and ended with the work. Defaults to
            `RAY_ADDRESS`, else `auto`.
        timeout: Seconds after which a video is given up.
        workers: CPUs of a cluster that is started here. Defaults to all.

    Raises:
        UsageError: If Ray is not installed, or no cluster is found there.
    """
    address = address or os.environ.get("RAY_ADDRESS") or "auto"
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address == "local":
        # Keeps it to the loopback device, as Ray itself does on macOS.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "Expected Ray for `--engine ray`. Received: it is not installed. Install "
            'it by `pip install "sfcl_tf[cluster]"`.'
        ) from error
    return functools.partial(
        _on_cluster, address=address, timeout=timeout, workers=workers
    )


def _on_cluster(
    tasks: Iterable[Task], address: str, timeout: float, workers: int | None
) -> Iterator[Result]:
    import ray

    tasks = list(tasks)
    if not tasks:
        return
    if is_remote(tasks[0].folder):
        raise UsageError(
            f"Expected a folder for the records of a Ray cluster. Received: "
            f"{tasks[0].folder}. Mount the bucket on every machine, and give that "
            "folder by --records or SFCL_RECORDS."
        )
    tasks = [_absolute(task) for task in tasks]
    # Its name is one of those that `clear_unfinished` removes.
    marker = tasks[0].folder / f".shared.{uuid.uuid4().hex}.tmp"
    marker.touch()
    _connect(address, workers)
    # Tasks, not Ray's multiprocessing.Pool: a lost actor of the pool fails the videos
    # that it was given, a lost task is done again.
    remote = ray.remote(_prepare).options(num_cpus=1, max_retries=RETRIES)
    waiting = iter(tasks)
    pending: dict[Any, Task] = {}
    try:
        while True:
            free = max(_capacity() - len(pending), 0)
            for task in itertools.islice(waiting, free):
                pending[remote.remote(task, marker, timeout, __version__)] = task
            if not pending:
                return
            for done in ray.wait(list(pending))[0]:
                yield _result(done, pending.pop(done))
    finally:
        for ref in pending:
            ray.cancel(ref, force=True)
        ray.shutdown()
        marker.unlink(missing_ok=True)


def _absolute(task: Task) -> Task:
    """Returns the task with paths that do not depend on the working directory."""
    video = dataclasses.replace(task.video, path=task.video.path.absolute())
    return dataclasses.replace(task, video=video, folder=task.folder.absolute())


def _connect(address: str, workers: int | None) -> None:
    import ray

    options: dict[str, Any] = {}
    if address == "local":
        options = {
            "num_cpus": workers,
            "object_store_memory": _OBJECT_STORE,
            "include_dashboard": False,
        }
    try:
        host, colon, port = address.rpartition(":")
        if colon and port.isdecimal():  # Ray would wait for it without end
            socket.create_connection((host.strip("[]"), int(port)), _CONNECT).close()
        ray.init(address, logging_level=logging.ERROR, log_to_driver=False, **options)
    except OSError as error:
        raise UsageError(
            f"Expected a Ray cluster at `{address}`. Received: {error}. Start one by "
            "`ray start --head`, give another --address, or `--address local` to "
            "start one for this command alone; see docs/cluster.md."
        ) from error


def _capacity() -> int:
    """Returns how many tasks the cluster is to have now; it may grow and shrink."""
    import ray

    cpus = int(ray.cluster_resources().get("CPU", 0))
    return cpus + max(cpus * _WAITING_PER_CPU, _WAITING_AT_LEAST)


def _result(done, task: Task) -> Result:
    import ray

    try:
        return ray.get(done)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, _NotHereError) and not task.video.path.exists():
            return task.failed("unreadable", f"no longer there: {task.video.path}")
        if "failed to import" in str(error.cause):
            raise DataError(
                f"Expected sfcl_tf {__version__} on every machine of the cluster. "
                "Received: one that cannot import it. Install it there; see "
                "docs/cluster.md."
            ) from error
        raise (error.cause or error) from None
    except ray.exceptions.RayError as error:
        reason = f"{type(error).__name__}, tried {1 + RETRIES} times"
        return task.failed("crashed", reason)


class _NotHereError(DataError):
    """A machine of the cluster lacks a file."""


def _prepare(task: Task, marker: Path, timeout: float, version: str) -> Result:
    """Prepares a video, on a worker of the cluster."""
    host = platform.node()
    if not marker.exists():
        raise DataError(
            f"Expected {task.folder} to be one folder on every machine of the cluster. "
            f"Received: {host} does not see what is written there. Give a shared "
            "folder by --records or SFCL_RECORDS; see docs/cluster.md."
        )
    if version != __version__:
        raise DataError(
            f"Expected sfcl_tf {version} on every machine of the cluster. Received: "
            f"{__version__} on {host}. See docs/cluster.md."
        )
    if not task.video.path.exists():
        raise _NotHereError(
            f"Expected the collection under the same path on every machine of the "
            f"cluster. Received: no {task.video.path} on {host}. Mount it there; see "
            "docs/cluster.md."
        )
    return result_of(_process()(task, timeout), task)


@functools.cache
def _process() -> WorkerProcess:
    return WorkerProcess(init_worker)
