"""What is bounded in a server: shapes, decoding, JSON, connections, the end."""

import asyncio
import contextlib
import http.client
import json
import signal
import socket
import time

import cv2
import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("tensorflow_serving")

import requests

from sfcl_tf.serving.dev_server import json_body
from sfcl_tf.serving.dev_server.batching import Batching
from sfcl_tf.serving.dev_server.connections import Connections
from sfcl_tf.serving.dev_server.errors import RequestError
from sfcl_tf.serving.dev_server.version import ModelVersion

from .images import png
from .servers import Client, dev_server, make_request

HEAVY = np.array([png(np.zeros((2048, 2048, 3), "uint8"))] * 16, object)


@pytest.fixture(scope="module")
def server(served):
    with dev_server(served.path.parent) as found:
        yield found


def test_crops_of_all_sizes_share_one_queue_and_keep_their_scores(served):
    version = ModelVersion(served.path, Batching())
    direct = version._loaded.signatures["crops"]
    for side in range(64, 94):
        crop = cv2.resize(served.crops[0], (side + 7, side))[None]
        expected = {k: v.numpy() for k, v in direct(crops=tf.constant(crop)).items()}
        found = version.predict("crops", {"crops": crop})
        assert {*found} == {*expected}
        assert found["logit"] == pytest.approx(expected["logit"], abs=1e-5)
        assert (found["status"] == expected["status"]).all()
    assert len(version._functions["serving_default"]._queues) == 1


@pytest.mark.parametrize("shape", [(0, 0), (0, 64), (16, 16), (5000, 8), (1, 1)])
def test_crops_of_odd_sizes_have_the_status_of_the_graph(served, shape):
    version = ModelVersion(served.path, Batching())
    crops = np.zeros((2, *shape, 3), np.uint8)
    expected = version._loaded.signatures["crops"](crops=tf.constant(crops))
    found = version.predict("crops", {"crops": crops})
    assert found["status"].tolist() == expected["status"].numpy().tolist()
    assert np.isnan(found["logit"]).all()


def nested(depth):
    return b'{"instances": ' + b"[" * depth + b"1" + b"]" * depth + b"}"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"instances": [' + b"[]," * 10_000_000 + b"[]]}", "at most 1048576 lists"),
        (b'{"instances": [' + b"{}," * 2_000_000 + b"{}]}", "at most 1048576 lists"),
        (nested(400), "nested at most 32 deep. Received: 401"),
        (b"[" * 100_000, "nested at most 32 deep"),
        (b'{"instances": [1', "JSON in the body"),
        (b"[]", "a JSON object"),
        (b"\xff", "JSON in the body"),
        (b"", "JSON in the body"),
    ],
    ids=["lists", "objects", "deep", "open", "cut", "list", "bytes", "empty"],
)
def test_bodies_are_bounded_before_they_are_parsed(body, message):
    with pytest.raises(RequestError, match=message):
        json_body.parse(body)


def test_what_a_body_holds_is_kept():
    body = {"instances": [[[1, 2], [3, 4]]] * 1000, "signature_name": "crops"}
    assert json_body.parse(json.dumps(body).encode()) == body
    assert json_body.parse(nested(31))


def test_a_deep_or_crowded_body_is_a_bad_request_and_stops_nobody(server):
    url = f"{server.url}/v1/models/sfcl"
    for body in (nested(400), b'{"instances": [' + b"[]," * 9_000_000 + b"[]]}"):
        found = requests.post(f"{url}:predict", data=body, timeout=60)
        assert found.status_code == 400
        assert "Expected" in found.json()["error"]
    assert requests.get(url, timeout=5).status_code == 200


def test_not_a_number_is_null_where_that_is_asked_for(server):
    url = f"{server.url}/v1/models/sfcl:predict"
    body = {"instances": [{"b64": ""}]}
    plain = requests.post(url, json=body, timeout=60)
    assert np.isnan(plain.json()["predictions"][0]["score"])
    strict = requests.post(f"{url}?nan=null", json=body, timeout=60)
    assert "NaN" not in strict.text
    assert strict.json()["predictions"][0]["score"] is None


