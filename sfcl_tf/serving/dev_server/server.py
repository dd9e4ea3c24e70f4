"""The server's life: ports, readiness, new versions, a drained end."""

import asyncio
import dataclasses
import gc
import logging
import signal
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import grpc
import tensorflow as tf
from aiohttp import web

from sfcl_tf.serving.dev_server.admission import Admission
from sfcl_tf.serving.dev_server.batching import Batching
from sfcl_tf.serving.dev_server.connections import FIRST_REQUEST, Connections
from sfcl_tf.serving.dev_server.grpc_api import GrpcApi
from sfcl_tf.serving.dev_server.rest_api import RestApi
from sfcl_tf.serving.dev_server.store import ModelStore
from sfcl_tf.system import portable
from sfcl_tf.system.errors import UsageError

_REQUESTS = 8  # of the largest size, that may be in memory
_IDLE = 60.0  # seconds that a REST connection may rest between requests


@dataclasses.dataclass(frozen=True)
class Tls:
    """Certificates, as paths of PEM files.

    Attributes:
        key: The server's private key.
        certificate: Its chain.
        client_ca: Who signs clients' certificates; without one, none are asked for.
    """

    key: Path
    certificate: Path
    client_ca: Path | None = None


@dataclasses.dataclass(frozen=True)
class ServerSettings:
    """Where and how to serve.

    Attributes:
        host: Address to listen at.
        port: Of gRPC; 0 for any that is free.
        rest_port: Of REST; 0 for any that is free, `None` for no REST.
        batching: How concurrent calls are put together.
        concurrent: Calls worked on at a time; one more is refused.
        faces: Faces worked on at a time; a call of more is refused. Pictures count by
            their size, too: see `sfcl_tf.serving.dev_server.cost`.
        request_bytes: Most bytes of a request.
        poll: Seconds between looks for newer versions.
        drain: Seconds that calls which have begun may take to end.
        tls: Certificates; `None` for none.
        trust: Whether models may do more than compute.
    """

    host: str = "127.0.0.1"
    port: int = 8500
    rest_port: int | None = 8501
    batching: Batching = dataclasses.field(default_factory=Batching)
    concurrent: int = 128
    faces: int = 1024
    request_bytes: int = 32 << 20
    poll: float = 2.0
    drain: float = 30.0
    tls: Tls | None = None
    trust: bool = False


def serve(
    base: Path,
    name: str,
    settings: ServerSettings,
    on_event: Callable[[str], None] = lambda line: None,
) -> None:
    """Serves the newest version below a folder until SIGTERM or SIGINT.

    Args:
        base: The folder with numeric version directories.
        name: The model's name.
        settings: Where and how.
        on_event: Called with lines to be told; the one that begins with `Ready` comes
            after warm-up.

    Raises:
        ModelError: If there is no version that can be loaded.
        UsageError: If a port is taken, or certificates do not fit.
        KeyboardInterrupt: After SIGINT, once calls that have begun are answered.
    """
    # It takes longer than the rest of the start, and made no call faster.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    asyncio.run(_Server(base, name, settings, on_event).run())


