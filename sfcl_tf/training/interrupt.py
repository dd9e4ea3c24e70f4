"""Stopping between two steps, where everything can be saved."""

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """Raised by `Interrupt.check` at a place where the state is whole."""


class Interrupt:
    """Takes Ctrl-C and SIGTERM for a request to stop; the second one stops at once.

    Without effect outside of the main thread, where signals cannot be taken.

    Args:
        on_request: Called once, when the first comes in.
    """

    def __init__(self, on_request: Callable[[], None] | None = None):
        self._on_request = on_request
        self._requested = False
        self._before: dict[int, Any] = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self._before = {s: signal.signal(s, self._take) for s in _SIGNALS}
        return self

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number, frame):
        if self._requested:
            raise KeyboardInterrupt
        self._requested = True
        if self._on_request:
            self._on_request()

    def check(self) -> None:
        """Raises if a stop was asked for.

        Raises:
            Stopped: In the main thread's code, never inside a step.
        """
        if self._requested:
            raise Stopped

    def watch(self, items: Iterable) -> Iterator:
        """Yields the items, with a check before each."""
        for item in items:
            self.check()
            yield item
