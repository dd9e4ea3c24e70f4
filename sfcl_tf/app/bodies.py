"""Bodies of requests, bounded in size and in time, and answers that refuse them."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

_GRACE = 60.0  # s that a body may take, whatever its size
_RATE = 128 << 10  # bytes a second that it has to come with after that
_IDLE = 30.0  # s between two parts of it
_LINGER = 2.0  # s in which a refused body is still taken, so that the answer arrives


class RefusedError(Exception):
    """A request that is not served.

    Args:
        status: Of the answer.
        reason: What was expected, what was received, and what to do.
    """

    def __init__(self, status: int, reason: str):
        super().__init__(reason)
        self.status = status


class GoneError(Exception):
    """The connection broke before the body was there."""


async def read(receive: Receive, most: int) -> AsyncIterator[bytes]:
    """Yields a body as it comes.

    Args:
        receive: Of the request.
        most: Bytes that it may have.

    Raises:
        RefusedError: If it has more, or is too slow: nothing comes for half a minute,
            or after a minute less than 128 kB a second.
        GoneError: If the connection breaks.
    """
    start, received = time.monotonic(), 0
    while True:
        left = start + _GRACE + received / _RATE - time.monotonic()
        try:
            message = await asyncio.wait_for(receive(), min(left, _IDLE))
        except TimeoutError as error:
            raise RefusedError(
                408,
                f"Expected at least {_RATE >> 10} kB a second. Received: {received} "
                f"bytes in {time.monotonic() - start:.0f} s. Send it again on a faster "
                "connection.\n",
            ) from error
        if message["type"] == "http.disconnect":
            raise GoneError
        chunk = message.get("body", b"")
        received += len(chunk)
        if received > most:
            raise too_large(most, f"{received} bytes so far")
        yield chunk
        if not message.get("more_body", False):
            return


def too_large(most: int, received: str) -> RefusedError:
    """Returns the error of a body that is too large."""
    return RefusedError(
        413,
        f"Expected a request of at most {most} bytes. Received: {received}. Send less, "
        "a single file at a time; --max-size sets the size of the largest.\n",
    )


async def refuse(
    refused: RefusedError, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answers a request that is not served, and ends its connection.

    Args:
        refused: Why.
        scope: Of the request.
        receive: Of the request.
        send: Of the request.
    """
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = {"Connection": "close", "X-Content-Type-Options": "nosniff"}
    answer = PlainTextResponse(str(refused), refused.status, headers)
    body = b"" if scope["method"] == "HEAD" else answer.body
    await send(
        {
            "type": "http.response.start",
            "status": answer.status_code,
            "headers": answer.raw_headers,
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": True})
    # A connection that is closed while more comes in is reset: the answer is lost.
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(_drain(receive), _LINGER)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _drain(receive):
    while True:
        message = await receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return
