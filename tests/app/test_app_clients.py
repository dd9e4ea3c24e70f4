"""The page as programs see it: hostile requests, and visitors at the same moment."""

import importlib.util
import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from app.process import WAIT, App, until

if importlib.util.find_spec("gradio") is None:
    pytest.skip("the extra [app] is not installed", allow_module_level=True)

VISITORS = 5


@pytest.fixture(scope="module")
def app(run, tmp_path_factory):
    temporary = tmp_path_factory.mktemp("app")
    left = temporary / "sfcl_app_left"
    left.mkdir()
    for name in (".lock", "clip.mp4"):
        (left / name).write_bytes(b"film")
    options = ("--max-size", "2", "--allow-host", "clips.example.org")
    app = App(run, temporary, *options, sweep=0.2)
    assert not left.exists()
    yield app
    assert app.ends(signal.SIGTERM) == 0
    assert not list(temporary.iterdir())
    assert not any("Traceback" in line for line in app.lines), app.lines


def upload(app, data, **headers):
    return requests.post(
        f"{app.url}/gradio_api/upload",
        files={"files": ("face.mp4", data)},
        headers=headers,
        timeout=WAIT,
    )


def test_only_the_page_itself_is_served(app):
    refused = [
        ({"Host": "evil.com"}, 421),
        ({"Host": app.url[7:].replace("127.0.0.1", "evil.com")}, 421),
        ({"Origin": "http://evil.com"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
    ]
    served = [
        {"Origin": app.url},
        {"Host": app.url[7:].replace("127.0.0.1", "localhost")},
        {"Host": "clips.example.org", "Origin": "https://clips.example.org"},
    ]
    before = app.files()
    for headers, status in refused:
        asked = {"Access-Control-Request-Method": "POST", **headers}
        for method, path in (
            ("GET", "/"),
            ("GET", "/config"),
            ("GET", "/gradio_api/heartbeat/x"),
            ("GET", "/gradio_api/queue/data?session_hash=x"),
            ("OPTIONS", "/gradio_api/upload"),
        ):
            answer = requests.request(
                method, app.url + path, headers=asked, timeout=WAIT
            )
            assert answer.status_code == status, (method, path, headers)
            assert "access-control-allow-origin" not in answer.headers
        answer = upload(app, b"film", **headers)
        assert answer.status_code == status
        assert answer.text.startswith("Expected")
    assert app.files() == before
    for headers in served:
        config = requests.get(app.url + "/config", headers=headers, timeout=WAIT)
        assert config.status_code == 200


def test_visitors_with_the_same_file_at_the_same_moment_all_have_it(app, clips):
    data = (clips / "face.mp4").read_bytes()
    barrier = threading.Barrier(VISITORS)
    config = requests.get(app.url + "/config", timeout=WAIT).json()
    take = config["dependencies"][0]["id"]

    def visit(number):
        barrier.wait(WAIT)
        path = upload(app, data).json()[0]
        barrier.wait(WAIT)
        file = {"path": path, "orig_name": "face.mp4"}
        given = {
            "data": [{**file, "meta": {"_type": "gradio.FileData"}}],
            "fn_index": take,
            "session_hash": f"visitor{number}",
        }
        answer = requests.post(
            f"{app.url}/gradio_api/run/predict", json=given, timeout=WAIT
        )
        assert answer.status_code == 200
        return path, answer.text

    with ThreadPoolExecutor(VISITORS) as visitors:
        paths, answers = zip(*visitors.map(visit, range(VISITORS)), strict=True)
    assert len(set(paths)) == VISITORS
    assert not any("did not arrive" in answer for answer in answers)
    taken = [path for path in app.files() if "visits" in path.parts]
    assert [path.read_bytes() == data for path in taken] == [True] * VISITORS


def test_nobody_can_fetch_an_upload(app):
    path = upload(app, b"film").json()[0]
    for route in ("file=", "file/"):
        answer = requests.get(f"{app.url}/gradio_api/{route}{path}", timeout=WAIT)
        assert answer.status_code == 403
        assert "film" not in answer.text


def test_what_breaks_off_or_is_not_taken_is_deleted_without_a_visit(app):
    before = set(app.files())
    host = ("127.0.0.1", int(app.url.split(":")[-1]))
    head = (
        f"POST /gradio_api/upload HTTP/1.1\r\nHost: {app.url[7:]}\r\n"
        "Content-Type: multipart/form-data; boundary=cut\r\n"
        "Content-Length: 900000\r\n\r\n--cut\r\nContent-Disposition: form-data; "
        'name="files"; filename="a.mp4"\r\n\r\n'
    )
    for _ in range(3):
        with socket.create_connection(host, timeout=WAIT) as connection:
            connection.sendall(head.encode() + bytes(400_000))
            until(lambda: set(app.files()) - before)
        until(lambda: set(app.files()) == before)

    left = Path(upload(app, b"film").json()[0])
    assert left.exists()
    os.utime(left, (0, 0))
    until(lambda: not left.parent.exists())
