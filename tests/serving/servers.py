"""Servers in processes of their own, and what a client needs to ask them.

Of the project, nothing is imported here: `tensorflow-serving-api` and grpcio alone.
"""

import contextlib
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

Code = grpc.StatusCode
TF_SERVING = "tensorflow_model_server"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Server:
    """A running server of a base path."""

    def __init__(self, command, port, rest_port):
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://127.0.0.1:{rest_port}"
        self.rest_port = rest_port
        self.process = subprocess.Popen(
            [*map(str, command)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines = []
        self._news = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            self._news.put(line)
        self._news.put(None)

    def wait_for(self, text, timeout=90):
        """Waits until a line with a text is printed."""
        deadline = time.monotonic() + timeout
        while not any(text in line for line in self.lines):
            with contextlib.suppress(queue.Empty):
                if self._news.get(timeout=0.5) is None:
                    break
            assert time.monotonic() < deadline, self.lines
        assert any(text in line for line in self.lines), self.lines

    def ends(self, timeout=40):
        """Waits for the end; returns the exit code."""
        return self.process.wait(timeout)

    def memory(self):
        """Resident memory in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        lines = dict(line.split(":", 1) for line in status.splitlines())
        return int(lines["VmRSS"].split()[0]) * 1024

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.stdout.close()


@contextlib.contextmanager
def dev_server(base, *options, ready=True):
    """Runs `sfcl serve` on free ports."""
    port, rest = free_port(), free_port()
    command = [sys.executable, "-m", "sfcl_tf.cli", "serve", base, "--port", port]
    command += ["--rest-port", rest, "--poll", 0.2, *options]
    server = Server(command, port, rest)
    try:
        if ready:
            server.wait_for("Ready")
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def tf_serving(base, name="sfcl"):
    """Runs TensorFlow Serving's own server, which must be on the PATH."""
    port, rest = free_port(), free_port()
    command = [TF_SERVING, f"--port={port}", f"--rest_api_port={rest}"]
    command += [f"--model_name={name}", f"--model_base_path={base.resolve()}"]
    server = Server(command, port, rest)
    try:
        server.wait_for("Exporting HTTP")
        yield server
    finally:
        server.stop()


# No package of Python has TensorFlow Serving's own server: see CONTRIBUTING.md.
BOTH = [
    "dev_server",
    pytest.param(
        "tf_serving",
        marks=pytest.mark.skipif(
            shutil.which(TF_SERVING) is None, reason=f"no {TF_SERVING} on the PATH"
        ),
    ),
]
"""Parameters of a fixture for what holds of either server."""


def run(kind, base, name="sfcl"):
    """Runs one of `BOTH`."""
    if kind == "tf_serving":
        return tf_serving(base, name)
    return dev_server(base, "--name", name)


class Client:
    """A client of nothing but TensorFlow Serving's API."""

    def __init__(self, address, credentials=None, **options):
        options = [("grpc.use_local_subchannel_pool", 1), *options.items()]
        if credentials:
            self.channel = grpc.secure_channel(address, credentials, options)
        else:
            self.channel = grpc.insecure_channel(address, options)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(
            self.channel
        )
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)
        self.health = health_pb2_grpc.HealthStub(self.channel)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def predict(self, signature="", timeout=60, name="sfcl", **inputs):
        answer = self.prediction.Predict(
            make_request(signature, name, **inputs), timeout=timeout
        )
        return {k: tf.make_ndarray(v) for k, v in answer.outputs.items()}

    def raw(self, method, message, timeout=60):
        """Sends bytes as they are; returns the status and the bytes that came."""
        call = self.channel.unary_unary(f"/tensorflow.serving.{method}")
        try:
            return Code.OK, call(message, timeout=timeout)
        except grpc.RpcError as error:
            return error.code(), error.details()

    def is_serving(self, service=""):
        request = health_pb2.HealthCheckRequest(service=service)
        status = self.health.Check(request, timeout=10).status
        return status == health_pb2.HealthCheckResponse.SERVING


def make_request(signature="", name="sfcl", **inputs):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    for key, value in inputs.items():
        value = np.asarray(value)
        kind = tf.string if value.dtype.kind in "SO" else None
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value, kind))
    return request
