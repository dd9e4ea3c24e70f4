"""Streams made ahead of their use, in a thread or in a process of their own."""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import queue
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar

from sfcl_tf.system.errors import DataError
from sfcl_tf.system.portable import block_interrupts
from sfcl_tf.system.processes import end_with_parent, unguarded

Item = TypeVar("Item")
_START = 120.0  # s that a process may take to begin


class StalledError(DataError):
    """A stream whose process died, or that gave nothing for too long."""


def prefetch(
    items: Iterable[Item], ahead: int, cancel: Callable[[], None] = lambda: None
) -> Generator[Item]:
    """Yields items that another thread makes, at most so many ahead.

    What the making raises is raised here, in its place. If the consumer ends early,
    the thread ends at its next item.

    Args:
        items: What is made.
        ahead: How many.
        cancel: Called if the consumer ends early; makes the next item come soon.
    """
    buffer: queue.Queue = queue.Queue(ahead)
    ended = threading.Event()

    def put(entry):
        while not ended.is_set():
            with contextlib.suppress(queue.Full):
                buffer.put(entry, timeout=0.1)
                return True
        return False

    def make():
        source = iter(items)
        try:
            for item in source:
                if not put((item, None)):
                    return
            put((None, StopIteration()))
        except BaseException as error:
            put((None, error))
        finally:
            if hasattr(source, "close"):
                source.close()

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    finished = False
    try:
        while True:
            item, error = buffer.get()
            finished = error is not None
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item
    finally:
        ended.set()
        if not finished:
            cancel()
        thread.join()


class StreamProcess:
    """Runs generators, one at a time, in a process that is kept for the next.

    A process that dies or stalls costs its own stream alone: another takes its place.

    Args:
        warm_up: Called first in each process; it imports what generators need.
    """

    def __init__(self, warm_up: Callable[[], None]):
        self._warm_up = warm_up
        self._process: SpawnProcess | None = None

    def __call__(
        self, generator: Callable[..., Iterator], *args: Any, timeout: float
    ) -> Iterator:
        """Yields what a generator does; what that raises is raised here.

        Args:
            generator: Called as `generator(*args, beat)`; `beat()` says that it is
                getting on, where items are far between. It and `args` must pickle.
            *args: Its arguments.
            timeout: Seconds without an item or a beat after which it is given up.

        Raises:
            StalledError: If the process dies or the time is over.
        """
        process = self._start()
        finished = False
        try:
            self._connection.send((generator, args))
            while True:
                kind, value = self._receive(process, timeout)
                if kind == "item":
                    yield value
                    continue
                finished = True
                if kind == "error":
                    raise value
                return
        finally:
            if not finished:  # it would go on with what nobody waits for
                self.close()

    def _receive(self, process, timeout):
        ready: list = []
        beats = -1
        while not ready:
            if beats == self._beats.value:
                raise StalledError(
                    f"Expected a picture within {timeout:g} s. Received: none; the "
                    "file was given up."
                )
            beats = self._beats.value
            ready = multiprocessing.connection.wait(
                [self._connection, process.sentinel], timeout
            )
        try:
            if self._connection in ready:
                return self._connection.recv()
        except (EOFError, OSError):
            pass
        process.join(5)
        raise StalledError(
            "Expected pictures. Received: the end of the process that read it, exit "
            f"code {process.exitcode}. The file is damaged in a way that its "
            "decoder does not survive."
        )

    def _start(self) -> SpawnProcess:
        if self._process is not None and self._process.is_alive():
            return self._process
        self.close()
        context = multiprocessing.get_context("spawn")  # TensorFlow survives no fork
        self._connection, child_end = context.Pipe()
        self._beats = context.Value("q", 0, lock=False)
        process = self._process = context.Process(
            target=_serve, args=(child_end, self._beats, self._warm_up), daemon=True
        )
        try:
            with block_interrupts():
                process.start()
        except RuntimeError as error:  # this is itself a process that is to begin
            self._process = None
            raise unguarded("a process within it") from error
        finally:
            child_end.close()
        if not self._is_ready(process):
            code = process.exitcode
            self.close()
            raise unguarded(f"its end before it began, exit code {code}")
        return process

    def _is_ready(self, process):
        try:
            return self._receive(process, _START) == ("ready", None)
        except StalledError:
            return False

    def abandon(self) -> None:
        """Ends the process, whatever it does, from another thread."""
        if process := self._process:
            process.kill()

    def close(self) -> None:
        """Ends the process."""
        if self._process is None:
            return
        self._process.kill()
        self._process.join()
        self._connection.close()
        self._process = None


def _serve(connection, beats, warm_up):
    def beat():
        beats.value += 1

    threading.Thread(target=end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # its parent ends it
    warm_up()
    connection.send(("ready", None))
    while True:
        try:
            generator, args = connection.recv()
        except EOFError:
            os._exit(0)
        try:
            for item in generator(*args, beat):
                connection.send(("item", item))
            connection.send(("end", None))
        except Exception as error:
            connection.send(("error", error))
