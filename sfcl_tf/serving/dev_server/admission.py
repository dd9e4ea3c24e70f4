"""How much is worked on at a time, in calls, bytes and faces; more is refused."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc

from sfcl_tf.serving.dev_server.errors import RequestError


class Admission:
    """A pool of threads without a queue.

    What is alone is let in whatever it costs: each request has bounds of its own.

    Args:
        most: Calls at a time.
        most_faces: Faces at a time, as `sfcl_tf.serving.dev_server.cost` counts them.
        most_bytes: Bytes of requests at a time.
    """

    def __init__(self, most: int, most_faces: int, most_bytes: int):
        self._most = most
        self._most_faces = most_faces
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._running = 0
        self._faces = 0
        self._bytes = 0
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="call")

    async def run(
        self,
        function: Callable,
        *arguments,
        size: int,
        timeout: float | None = None,
    ):
        """Calls a function in a thread.

        Args:
            function: What to call.
            *arguments: With what.
            size: Bytes of the request.
            timeout: Seconds after which nobody waits for the answer.

        Raises:
            RequestError: RESOURCE_EXHAUSTED, if there are as many calls as may be, or
                requests of as many bytes; DEADLINE_EXCEEDED, if the time was over
                before it began.
        """
        with self._lock:
            if self._running == self._most:
                raise _full(f"{self._most} calls", "raise --max-concurrent")
            if self._running and self._bytes + size > self._most_bytes:
                raise _full(
                    f"requests of {self._most_bytes >> 20} MB", "raise --max-request"
                )
            self._running += 1
            self._bytes += size
        deadline = None if timeout is None else time.monotonic() + timeout
        future = self._pool.submit(_in_time, deadline, function, *arguments)
        # Not when the caller goes away: the thread works on.
        future.add_done_callback(lambda _: self._release(size))
        return await asyncio.wrap_future(future)

    @contextlib.contextmanager
    def room_for(self, faces: int) -> Iterator[None]:
        """Lets a call compute its faces while the context is open.

        Raises:
            RequestError: RESOURCE_EXHAUSTED, if others are as many as may be.
        """
        with self._lock:
            if self._faces and self._faces + faces > self._most_faces:
                raise _full(
                    f"the work of {self._most_faces} faces",
                    "send fewer or smaller pictures, or raise --max-faces",
                )
            self._faces += faces
        try:
            yield
        finally:
            with self._lock:
                self._faces -= faces

    def close(self, seconds: float) -> int:
        """Waits so long for the calls that were admitted; returns how many go on."""
        self._pool.shutdown(wait=False)
        until = time.monotonic() + seconds
        while self._running and time.monotonic() < until:
            time.sleep(0.02)
        return self._running

    def _release(self, size):
        with self._lock:
            self._running -= 1
            self._bytes -= size


def _full(most, hint):
    return RequestError(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        f"Expected at most {most} at a time. Try again later, or {hint}.",
    )


def _in_time(deadline, function, *arguments):
    if deadline is not None and time.monotonic() >= deadline:
        raise RequestError(
            grpc.StatusCode.DEADLINE_EXCEEDED, "The deadline was over already."
        )
    return function(*arguments)
