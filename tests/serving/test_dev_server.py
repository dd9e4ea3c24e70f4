"""The server where things go wrong: load, slowness, strangers, bad versions."""

import concurrent.futures
import contextlib
import shutil
import signal
import socket
import threading
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("tensorflow_serving")

import requests

from .images import png
from .servers import Client, Code, dev_server, make_request

# Few bytes, and seconds of work.
HEAVY = np.array([png(np.zeros((2048, 2048, 3), "uint8"))] * 16, object)


@pytest.fixture(scope="module")
def server(served):
    with dev_server(served.path.parent, "--max-request", "2") as found:
        yield found


@pytest.fixture(scope="module")
def client(server):
    with Client(server.address) as found:
        yield found


@pytest.fixture(scope="module")
def encoded(served):
    return np.array([png(crop) for crop in served.crops], object)


def is_right(client, served, encoded):
    logit = client.predict(image_bytes=encoded)["logit"]
    return np.allclose(logit, served.logits, atol=1e-5)


def test_many_clients_get_their_own_answers(server, served, encoded):
    def ask(number):
        row = number % len(encoded)
        with Client(server.address) as client:
            for _ in range(5):
                found = client.predict(image_bytes=encoded[row : row + 1])["logit"]
                assert found[0] == pytest.approx(served.logits[row], abs=1e-4)
                crop = served.crops[row][None]
                found = client.predict("crops", crops=crop)["logit"]
                assert found[0] == pytest.approx(served.logits[row], abs=1e-4)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(32)))


def test_damaged_messages_are_told_as_such(client):
    for method in (
        "PredictionService/Predict",
        "PredictionService/GetModelMetadata",
        "ModelService/GetModelStatus",
    ):
        code, told = client.raw(method, b"\xff" * 40)
        assert code is Code.INVALID_ARGUMENT
        assert "Received: other bytes" in told
    assert client.raw("PredictionService/Classify", b"")[0] is Code.UNIMPLEMENTED


def test_promised_but_missing_values_are_refused(client):
    request = make_request("crops", crops=np.zeros((1, 8, 8, 3), "u1"))
    proto = request.inputs["crops"]
    for dims in ((1, 40_000, 40_000, 3), (1, 9, 8, 3), (1, -1, 8, 3)):
        for dim, size in zip(proto.tensor_shape.dim, dims, strict=True):
            dim.size = size
        with pytest.raises(grpc.RpcError) as caught:
            client.prediction.Predict(request, timeout=20)
        assert caught.value.code() is Code.INVALID_ARGUMENT


def test_one_string_does_not_stand_for_a_million(client, encoded):
    request = make_request(image_bytes=encoded[:1])
    request.inputs["image_bytes"].tensor_shape.dim[0].size = 2**20
    with pytest.raises(grpc.RpcError, match="1048576 strings") as caught:
        client.prediction.Predict(request, timeout=20)
    assert caught.value.code() is Code.INVALID_ARGUMENT


def test_too_large_a_request_is_refused(server, client):
    with pytest.raises(grpc.RpcError) as caught:
        client.predict("crops", crops=np.zeros((1, 1024, 1024, 3), "u1"))
    assert caught.value.code() is Code.RESOURCE_EXHAUSTED
    url = f"{server.url}/v1/models/sfcl:predict"
    assert requests.post(url, data=bytes(3 << 20), timeout=20).status_code == 413


def test_a_deadline_that_is_over_costs_nothing_more(client, encoded):
    with pytest.raises(grpc.RpcError) as caught:
        client.predict(image_bytes=encoded, timeout=0.0005)
    assert caught.value.code() is Code.DEADLINE_EXCEEDED


def test_slow_and_half_open_clients_starve_nobody(server, served, encoded):
    host, port = server.address.split(":")
    with contextlib.ExitStack() as stack:
        for _ in range(150):  # connected, and silent
            stack.enter_context(socket.create_connection((host, int(port))))
            rest = socket.create_connection((host, server.rest_port))
            stack.enter_context(rest).sendall(
                b"POST /v1/models/sfcl:predict HTTP/1.1\r\nHost: x\r\n"
                b"Content-Length: 1000000\r\n\r\n{"
            )

        held = threading.Event()

        def stall():
            held.wait(30)
            yield make_request(image_bytes=[b"x"]).SerializeToString()

        with Client(server.address) as slow:
            # More open calls than may be worked on, whose messages do not come.
            method = "/tensorflow.serving.PredictionService/Predict"
            calls = [
                slow.channel.stream_unary(method).future(stall()) for _ in range(200)
            ]
            time.sleep(1)
            with Client(server.address) as client:
                assert is_right(client, served, encoded)
                assert client.is_serving()
            url = f"{server.url}/v1/models/sfcl"
            assert requests.get(url, timeout=20).status_code == 200
            held.set()
            for call in calls:
                call.cancel()


def test_more_than_may_run_is_refused_at_once(served, encoded):
    with dev_server(
        served.path.parent, "--max-concurrent", 2, "--max-batch", 1
    ) as server:
        outcome = {}

        def ask(number):
            with Client(server.address) as client:
                start = time.monotonic()
                try:
                    found = client.predict(image_bytes=HEAVY)
                    outcome[number] = Code.OK, found["status"], time.monotonic() - start
                except grpc.RpcError as error:
                    outcome[number] = error.code(), None, time.monotonic() - start

        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            list(pool.map(ask, range(12)))
        codes = [code for code, _, _ in outcome.values()]
        assert set(codes) == {Code.OK, Code.RESOURCE_EXHAUSTED}
        assert codes.count(Code.OK) >= 2
        answered = min(t for code, _, t in outcome.values() if code is Code.OK)
        refused = [t for code, _, t in outcome.values() if code is not Code.OK]
        assert np.median(refused) < answered
        with Client(server.address) as client:
            assert is_right(client, served, encoded)


