"""Uploads: one file a request, in a folder that nobody else can name.

Gradio's own route takes any number of files, stores them by their content, so that two
visitors share one, and leaves what broke off. This one stands in its place.
"""

import asyncio
import contextlib
import dataclasses
import json
import secrets
import shutil
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from sfcl_tf.app import bodies
from sfcl_tf.app.multipart import OneFile

AT_ONCE = 8  # uploads
_OVERHEAD = 1 << 20  # bytes of a request around its file
_FILES = 4  # of the largest size, which the folder may hold
_SPARE = 256 << 20  # bytes that stay free on the disk
_UNKNOWN = 3.0  # s in which an upload has to begin whose progress is asked for
_STEP = 0.1  # s between two looks at how far one is


@dataclasses.dataclass
class _Incoming:
    """An upload on its way."""

    reserved: int
    name: str = ""
    size: int = 0


class Uploads:
    """Takes files in, as many as there is room for.

    Args:
        root: Folder that they are put in, each in one of its own.
        max_bytes: Size of the largest. The folder may hold four of them.
    """

    def __init__(self, root: Path, max_bytes: int):
        self._root, self._max_bytes = root, max_bytes
        self._most = max_bytes + _OVERHEAD
        self._incoming: dict[Path, _Incoming] = {}
        self._progress: dict[str, _Incoming] = {}

    async def take(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves an upload: answers with the file's path, as Gradio does.

        What is written is deleted again unless the whole file came.

        Args:
            scope: Of the request.
            receive: Of the request.
            send: Of the request.

        Raises:
            RefusedError: If it is no single file, too large or too slow, or there is
                no room for it.
            GoneError: If the connection breaks.
        """
        headers = Headers(scope=scope)
        form = OneFile(headers.get("content-type", ""), self._max_bytes)
        incoming = _Incoming(self._needed(headers.get("content-length")))
        self._require_room(incoming.reserved)
        folder = self._root / secrets.token_urlsafe(16)
        upload_id = _query(scope, "upload_id")
        self._incoming[folder] = self._progress[upload_id] = incoming
        whole = False
        try:
            path = await self._write(form, incoming, folder, receive)
            await JSONResponse([str(path)])(scope, receive, send)
            whole = True
        finally:
            del self._incoming[folder]
            if self._progress.get(upload_id) is incoming:
                del self._progress[upload_id]
            if not whole:
                shutil.rmtree(folder, ignore_errors=True)

    async def tell(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves how far an upload is, as events like Gradio's.

        Args:
            scope: Of the request.
            receive: Of the request.
            send: Of the request.
        """
        events = self._events(_query(scope, "upload_id"))
        await StreamingResponse(events, media_type="text/event-stream")(
            scope, receive, send
        )

    def _needed(self, length):
        if length is None:
            return self._most
        if int(length) > self._most:
            raise bodies.too_large(self._most, f"{length} bytes")
        return int(length)

    def _require_room(self, needed):
        if len(self._incoming) >= AT_ONCE:
            raise bodies.RefusedError(
                503,
                f"Expected at most {AT_ONCE} uploads at a time. Received: one more. "
                "Drop the file again in a moment.\n",
            )
        reserved = sum(each.reserved for each in self._incoming.values())
        used = reserved + self._stored()
        free = shutil.disk_usage(self._root).free - reserved - _SPARE
        room = min(_FILES * self._most - used, free)
        if needed > room:
            raise bodies.RefusedError(
                507,
                f"Expected a file that there is room for: {max(room, 0)} bytes until "
                f"others are looked at. Received: {needed} bytes. Drop it again "
                "later.\n",
            )

    def _stored(self):
        """Returns the size of all files that are there as a whole."""
        total = 0
        for path in self._root.rglob("*"):
            if path.parent in self._incoming:
                continue
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                total += status.st_size if stat.S_ISREG(status.st_mode) else 0
        return total

    async def _write(self, form, incoming, folder, receive):
        path = folder / "upload"
        try:
            folder.mkdir(mode=0o700)
            with path.open("wb") as file:
                async for chunk in bodies.read(receive, self._most):
                    pieces = form.feed(chunk)
                    incoming.name = form.name
                    for piece in pieces:
                        await asyncio.to_thread(file.write, piece)
                        incoming.size += len(piece)
            form.end()
            return path.rename(path.with_suffix(form.suffix))
        except OSError as error:
            raise bodies.RefusedError(
                507,
                f"Expected a disk that takes the file. Received: {error.strerror}. "
                "Free some space on it and send the file again.\n",
            ) from error

    async def _events(self, upload_id) -> AsyncIterator[str]:
        incoming, told = self._progress.get(upload_id), 0
        for _ in range(int(_UNKNOWN / _STEP)):
            if incoming is not None:
                break
            await asyncio.sleep(_STEP)
            incoming = self._progress.get(upload_id)
        while incoming and self._progress.get(upload_id) is incoming:
            if incoming.size > told:
                yield _event("update", incoming.name, incoming.size - told)
                told = incoming.size
            await asyncio.sleep(_STEP)
        yield _event("done")


def _query(scope, name):
    values = parse_qs(scope["query_string"].decode("latin-1"))
    return values.get(name, [""])[0]


def _event(kind, name="", size=0):
    told = {"msg": kind, "orig_name": name, "chunk_size": size}
    return f"data: {json.dumps(told)}\n\n"
