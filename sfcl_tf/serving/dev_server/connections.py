"""REST's connections: how many there are, and how long one may take to ask."""

import asyncio
from collections.abc import Callable

MOST_CONNECTIONS = 1024
FIRST_REQUEST = 10.0
"""Seconds in which a new connection must have sent the head of a request.

Between requests aiohttp's own limit for idle connections holds.
"""


class Connections:
    """Makes the protocol of each connection, and watches it.

    Args:
        protocol: Makes aiohttp's own.
        most: Connections at a time; one more is closed at once.
        seconds: See `FIRST_REQUEST`.
    """

    def __init__(
        self,
        protocol: Callable[[], asyncio.Protocol],
        most: int = MOST_CONNECTIONS,
        seconds: float = FIRST_REQUEST,
    ):
        self.protocol, self.most, self.seconds = protocol, most, seconds
        self.watched: dict[asyncio.BaseTransport, _Watched] = {}

    def __call__(self) -> asyncio.Protocol:
        """Returns the protocol of a new connection."""
        return _Watched(self)

    def has_asked(self, transport: asyncio.BaseTransport | None) -> None:
        """Tells that a request's head has come over a connection."""
        if transport in self.watched:
            self.watched[transport].has_asked()


class _Watched(asyncio.Protocol):
    """Hands everything on to aiohttp's protocol, unless it is too much or too late."""

    def __init__(self, connections: Connections):
        self._connections = connections
        self._inner: asyncio.Protocol | None = None
        self._late: asyncio.TimerHandle | None = None

    def has_asked(self):
        if self._late:
            self._late.cancel()

    def connection_made(self, transport):
        connections = self._connections
        if len(connections.watched) >= connections.most:
            transport.abort()
            return
        self._transport = transport
        connections.watched[transport] = self
        self._inner = connections.protocol()
        self._inner.connection_made(transport)
        loop = asyncio.get_running_loop()
        self._late = loop.call_later(connections.seconds, transport.abort)

    def data_received(self, data):
        if self._inner:
            self._inner.data_received(data)

    def eof_received(self):
        return self._inner.eof_received() if self._inner else None

    def pause_writing(self):
        if self._inner:
            self._inner.pause_writing()

    def resume_writing(self):
        if self._inner:
            self._inner.resume_writing()

    def connection_lost(self, error):
        if self._inner:
            self.has_asked()
            del self._connections.watched[self._transport]
            self._inner.connection_lost(error)
