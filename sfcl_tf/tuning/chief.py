"""KerasTuner's chief and workers, with an end for workers that are lost."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from concurrent import futures

import grpc
import keras_tuner
from keras_tuner.src import protos
from keras_tuner.src.distribute import oracle_client
from keras_tuner.src.distribute.oracle_chief import OracleServicer
from keras_tuner.src.engine.oracle import synchronized
from keras_tuner.src.engine.trial import TrialStatus

from sfcl_tf.system.errors import UsageError

_GRACE = 15.0  # seconds in which idle workers are told that all is done
_RETRY = 5.0


@contextlib.contextmanager
def as_role(role: str, address: str, worker: str = "") -> Iterator[None]:
    """Sets what tells KerasTuner which part this process plays.

    Args:
        role: `chief` or `worker`.
        address: The chief's `HOST:PORT`.
        worker: A worker's own id, under which it gets its trial back.

    Raises:
        UsageError: If the address or the id is not of that form.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(f"Expected --chief HOST:PORT. Received: {address}.")
    if role == "worker" and (not worker or "chief" in worker):
        raise UsageError(
            "Expected --worker-id with --role worker: a name of its own, without the "
            f"word chief. Received: {worker!r}."
        )
    values = {
        "KERASTUNER_TUNER_ID": worker if role == "worker" else "chief",
        "KERASTUNER_ORACLE_IP": host,
        "KERASTUNER_ORACLE_PORT": port,
    }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def await_chief(address: str, timeout: float) -> None:
    """Returns when the chief answers, and bounds each later call to it.

    Raises:
        UsageError: If it does not in time.
    """
    with grpc.insecure_channel(address) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout)
        except grpc.FutureTimeoutError as error:
            raise UsageError(
                f"Expected a chief at {address} within {timeout:g} s. Received: no "
                "answer. Start `sfcl tune --role chief` with the same options first, "
                "or wait longer with --worker-timeout."
            ) from error
    oracle_client.TIMEOUT = timeout  # KerasTuner's own is an hour


class Chief(OracleServicer):
    """Gives workers their trials, until all are done or no worker is left.

    KerasTuner's own chief waits for ever for the trial of a worker that died.

    Args:
        oracle: Chooses the values.
        address: Where to listen, `HOST:PORT`.
        timeout: Seconds of silence after which a worker's trial is given up.

    Attributes:
        lost: Which worker each trial that was given up had, by the trial's id.
    """

    def __init__(self, oracle: keras_tuner.Oracle, address: str, timeout: float):
        super().__init__(oracle)
        self._address = address
        self._timeout = timeout
        self._lock = threading.Lock()
        self._last = time.monotonic()
        self._seen: dict[str, float] = {}
        self.lost: dict[str, str] = {}

    def serve(self) -> None:
        """Answers until the search is over.

        Raises:
            UsageError: If the address cannot be had.
        """
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
        protos.get_service_grpc().add_OracleServicer_to_server(self, server)
        try:
            bound = server.add_insecure_port(self._address)
        except RuntimeError:
            bound = 0
        if not bound:
            raise UsageError(
                f"Expected to listen at {self._address}. Received: it cannot be had. "
                "Is it in use, or another machine's? Give another one by --chief."
            )
        server.start()
        try:
            while not self._is_over():
                time.sleep(0.2)
                self._give_up_silent()
            self._await_workers()
        finally:
            server.stop(grace=1).wait()

    def _is_over(self):
        if self.oracle.ongoing_trials:
            return False
        silent = time.monotonic() - self._last > self._timeout
        return self.stop_triggered or silent

    def _await_workers(self):
        deadline = time.monotonic() + _GRACE
        while (
            self.oracle.tuner_ids - set(self.lost.values())
            and time.monotonic() < deadline
        ):
            time.sleep(0.1)

    def _give_up_silent(self):
        for worker, trial in list(self.oracle.ongoing_trials.items()):
            now = time.monotonic()
            with self._lock:
                silent = now - self._seen.setdefault(trial.trial_id, now)
            if silent > self._timeout:
                self.lost[trial.trial_id] = worker
                trial.status = TrialStatus.FAILED
                trial.message = f"Worker {worker} was silent for {silent:.0f} s."
                self.oracle.end_trial(trial)
                _forget(self.oracle, worker)

    def _hear(self, trial_id=None):
        with self._lock:
            self._last = time.monotonic()
            if trial_id:
                self._seen[trial_id] = self._last

    def CreateTrial(self, request, context):
        response = super().CreateTrial(request, context)
        self._hear(response.trial.trial_id)
        return response

    def GetTrial(self, request, context):
        self._hear(request.trial_id)
        return super().GetTrial(request, context)

    def UpdateTrial(self, request, context):
        self._hear(request.trial_id)
        return super().UpdateTrial(request, context)

    def EndTrial(self, request, context):
        self._hear()
        if request.trial.trial_id in self.lost:
            return protos.get_service().EndTrialResponse()  # given up before
        return super().EndTrial(request, context)


@synchronized
def _forget(oracle, worker):
    oracle.tuner_ids.discard(worker)
