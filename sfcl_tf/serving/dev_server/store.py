"""The version that is served: the newest below a folder, exchanged as it changes."""

import dataclasses
import gc
import threading
import time
from collections.abc import Callable
from pathlib import Path

import grpc

from sfcl_tf.serving.dev_server.batching import Batching
from sfcl_tf.serving.dev_server.errors import RequestError, invalid, not_found
from sfcl_tf.serving.dev_server.version import ModelVersion
from sfcl_tf.serving.whole import awaited_files
from sfcl_tf.system.errors import ModelError

STATES = ("START", "LOADING", "AVAILABLE", "UNLOADING", "END")
"""Of a version, as TensorFlow Serving names them."""

# Seconds without a change after which a version that lists no files is taken for whole;
# one that does has as long to get those that are missing.
_SETTLED = 2.0
_PATIENCE = 30.0
_LOOK = 0.2  # seconds between looks at the start


@dataclasses.dataclass(frozen=True)
class VersionState:
    """What became of a version: one of `STATES`, and an error if it failed."""

    state: str
    error: str = ""


class ModelStore:
    """Loads the newest version, warms it up, and only then lets it answer.

    The version before answers meanwhile, and until its last call has ended. A version
    that is still being copied is waited for. One that cannot be loaded is told and
    passed over until its files change.

    Args:
        base: The folder with numeric version directories.
        name: The model's name.
        batching: How concurrent calls are put together.
        on_event: Called with a line to be told.
        trust: Whether versions may do more than compute; one that does is passed over
            else.
    """

    def __init__(
        self,
        base: Path,
        name: str,
        batching: Batching,
        on_event: Callable[[str], None] = lambda line: None,
        trust: bool = False,
    ):
        self.base, self.name = base, name
        self._batching = batching
        self._on_event = on_event
        self._trust = trust
        self._current: ModelVersion | None = None
        self._states: dict[int, VersionState] = {}
        self._failed: dict[int, tuple] = {}
        self._quiet: dict[int, tuple[tuple, float]] = {}
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
        while not (whole := [n for n in numbers if self._is_whole(n)]):
            if self._stopped.wait(_LOOK):
                return
        numbers = whole
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
        if not self._is_whole(number):
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

    def _is_whole(self, number):
        """Tells whether a version is not being copied any more, as far as is known."""
        awaited = awaited_files(self._path(number))
        if awaited == []:
            return True
        patience = _SETTLED if awaited is None else _PATIENCE
        try:
            quiet = self._seconds_without_change(number)
        except OSError:  # a file that went while it was looked at
            return False
        if quiet >= patience:
            if awaited:
                self._on_event(
                    f"Version {number} lacks what was exported: {', '.join(awaited)}."
                )
            return True
        if number not in self._states:
            self._states[number] = VersionState("START")
            self._on_event(f"Version {number} is being copied, and waited for.")
        return False

    def _seconds_without_change(self, number):
        fingerprint = self._fingerprint(number)
        if self._quiet.get(number, ((), 0.0))[0] != fingerprint:
            # Times of change are kept by no copy. A clock of elsewhere may be ahead.
            last = max(f.stat().st_ctime for f in [*self._path(number).rglob("*")])
            age = max(time.time() - last, 0.0)
            self._quiet[number] = fingerprint, time.monotonic() - age
        return time.monotonic() - self._quiet[number][1]

    def _exchange(self, number):
        before = self._current
        self._states[number] = VersionState("LOADING")
        self._on_event(f"Loading version {number} of {self.name}.")
        fingerprint = self._fingerprint(number)
        try:
            version = ModelVersion(self._path(number), self._batching, self._trust)
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
        self._on_event(
            f"Version {number} of {self.name} answers, after {requests} warm-up "
            "requests."
        )

    def _path(self, number):
        names = (path for path in self.base.iterdir() if path.name.isdecimal())
        return next(path for path in names if int(path.name) == number)

    def _fingerprint(self, number):
        files = (self._path(number)).rglob("*")
        stats = ((str(file), file.stat()) for file in files)
        return tuple(sorted((f, s.st_mtime_ns, s.st_size) for f, s in stats))
