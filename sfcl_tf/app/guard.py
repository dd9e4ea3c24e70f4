"""What stands before Gradio: whose requests are served, and how much they may bring."""

import re
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from sfcl_tf.app import bodies
from sfcl_tf.app.hosts import Hosts
from sfcl_tf.app.uploads import Uploads

_API = "/gradio_api"  # Gradio's prefix
_MAX_BODY = 1 << 20  # bytes of a request that is no upload
_FILE = re.compile(rf"{_API}/file[=/](.*)", re.DOTALL)


class Guard:
    """Serves what belongs to the page, and refuses the rest before Gradio sees it.

    Refused are requests for another host or from another page, bodies that are too
    large or too slow, forms other than uploads, and files other than reports: Gradio
    would give out any upload, and fetch files from elsewhere.

    Args:
        app: Gradio's.
        hosts: Which hosts and origins are the page's own.
        uploads: Takes uploads in.
        reports: Folder that files may be fetched from.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts, uploads: Uploads, reports: Path):
        self._app, self._hosts, self._uploads = app, hosts, uploads
        self._reports = reports.resolve()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request, as ASGI has it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            self._require_own(headers)
            if scope["type"] == "http":
                await self._serve(headers, scope, receive, send)
            else:
                await self._app(scope, receive, send)
        except bodies.RefusedError as refused:
            await bodies.refuse(refused, scope, receive, send)
        except bodies.GoneError:
            pass

    def _require_own(self, headers):
        hosts = headers.getlist("host")
        if reason := self._hosts.refuse_host(hosts):
            raise bodies.RefusedError(421, reason)
        if reason := self._hosts.refuse_origin(headers.getlist("origin"), hosts[0]):
            raise bodies.RefusedError(403, reason)

    async def _serve(self, headers, scope, receive, send):
        path, method = scope["path"], scope["method"]
        if (method, path) == ("POST", f"{_API}/upload"):
            await self._uploads.take(scope, receive, send)
            return
        if (method, path) == ("GET", f"{_API}/upload_progress"):
            await self._uploads.tell(scope, receive, send)
            return
        self._require_report(path)
        if "multipart" in ",".join(headers.getlist("content-type")).lower():
            raise bodies.RefusedError(
                415,
                f"Expected a form at {_API}/upload alone. Received: one at "
                f"{path[:100]!a}. Drop the file on the page.\n",
            )
        if "content-length" in headers or "transfer-encoding" in headers:
            receive = await _read_ahead(headers, receive)
        await self._app(scope, receive, send)

    def _require_report(self, path):
        found = _FILE.fullmatch(path)
        if found is None and not path.startswith(f"{_API}/proxy="):
            return
        # Of `/proxy=` and of what is no path, nothing is a report.
        file = Path(found[1] if found and "\0" not in path else "/").resolve()
        if not file.is_relative_to(self._reports) or file.suffix != ".html":
            raise bodies.RefusedError(
                403,
                "Expected a report of this page. Received: another file. Ask the page "
                "for the report again.\n",
            )


async def _read_ahead(headers, receive):
    """Returns a `receive` whose first message is the whole body."""
    length = headers.get("content-length")
    if length is not None and int(length) > _MAX_BODY:
        raise bodies.too_large(_MAX_BODY, f"{length} bytes")
    chunks = [chunk async for chunk in bodies.read(receive, _MAX_BODY)]
    first = [{"type": "http.request", "body": b"".join(chunks), "more_body": False}]

    async def replay():
        return first.pop() if first else await receive()

    return replay
