"""How many calls are worked on at a time; one more is refused at once."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc

from sfcl_tf.serving.dev_server.errors import RequestError


class Admission:
    """A pool of threads without a queue.

    Args:
        most: Calls at a time.
    """

    def __init__(self, most: int):
        self._most = most
        self._lock = threading.Lock()
        self._running = 0
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="call")

    async def run(self, function: Callable, *arguments, timeout: float | None = None):
        """Calls a function in a thread.

        Args:
            function: What to call.
            *arguments: With what.
            timeout: Seconds after which nobody waits for the answer.

        Raises:
            RequestError: RESOURCE_EXHAUSTED, if there are as many calls as may be;
                DEADLINE_EXCEEDED, if the time was over before it began.
        """
        with self._lock:
            if self._running == self._most:
                raise RequestError(
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    f"Expected at most {self._most} calls at a time. Try again later, "
                    "or raise --max-concurrent.",
                )
            self._running += 1
        deadline = None if timeout is None else time.monotonic() + timeout
        future = self._pool.submit(_in_time, deadline, function, *arguments)
        # Not when the caller goes away: the thread works on.
        future.add_done_callback(self._release)
        return await asyncio.wrap_future(future)

    def close(self, seconds: float) -> int:
        """Waits so long for the calls that were admitted; returns how many go on."""
        self._pool.shutdown(wait=False)
        until = time.monotonic() + seconds
        while self._running and time.monotonic() < until:
            time.sleep(0.02)
        return self._running

    def _release(self, _):
        with self._lock:
            self._running -= 1


def _in_time(deadline, function, *arguments):
    if deadline is not None and time.monotonic() >= deadline:
        raise RequestError(
            grpc.StatusCode.DEADLINE_EXCEEDED, "The deadline was over already."
        )
    return function(*arguments)
