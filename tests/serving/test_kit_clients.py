"""The serving kit's programs, run against stand-ins for the server."""

import base64
import http.server
import json
import runpy
import shutil
import subprocess
import sys
import threading
from concurrent import futures
from contextlib import contextmanager

import grpc
import pytest
import tensorflow as tf
import trustme
from kit_files import SETTINGS, compose, parse, written
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


@pytest.fixture(scope="module", params=SETTINGS.values(), ids=SETTINGS)
def kit(request, tmp_path_factory):
    return written(tmp_path_factory.mktemp("kit"), request.param)


@contextmanager
def web(answer):
    """A web server in the server's place; gives its port and what it was asked."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.append((self.path, body))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer(body).encode())

        do_POST = do_GET

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1], asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
@pytest.mark.parametrize(("state", "code"), [("AVAILABLE", 0), ("LOADING", 1)])
def test_health_check_tells_whether_the_model_is_there(kit, state, code):
    kind, *command = compose(kit.folder)["services"]["serving"]["healthcheck"]["test"]
    assert kind == "CMD"
    status = {"version": "1", "state": state, "status": {"error_code": "OK"}}
    answer = json.dumps({"model_version_status": [status]}, indent=1)
    with web(lambda _: answer) as (port, asked):
        here = [part.replace("8501", str(port)) for part in command]
        assert subprocess.run(here, timeout=20).returncode == code
    assert asked == [(f"/v1/models/{kit.settings.model}", b"")]
    assert subprocess.run(here, timeout=20, capture_output=True).returncode != 0


DAMAGED = b"\x00image 0\x00"


def write_images(folder):
    paths = [folder / f"{index}.png" for index in range(17)]
    for index, path in enumerate(paths):
        path.write_bytes(b"\x00image %d\x00" % index)
    return paths


def run_client(path, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", [path.name, *map(str, arguments)])
    runpy.run_path(str(path), run_name="__main__")


def assert_scores(printed, paths):
    lines = [line.split("\t") for line in printed.splitlines()]
    assert lines[0] == [str(paths[0]), "nan", "", "damaged"]
    assert lines[1:] == [[str(path), "0.2500", "real", ""] for path in paths[1:]]


@pytest.mark.parametrize("name", ["client_grpc.py", "client_rest.py"])
def test_clients_are_short(kit, name):
    lines = (kit.folder / name).read_text("utf-8").splitlines()
    assert len(lines) < 40
    text = "\n".join(lines)
    compile(text, name, "exec")
    assert f'"--model", default="{kit.settings.model}"' in text
    port = getattr(kit.settings, f"{name[7:11]}_port")
    assert f'127.0.0.1:{port}"' in text


def predictions(body):
    """Knows one damaged image, by REST."""
    images = [
        base64.b64decode(row["image_bytes"]["b64"], validate=True)
        for row in json.loads(body)["instances"]
    ]
    good = {"logit": -1.1, "score": 0.25, "verdict": "real", "status": ""}
    none = float("nan")
    bad = {"logit": none, "score": none, "verdict": "", "status": "damaged"}
    rows = [bad if image == DAMAGED else good for image in images]
    return json.dumps({"predictions": rows})


def test_rest_client_prints_a_score_or_a_reason(kit, tmp_path, monkeypatch, capsys):
    paths = write_images(tmp_path)
    with web(predictions) as (port, asked):
        address = ("--server", f"http://127.0.0.1:{port}")
        run_client(kit.folder / "client_rest.py", monkeypatch, *address, *paths)
    assert_scores(capsys.readouterr().out, paths)
    assert {path for path, _ in asked} == {f"/v1/models/{kit.settings.model}:predict"}


class Scores(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Knows one damaged image, by gRPC."""

    def Predict(self, request, context):
        assert context.time_remaining() < 60
        images = tf.make_ndarray(request.inputs["image_bytes"])
        damaged = [image == DAMAGED for image in images]
        columns = {
            "score": [float("nan") if bad else 0.25 for bad in damaged],
            "verdict": [b"" if bad else b"real" for bad in damaged],
            "status": [b"damaged" if bad else b"" for bad in damaged],
        }
        reply = predict_pb2.PredictResponse(model_spec=request.model_spec)
        for name, column in columns.items():
            reply.outputs[name].CopyFrom(tf.make_tensor_proto(column))
        return reply


@contextmanager
def scoring(credentials=None):
    server = grpc.server(futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        Scores(), server
    )
    if credentials:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


def test_grpc_client_prints_a_score_or_a_reason(kit, tmp_path, monkeypatch, capsys):
    paths = write_images(tmp_path)
    with scoring() as port:
        address = ("--server", f"127.0.0.1:{port}")
        run_client(kit.folder / "client_grpc.py", monkeypatch, *address, *paths)
    assert_scores(capsys.readouterr().out, paths)


def test_ssl_config_lets_in_whom_it_should(kit, tmp_path, monkeypatch, capsys):
    authority = trustme.CA()
    pems = {
        "server.key": (served := authority.issue_cert("localhost")).private_key_pem,
        "server.crt": served.cert_chain_pems[0],
        "ca.crt": authority.cert_pem,
        "client.key": (mine := authority.issue_cert("me@localhost")).private_key_pem,
        "client.crt": mine.cert_chain_pems[0],
    }
    for name, pem in pems.items():
        pem.write_to_path(tmp_path / name)
    script = kit.folder / "tls/ssl_config.sh"
    made = subprocess.run(
        ["sh", script, "server.key", "server.crt", "ca.crt"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    config = parse("SSLConfig", made.stdout)
    assert config.server_key.encode() == pems["server.key"].bytes()
    assert config.client_verify
    credentials = grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        config.custom_ca.encode(),
        require_client_auth=config.client_verify,
    )
    client, paths = kit.folder / "client_grpc.py", write_images(tmp_path)
    monkeypatch.chdir(tmp_path)
    with scoring(credentials) as port:
        asked = ("--server", f"localhost:{port}", "--ca", "ca.crt", "--timeout", "5")
        own = ("--key", "client.key", "--cert", "client.crt")
        run_client(client, monkeypatch, *asked, *own, *paths)
        assert_scores(capsys.readouterr().out, paths)
        with pytest.raises(grpc.RpcError):
            run_client(client, monkeypatch, *asked, *paths)


def test_ssl_config_is_not_made_of_what_is_missing(kit, tmp_path):
    script = kit.folder / "tls/ssl_config.sh"
    (tmp_path / "key").write_text("key\r\n")
    for names in (("key",), ("key", "none"), ("key", "key", "none")):
        made = subprocess.run(
            ["sh", script, *names], cwd=tmp_path, capture_output=True, text=True
        )
        assert made.returncode == 2
        assert "Received: " in made.stderr
    made = subprocess.run(
        ["sh", script, "key", "key"], cwd=tmp_path, capture_output=True, text=True
    )
    assert parse("SSLConfig", made.stdout).server_key == "key\n"
    assert not parse("SSLConfig", made.stdout).client_verify