def test_a_new_version_is_taken_up_without_a_failed_call(served, encoded, tmp_path):
    base = tmp_path / "base"
    shutil.copytree(served.path, base / "1")
    with dev_server(base) as server, Client(server.address) as client:
        seen, failed, stop = set(), [], threading.Event()

        def ask():
            request = make_request(image_bytes=encoded[:1])
            with Client(server.address) as each:
                while not stop.is_set():
                    try:
                        answer = each.prediction.Predict(request, timeout=60)
                        seen.add(answer.model_spec.version.value)
                    except grpc.RpcError as error:
                        failed.append(error)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        # Copied in place, as by hand: it is there bit by bit.
        (base / "2").mkdir()
        shutil.copy(served.path / "saved_model.pb", base / "2")
        server.wait_for("Expected a SavedModel")
        shutil.copytree(served.path, base / "2", dirs_exist_ok=True)
        server.wait_for("Version 2 of sfcl answers")
        time.sleep(0.5)
        stop.set()
        for thread in threads:
            thread.join()
        assert not failed
        assert seen == {1, 2}
        assert is_right(client, served, encoded)
        # One that cannot be loaded leaves the one before in place.
        (base / "3").mkdir()
        (base / "3" / "saved_model.pb").write_bytes(b"junk")
        server.wait_for("base/3")
        assert is_right(client, served, encoded)
        found = requests.get(f"{server.url}/v1/models/sfcl", timeout=20).json()
        states = {s["version"]: s["state"] for s in found["model_version_status"]}
        assert states == {"3": "END", "2": "AVAILABLE", "1": "END"}


def test_the_end_waits_for_calls_that_have_begun(served):
    with dev_server(served.path.parent) as server, Client(server.address) as client:
        request = make_request(image_bytes=HEAVY)
        answer = client.prediction.Predict.future(request, timeout=60)
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        assert (tf.make_ndarray(answer.result().outputs["status"]) == b"").all()
        assert server.ends() == 0
        assert server.lines[-1] == "Stopped."


def test_ctrl_c_does_not_wait_for_the_model(served):
    with dev_server(served.path.parent, ready=False) as server:
        server.wait_for("Loading")
        server.process.send_signal(signal.SIGINT)
        start = time.monotonic()
        assert server.ends() == 130
        assert "answers" not in "".join(server.lines)
        assert time.monotonic() - start < 20


def test_nobody_is_told_ready_before_it_is(served):
    with dev_server(served.path.parent, ready=False) as server:
        server.wait_for("Listening")
        with Client(server.address) as client:
            states = []
            while not states or not states[-1]:
                states.append(client.is_serving())
                if not states[-1]:
                    assert "Ready" not in "".join(server.lines)
                time.sleep(0.05)
            code, _ = client.raw("PredictionService/Predict", b"")
            assert code in (Code.NOT_FOUND, Code.INVALID_ARGUMENT)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    trustme = pytest.importorskip("trustme")
    folder = tmp_path_factory.mktemp("tls")
    ours, theirs = trustme.CA(), trustme.CA()
    server = ours.issue_cert("127.0.0.1", "localhost")
    server.private_key_pem.write_to_path(str(folder / "key.pem"))
    (folder / "cert.pem").write_bytes(
        b"".join(blob.bytes() for blob in server.cert_chain_pems)
    )
    ours.cert_pem.write_to_path(str(folder / "ca.pem"))
    for name, authority in (("friend", ours), ("stranger", theirs)):
        issued = authority.issue_cert(f"{name}@example.org")
        issued.private_key_and_cert_chain_pem.write_to_path(str(folder / f"{name}.pem"))
    return folder


def credentials(folder, name=None):
    pem = (folder / f"{name}.pem").read_bytes() if name else None
    return grpc.ssl_channel_credentials((folder / "ca.pem").read_bytes(), pem, pem)


def test_without_a_client_certificate_nobody_gets_in(served, encoded, certificates):
    tls = ("--tls-key", certificates / "key.pem", "--tls-cert")
    options = (*tls, certificates / "cert.pem", "--client-ca", certificates / "ca.pem")
    with dev_server(served.path.parent, *options) as server:
        with Client(server.address, credentials(certificates, "friend")) as client:
            assert is_right(client, served, encoded)
        for secret in (
            credentials(certificates),
            credentials(certificates, "stranger"),
            None,
        ):
            with Client(server.address, secret) as client:
                for ask in (
                    lambda: client.predict(image_bytes=encoded, timeout=5),
                    lambda: client.is_serving(),
                ):
                    with pytest.raises(grpc.RpcError) as caught:
                        ask()
                    assert caught.value.code() in (
                        Code.UNAVAILABLE,
                        Code.DEADLINE_EXCEEDED,
                    )
        url = f"https://127.0.0.1:{server.rest_port}/v1/models/sfcl"
        authority = str(certificates / "ca.pem")
        friend, stranger = (
            str(certificates / f"{n}.pem") for n in ("friend", "stranger")
        )
        found = requests.get(url, verify=authority, cert=friend, timeout=20)
        assert found.status_code == 200
        for each in (None, stranger):
            with pytest.raises(requests.ConnectionError):
                requests.get(url, verify=authority, cert=each, timeout=20)
        with pytest.raises(requests.ConnectionError):
            requests.get(url.replace("https", "http"), timeout=20)
        with socket.create_connection(("127.0.0.1", server.rest_port)) as plain:
            plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert b"200" not in plain.recv(100)
