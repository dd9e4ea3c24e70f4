"""The version that is served: the newest below a folder, exchanged as it changes."""

import dataclasses
import gc
import threading
from collections.abc import Callable
from pathlib import Path

import grpc

from sfcl_tf.serving.dev_server.batching import Batching
from sfcl_tf.serving.dev_server.errors import RequestError, invalid, not_found
from sfcl_tf.serving.dev_server.version import ModelVersion
from sfcl_tf.system.errors import ModelError

STATES = ("LOADING", "AVAILABLE", "UNLOADING", "END")
"""Of a version, as TensorFlow Serving names them."""


@dataclasses.dataclass(frozen=True)
class VersionState:
    """What became of a version: one of `STATES`, and an error if it failed."""

    state: str
    error: str = ""


class ModelStore:
    """Loads the newest version, warms it up, and only then lets it answer.

    The version before answers meanwhile, and until its last call has ended. A version
    that cannot be loaded is told and passed over until its files change.

    Args:
        base: The folder with numeric version directories.
        name: The model's name.
        batching: How concurrent calls are put together.
        on_event: Called with a line to be told.
    """

    def __init__(
        self,
        base: Path,
        name: str,
        batching: Batching,
        on_event: Callable[[str], None] = lambda line: None,
    ):
        self.base, self.name = base, name
        self._batching = batching
        self._on_event = on_event
        self._current: ModelVersion | None = None
        self._states: dict[int, VersionState] = {}
        self._failed: dict[int, tuple] = {}
        self._stopped = threading.Event()
        self._watcher: threading.Thread | None = None

    def load(self) -> None:
        """Loads the newest version that can be loaded; newer ones are told.

        Raises:
            ModelError: If there is none, or none can be loaded and warmed up: then
                what is wrong with the newest.
        """
        numbers = self._numbers()
        if not numbers:
            raise ModelError(
                "Expected version directories such as 1/ with a saved_model.pb. "
                f"Received: {self.base}, which has none. Make one: sfcl export RUN "
                f"--to {self.base}."
            )
        newest: ModelError | None = None
        for number in numbers:
            try:
                self._exchange(number)
                return
            except ModelError as error:
                newest = newest or error
                if number != numbers[-1]:
                    self._on_event(f"{error} Version {number} is passed over.")
        raise newest or ModelError(f"no version in {self.base}")

    def watch(self, seconds: float) -> None:
        """Looks for newer versions every so many seconds, in a thread of its own."""

        def look():
            while not self._stopped.wait(seconds):
                try:
                    self._look()
                except OSError as error:
                    self._on_event(f"Cannot look for newer versions: {error}.")

        self._watcher = threading.Thread(target=look, name="versions", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """Ends the watch; a version being loaded is waited for."""
        self._stopped.set()
        if self._watcher:
            self._watcher.join()

    def get(self, name: str, version: int | None = None, label: str = ""):
        """Returns the version that a request means.

        Raises:
            RequestError: NOT_FOUND for another model or version, INVALID_ARGUMENT
                for a label, UNAVAILABLE while none is ready.
        """
        if name != self.name:
            raise not_found(f"Expected the model {self.name!r}. Received: {name!r}.")
        current = self._current
        if current is None:
            raise RequestError(
                grpc.StatusCode.UNAVAILABLE, "The model is being loaded. Try again."
            )
        if label:
            raise invalid(
                f"Expected no version label. Received: {label!r}, and labels are "
                "TensorFlow Serving's. Ask for a version by its number."
            )
        if version is not None and version != current.number:
            raise not_found(
                f"Expected version {current.number}, the newest. Received: {version}."
            )
        return current

    def states(self) -> dict[int, VersionState]:
        """Returns the states of all versions seen, the newest first."""
        return dict(sorted(self._states.items(), reverse=True))

    def _look(self) -> None:
        number = next(iter(self._numbers()), None)
        current = self._current.number if self._current else None
        if number is None or number == current:
            return
        if self._failed.get(number) == self._fingerprint(number):
            return
        try:
            self._exchange(number)
        except ModelError as error:
            self._on_event(str(error))

    def _numbers(self):
        """The versions there are, the newest first."""
        numbers = [
            int(path.name)
            for path in self.base.iterdir()
            if path.name.isascii()
            and path.name.isdecimal()
            and len(path.name) < 19  # what a client can ask for
            and (path / "saved_model.pb").is_file()
        ]
        return sorted(numbers, reverse=True)

    def _exchange(self, number):
        before = self._current
        self._states[number] = VersionState("LOADING")
        self._on_event(f"Loading version {number} of {self.name}.")
        fingerprint = self._fingerprint(number)
        try:
            version = ModelVersion(self._path(number), self._batching)
            requests = version.warm_up()
        except (ModelError, RequestError) as error:
            self._failed[number] = fingerprint
            self._states[number] = VersionState("END", str(error))
            raise ModelError(str(error)) from error
        self._current = version
        self._states[number] = VersionState("AVAILABLE")
        if before is not None:
            self._states[before.number] = VersionState("END")
            del before
            gc.collect()  # a graph's parts refer to each other
        when = f"after {requests} warm-up requests" if requests else "without warm-up"
        self._on_event(f"Version {number} of {self.name} answers, {when}.")

    def _path(self, number):
        names = (path for path in self.base.iterdir() if path.name.isdecimal())
        return next(path for path in names if int(path.name) == number)

    def _fingerprint(self, number):
        files = (self._path(number)).rglob("*")
        return tuple(sorted((str(f), f.stat().st_mtime_ns) for f in files))
