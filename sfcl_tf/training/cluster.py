"""Several machines, as `TF_CONFIG` names them."""

import dataclasses
import json
import os
import socket
import threading
import time

from sfcl_tf.system.errors import UsageError

_EXAMPLE = (
    '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, '
    '"task": {"type": "worker", "index": 0}}'
)


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The workers of a training, and which of them this process is.

    Attributes:
        workers: `host:port` of each, the same list everywhere.
        index: This one's place in the list; 0 is the chief, which validates and
            writes the run directory.
    """

    workers: tuple[str, ...] = ("",)
    index: int = 0

    @property
    def is_chief(self) -> bool:
        """Whether this process writes what is kept."""
        return self.index == 0

    def __len__(self):
        return len(self.workers)

    def gather(self, timeout: float) -> None:
        """Returns when every worker can be reached; TensorFlow would wait for hours.

        Each listens at its own address, and tries the others', until all were seen.

        Args:
            timeout: In seconds.

        Raises:
            UsageError: If this worker's address cannot be had, or another worker
                cannot be reached in time.
        """
        deadline = time.monotonic() + timeout
        with _listening(self.workers[self.index]):
            for number, address in enumerate(self.workers):
                if number != self.index:
                    self._reach(number, address, deadline, timeout)

    def _reach(self, number, address, deadline, timeout):
        while True:
            try:
                with socket.create_connection(_split(address), timeout=2):
                    return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise UsageError(
                        f"Expected worker {number} of TF_CONFIG at {address} within "
                        f"{timeout:g} s. Received: {error}. Start `sfcl train` there "
                        "too, with the same list of workers and its own index, or "
                        "wait longer with --cluster-timeout."
                    ) from error
            time.sleep(0.2)


def read_cluster(text: str | None = None) -> Cluster:
    """Returns the cluster that `TF_CONFIG` names; one worker where it is unset.

    Args:
        text: JSON instead of the environment's.

    Raises:
        UsageError: If it is not what TensorFlow takes, or has roles besides
            `chief` and `worker`.
    """
    text = os.environ.get("TF_CONFIG", "") if text is None else text
    if not text.strip():
        return Cluster()
    try:
        values = json.loads(text)
        tasks, task = values["cluster"], values["task"]
        workers = [*tasks.get("chief", ()), *tasks.get("worker", ())]
        index = int(task["index"])
        if set(tasks) - {"chief", "worker"}:
            raise ValueError(f"roles {sorted(tasks)}")
        if task["type"] == "worker":
            index += len(tasks.get("chief", ()))
        elif task["type"] != "chief":
            raise ValueError(f"task type {task['type']!r}")
        if not 0 <= index < len(workers):
            raise ValueError(f"index {index} of {len(workers)} workers")
        for address in workers:
            _split(address)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"Expected TF_CONFIG such as {_EXAMPLE}. Received: {text} ({error!r}). "
            "Correct it, or unset it to train on this machine alone."
        ) from error
    return Cluster(tuple(workers), index)


def _split(address: str) -> tuple[str, int]:
    host, separator, port = address.rpartition(":")
    if not separator or not host:
        raise ValueError(f"no host:port in {address!r}")
    return host, int(port)


class _listening:
    """Accepts connections at an address while the block runs, and lets them close."""

    def __init__(self, address):
        self._address = address

    def __enter__(self):
        _, port = _split(self._address)
        try:
            self._socket = socket.create_server(("", port))
        except OSError as error:
            raise UsageError(
                f"Expected to listen at {self._address}, this worker's address in "
                f"TF_CONFIG. Received: {error}. Is it in use, or another machine's?"
            ) from error
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return  # closed
            with connection:
                connection.settimeout(2)
                try:
                    connection.recv(1)  # the other side closes first
                except OSError:
                    continue

    def __exit__(self, *_):
        # Without it, `accept` keeps the port in use.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
