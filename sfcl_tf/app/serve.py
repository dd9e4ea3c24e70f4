"""A page in the browser of this machine: drop a file, see what is found.

```
Guard -> upload -> the visit's folder -> Detector.examine -> verdict -> explanation
```

Nothing is loaded from elsewhere, and no file stays behind.
"""

import asyncio
import contextlib
import dataclasses
import importlib.metadata
import os
import socket
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

from sfcl_tf.app.folder import own_folder
from sfcl_tf.app.hosts import Hosts
from sfcl_tf.faces.sampling import SamplingOptions
from sfcl_tf.system.errors import UsageError

if TYPE_CHECKING:  # it imports TensorFlow
    from sfcl_tf.detect.detector import Detector

_WAITING = 16  # files in the queue
_SWEEP = 15.0  # s between two looks for files that nobody owns


@dataclasses.dataclass(frozen=True)
class PageSettings:
    """How the page is served.

    Attributes:
        host: Address to listen at.
        port: Port there.
        max_bytes: Size of the largest file.
        sampling: Which pictures and faces are taken.
        allowed_hosts: Further names of the page, as `NAME` or `NAME:PORT`; see `Hosts`.

    Raises:
        UsageError: If a value is out of range.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    max_bytes: int = 500 << 20
    sampling: SamplingOptions = dataclasses.field(default_factory=SamplingOptions)
    allowed_hosts: tuple[str, ...] = ()

    def __post_init__(self):
        if not 1 <= self.port <= 65535:
            raise UsageError(f"Expected a port of 1 to 65535. Received: {self.port}.")
        if self.max_bytes < 1:
            raise UsageError(
                f"Expected a size of at least a byte. Received: {self.max_bytes}."
            )
        self.hosts()

    def hosts(self) -> Hosts:
        """Returns which hosts and origins are the page's own."""
        return Hosts(self.host, self.port, self.allowed_hosts)


def needs_app() -> None:
    """Looks for Gradio before anything that takes time.

    Raises:
        UsageError: If the extra `[app]` is missing.
    """
    try:
        importlib.metadata.version("gradio")
    except importlib.metadata.PackageNotFoundError as error:
        raise UsageError(
            f"Expected the packages of the extra [app]. Received: {error}. Install "
            'them: pip install "sfcl_tf[app]".'
        ) from error


@contextlib.contextmanager
def serving(detector: "Detector", settings: PageSettings) -> Iterator[str]:
    """Serves the page while the context is open.

    Once a process: Gradio is told of its folder when it is imported.

    Args:
        detector: What looks at files, one at a time.
        settings: How.

    Yields:
        The page's address.

    Raises:
        UsageError: If the extra `[app]` is missing, or the address is taken.
    """
    needs_app()
    _check_free(settings.host, settings.port)
    with own_folder() as folder:
        _keep_local(folder, settings.host)
        from sfcl_tf.app.page import Page

        page = Page(detector, settings.sampling, folder, settings.max_bytes)
        try:
            address = _launch(page, folder, settings)
            page.warm_up()
            yield address
        finally:
            page.close()


def _keep_local(folder, host):
    """Lets Gradio keep its files in a folder, and talk to this machine alone."""
    for name in [name for name in os.environ if name.startswith("GRADIO_")]:
        del os.environ[name]
    os.environ |= {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_TEMP_DIR": str(folder),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    # Gradio asks its own page whether it is there, which no proxy must see.
    for name in ("NO_PROXY", "no_proxy"):
        known = [each for each in os.environ.get(name, "").split(",") if each]
        os.environ[name] = ",".join([*known, "127.0.0.1", "localhost", "::1", host])


def _check_free(host, port):
    try:
        candidates = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, _, _, address = candidates[0]
        with socket.socket(family, kind) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except OSError as error:
        raise UsageError(
            f"Expected an address that is free. Received: {host}:{port}: "
            f"{error.strerror}. Give another --port or --host."
        ) from error


def _launch(page, folder, settings):
    import gradio as gr

    from sfcl_tf.app.guard import Guard
    from sfcl_tf.app.style import CSS
    from sfcl_tf.app.uploads import Uploads

    @contextlib.asynccontextmanager
    async def lifespan(app) -> AsyncIterator[None]:
        # Gradio's own middleware would stand before any that it is given.
        app.middleware_stack = Guard(
            app.middleware_stack,
            settings.hosts(),
            Uploads(folder, settings.max_bytes),
            page.visits.folder,
        )
        sweeping = asyncio.create_task(_sweep(page.visits))
        yield
        sweeping.cancel()

    blocks = page.blocks
    blocks.queue(max_size=_WAITING, api_open=False, default_concurrency_limit=1)
    theme = gr.themes.Base(
        font=("system-ui", "sans-serif"), font_mono=("ui-monospace", "monospace")
    )
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    _, address, _ = blocks.launch(
        server_name=host,
        server_port=settings.port,
        max_file_size=settings.max_bytes,
        theme=theme,
        css=CSS,
        share=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        run_history=False,
        enable_monitoring=False,
        footer_links=[],
        quiet=True,
        prevent_thread_lock=True,
        app_kwargs={"openapi_url": None, "lifespan": lifespan},
    )
    return address


async def _sweep(visits):
    """Sweeps up on a timer, visitors or not."""
    while True:
        await asyncio.sleep(_SWEEP)
        with contextlib.suppress(OSError):
            await asyncio.to_thread(visits.sweep)