class _Server:
    def __init__(self, base, name, settings, on_event):
        self._settings = settings
        self._on_event = on_event
        self._store = ModelStore(
            base, name, settings.batching, on_event, settings.trust
        )
        self._admission = Admission(
            settings.concurrent, settings.faces, _REQUESTS * settings.request_bytes
        )
        self._signal = None
        self._site: asyncio.Server | None = None

    async def run(self):
        settings = self._settings
        # Made without REST too: it tells of keys that do not fit, which gRPC does not.
        self._ssl = _ssl_context(settings.tls) if settings.tls else None
        limits = self._store, self._admission, settings.request_bytes, self._on_event
        api = GrpcApi(*limits)
        rest = RestApi(*limits)
        # Idle connections between requests, and those that do not go away at the end.
        runner = web.AppRunner(
            rest.app,
            access_log=None,
            keepalive_timeout=_IDLE,
            shutdown_timeout=settings.drain,
        )
        # It writes a traceback for each stranger who speaks another protocol; errors
        # of ours are told by `on_event`.
        logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            portable.on_signal(loop, number, self._stop, stopping, number)
        try:
            await api.set_serving(False)
            addresses = [f"gRPC {self._bind(api.server)}"]
            await api.server.start()
            if settings.rest_port is not None:
                addresses.append(f"REST {await self._bind_rest(runner, rest)}")
            self._on_event(f"Listening: {', '.join(addresses)}; not ready yet.")
            await self._load(stopping)
            if not stopping.is_set():
                await api.set_serving(True)
                self._store.watch(settings.poll)
                self._on_event(f"Ready: {', '.join(addresses)}.")
            await stopping.wait()
            self._on_event("Stopping: calls that have begun are answered.")
        finally:
            await api.set_serving(False)
            until = asyncio.get_running_loop().time() + settings.drain
            if self._site:
                self._site.close()  # nobody new is let in
            await asyncio.gather(api.server.stop(settings.drain), runner.cleanup())
            left = max(until - asyncio.get_running_loop().time(), 0.0)
            cut_off = await asyncio.to_thread(self._admission.close, left)
            if not cut_off:
                await asyncio.to_thread(self._store.stop)
        end = f"Stopped, with {cut_off} calls cut off." if cut_off else "Stopped."
        self._on_event(end)
        if self._signal == signal.SIGINT:
            raise KeyboardInterrupt

    def _stop(self, stopping, number):
        self._signal = number
        stopping.set()

    async def _load(self, stopping):
        """Loads in a thread, so that health checks are answered meanwhile."""
        loading = asyncio.get_running_loop().create_future()

        def load():
            try:
                self._store.load()
                error = None
            except BaseException as raised:  # whatever it is, is told there
                error = raised
            loading.get_loop().call_soon_threadsafe(_settle, loading, error)

        # A daemon: the end does not wait for a model that nobody will ask.
        threading.Thread(target=load, name="load", daemon=True).start()
        stop = asyncio.create_task(stopping.wait())
        await asyncio.wait((loading, stop), return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if stopping.is_set():
            return
        await loading
        gc.enable()  # the command turns it off until here

    def _bind(self, server):
        settings = self._settings
        address = _address(settings.host, settings.port)
        try:
            if settings.tls:
                port = server.add_secure_port(address, _grpc_credentials(settings.tls))
            else:
                port = server.add_insecure_port(address)
        except RuntimeError as error:
            raise _taken(address) from error
        if not port:
            raise _taken(address)
        return _address(settings.host, port)

    async def _bind_rest(self, runner, rest):
        settings = self._settings
        await runner.setup()
        rest.connections = Connections(runner.server)
        address = _address(settings.host, settings.rest_port)
        try:
            self._site = await asyncio.get_running_loop().create_server(
                rest.connections,
                settings.host,
                settings.rest_port,
                ssl=self._ssl,
                ssl_handshake_timeout=FIRST_REQUEST if self._ssl else None,
            )
        except OSError as error:
            raise _taken(address) from error
        scheme = "https" if settings.tls else "http"
        port = self._site.sockets[0].getsockname()[1]
        return f"{scheme}://{_address(settings.host, port)}"


def _settle(future, error):
    if future.cancelled():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


def _address(host, port):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _taken(address):
    return UsageError(
        f"Expected an address that is free. Received: {address}, at which this process "
        "cannot listen. Another server may run there; choose another --port, "
        "--rest-port or --host."
    )


def _grpc_credentials(tls):
    return grpc.ssl_server_credentials(
        [(_read(tls.key), _read(tls.certificate))],
        root_certificates=_read(tls.client_ca) if tls.client_ca else None,
        require_client_auth=tls.client_ca is not None,
    )


def _ssl_context(tls):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.certificate, tls.key)
        if tls.client_ca:
            context.load_verify_locations(tls.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            f"Expected a key and certificates that belong together, as PEM. Received: "
            f"{tls.key}, {tls.certificate} ({error})."
        ) from error
    return context


def _read(path):
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UsageError(
            f"Expected a readable PEM file. Received: {path} ({error.strerror})."
        ) from error
