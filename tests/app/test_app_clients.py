"""The page as programs see it: whose requests are served."""

import importlib.util
import signal

import pytest
import requests
from app.process import WAIT, App

if importlib.util.find_spec("gradio") is None:
    pytest.skip("the extra [app] is not installed", allow_module_level=True)


@pytest.fixture(scope="module")
def app(run, tmp_path_factory):
    temporary = tmp_path_factory.mktemp("app")
    left = temporary / "sfcl_app_left"
    left.mkdir()
    for name in (".lock", "clip.mp4"):
        (left / name).write_bytes(b"film")
    options = ("--max-size", "2", "--allow-host", "clips.example.org")
    app = App(run, temporary, *options)
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