def test_a_label_is_explained_over_rest_as_over_grpc(server):
    place = f"{server.url}/v1/models/sfcl/labels/stable"
    for found in (
        requests.get(place, timeout=20),
        requests.get(f"{place}/metadata", timeout=20),
        requests.post(f"{place}:predict", json={"instances": ["x"]}, timeout=20),
    ):
        assert found.status_code == 400
        assert "no version label. Received: 'stable'" in found.json()["error"]


def test_what_tensorflow_serving_would_take_otherwise_is_refused(server):
    url = f"{server.url}/v1/models/sfcl:predict"
    for body in (
        '{"signature_name": "crops", "instances": [[[[300, 0, 0]]]]}',
        '{"inputs": {"image_bytes": ["x"], "other": ["x"]}}',
        "[" * 100_000,
    ):
        found = requests.post(url, data=body, timeout=20)
        assert found.status_code == 400, body[:80]
        assert "Expected" in found.json()["error"]


def test_version_0_is_a_number_like_others(server):
    found = requests.get(f"{server.url}/v1/models/sfcl/versions/0", timeout=20)
    assert found.status_code == 404
    assert "version 0" in found.json()["error"]


@pytest.mark.slow
def test_half_a_head_is_not_waited_for(server):
    address = ("127.0.0.1", server.rest_port)
    with contextlib.ExitStack() as stack:
        kept = http.client.HTTPConnection(*address, timeout=30)
        stack.callback(kept.close)
        kept.request("GET", "/v1/models/sfcl")
        assert kept.getresponse().read()
        halves = [
            stack.enter_context(socket.create_connection(address)) for _ in range(500)
        ]
        for one in halves:
            one.sendall(b"GET /v1/models/sfcl HTTP/1.1\r\nHost: x\r\n")
        start = time.monotonic()
        url = f"{server.url}/v1/models/sfcl"
        assert requests.get(url, timeout=5).status_code == 200
        for one in halves:
            one.settimeout(30)
            with contextlib.suppress(ConnectionResetError):
                assert one.recv(1) == b""
        assert 5 < time.monotonic() - start < 25
        kept.request("GET", "/v1/models/sfcl")  # one that has asked is not cut off
        assert kept.getresponse().status == 200


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


def test_more_connections_than_may_be_are_closed_at_once():
    async def run():
        connections = Connections(Echo, most=2)
        server = await asyncio.get_running_loop().create_server(
            connections, "127.0.0.1", 0
        )
        address = server.sockets[0].getsockname()
        async with server:
            pairs = [await asyncio.open_connection(*address) for _ in range(2)]
            for reader, writer in pairs:
                writer.write(b"x")
                assert await reader.readexactly(1) == b"x"
            reader, more = await asyncio.open_connection(*address)
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            more.close()
            pairs[0][1].close()
            while len(connections.watched) == 2:
                await asyncio.sleep(0.01)
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"x")
            assert await reader.readexactly(1) == b"x"
            for one in (writer, pairs[1][1]):
                one.close()
            while connections.watched:
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(run(), 30))


def test_the_end_does_not_wait_longer_than_it_is_told(served):
    options = ("--drain", "0.5", "--max-batch", 1)
    with (
        dev_server(served.path.parent, *options) as server,
        Client(server.address) as client,
    ):
        request = make_request(image_bytes=np.concatenate([HEAVY] * 8))
        call = client.prediction.Predict.future(request, timeout=60)
        time.sleep(0.5)
        server.process.send_signal(signal.SIGTERM)
        start = time.monotonic()
        assert server.ends() == 0
        assert time.monotonic() - start < 10
        assert server.lines[-1] == "Stopped, with 1 calls cut off."
        assert call.exception() is not None
