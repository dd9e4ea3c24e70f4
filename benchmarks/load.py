"""Load on a server: many clients at once, each answer held against the right one."""

import collections
import threading
import time

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

TOLERANCE = 1e-4


def request(signature, inputs):
    """Returns a PredictRequest to the model `sfcl`."""
    result = predict_pb2.PredictRequest()
    result.model_spec.name = "sfcl"
    result.model_spec.signature_name = signature
    for name, value in inputs.items():
        kind = tf.string if value.dtype == object else None
        result.inputs[name].CopyFrom(tf.make_tensor_proto(value, kind))
    return result


def connect(address):
    """Returns a channel of its own, and its stub."""
    channel = grpc.insecure_channel(
        address, options=[("grpc.use_local_subchannel_pool", 1)]
    )
    return channel, prediction_service_pb2_grpc.PredictionServiceStub(channel)


class Load:
    """What many clients saw.

    Args:
        address: Of the server.
        requests: `(PredictRequest, logits)` pairs; clients take them in turns.
        clients: How many.
        seconds: For how long.
        most: After so many requests they end, too; 0 for no such end.
        pause: Seconds that a client waits after it was refused.
        meanwhile: Called in the middle.
    """

    def __init__(
        self,
        address,
        requests,
        clients=64,
        seconds=20,
        pause=0.0,
        meanwhile=None,
        most=0,
    ):
        self.latencies = []
        self.refused = []
        self.wrong = 0
        self.failed = collections.Counter()
        self.versions = collections.Counter()
        self._lock = threading.Lock()
        self._requests, self._pause = requests, pause
        self._until = time.perf_counter() + seconds
        self._turns = iter(range(most)) if most else None
        threads = [
            threading.Thread(target=self._client, args=(address, number))
            for number in range(clients)
        ]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        if meanwhile:
            time.sleep(seconds / 2)
            meanwhile()
        for thread in threads:
            thread.join()
        self.seconds = time.perf_counter() - started

    @property
    def throughput(self):
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share):
        """Latency in ms."""
        return float(np.percentile(self.latencies, share)) * 1e3

    def _client(self, address, number):
        channel, stub = connect(address)
        with channel:
            turn = number
            while time.perf_counter() < self._until and self._may_go_on():
                message, logits = self._requests[turn % len(self._requests)]
                turn += 1
                self._ask(stub, message, logits)

    def _may_go_on(self):
        if self._turns is None:
            return True
        with self._lock:
            return next(self._turns, None) is not None

    def _ask(self, stub, message, logits):
        started = time.perf_counter()
        try:
            answer = stub.Predict(message, timeout=60)
        except grpc.RpcError as error:
            taken = time.perf_counter() - started
            if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                with self._lock:
                    self.refused.append(taken)
                time.sleep(self._pause)
            else:
                with self._lock:
                    self.failed[error.code().name] += 1
            return
        taken = time.perf_counter() - started
        found = tf.make_ndarray(answer.outputs["logit"])
        right = np.allclose(found, logits, atol=TOLERANCE)
        with self._lock:
            self.latencies.append(taken)
            self.wrong += not right
            self.versions[answer.model_spec.version.value] += 1
