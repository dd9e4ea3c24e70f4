"""What runs a preparation's work: this process, a pool of processes, or a cluster."""

import dataclasses
import functools
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from sfcl_tf.catalog.listing import Video
from sfcl_tf.faces.boxes import FrameBoxes
from sfcl_tf.records.manifest import Settings
from sfcl_tf.system.processes import Outcome, run_in_processes
from sfcl_tf.system.storage import is_remote, load

Result = tuple[dict[str, Any], float]
"""A video's report, and the seconds that it took."""

DEFAULT_TIMEOUT = 6 * 3600.0
"""Seconds after which a video is given up."""


@dataclasses.dataclass(frozen=True)
class Task:
    """One video's preparation; the arguments of `prepare_video`."""

    video: Video
    folder: Path
    settings: Settings
    boxes: FrameBoxes | None = None

    def __call__(self) -> Result:
        """Prepares the video."""
        from sfcl_tf.records.prepare_video import prepare_video

        started = time.perf_counter()
        report = prepare_video(self.video, self.folder, self.settings, self.boxes)
        return report, time.perf_counter() - started

    def failed(self, status: str, reason: str) -> Result:
        """Returns the result where the work came to no end of its own."""
        from sfcl_tf.records.prepare_video import empty_report

        report = empty_report(self.video, self.folder)
        wanted = self.settings.frames
        changes = {"status": status, "reason": reason, "frames_wanted": wanted}
        return report | changes, float("nan")


Engine = Callable[[Iterable[Task]], Iterator[Result]]


def run_inline(tasks: Iterable[Task]) -> Iterator[Result]:
    """Does one after another, here: a crash of a decoder is one of this process."""
    for task in tasks:
        yield task()


def process_pool(workers: int, timeout: float = DEFAULT_TIMEOUT) -> Engine:
    """Returns an engine of so many processes.

    A process that dies, or takes longer than `timeout` seconds over a video, costs
    that video alone; another takes its place.
    """
    return functools.partial(_in_pool, workers=workers, timeout=timeout)


def _in_pool(tasks: Iterable[Task], workers: int, timeout: float) -> Iterator[Result]:
    tasks = list(tasks)
    remote = any(is_remote(task.folder) for task in tasks)
    warm_up = init_remote_worker if remote else init_worker
    for outcome in run_in_processes(tasks, workers, timeout, warm_up):
        yield result_of(outcome, tasks[outcome.index])


def result_of(outcome: Outcome, task: Task) -> Result:
    """Returns what a task gave, or what tells that it came to no end of its own."""
    if outcome.status == "done":
        return outcome.result
    return task.failed(outcome.status, outcome.reason)


def init_worker() -> None:
    """Imports what preparing a video needs, on the CPU and on one thread."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    import cv2

    from sfcl_tf.system.quiet import import_tensorflow

    import_tensorflow()
    cv2.setNumThreads(1)


def init_remote_worker() -> None:
    """Does what `init_worker` does, and brings in `s3://`."""
    init_worker()
    load()
