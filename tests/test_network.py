"""No command reaches another machine: by a guard in Python, and by the system's calls.

The guard of `guard/sitecustomize.py` watches every test. What is done in C++, by gRPC,
TensorFlow or FFmpeg, is seen by strace, where there is one.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import conftest
import pytest
import requests

STRACE = shutil.which("strace")
_ADDRESS = re.compile(
    r"sin_addr=inet_addr\(\"([^\"]+)\"\)|inet_pton\(AF_INET6, \"([^\"]+)\""
)


@pytest.fixture
def tried():
    """What was tried, taken away before the guard lets the test fail for it."""
    found = []

    def take():
        if conftest._TRIED.exists():
            found.append(conftest._TRIED.read_text())
            conftest._TRIED.unlink()
        return "".join(found)

    return take


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_the_guard_sees_what_a_test_tries(tried, host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as one, pytest.raises(PermissionError, match="reach"):
        one.connect((host, 9))
    assert f"socket.connect {host!r}" in tried()


def test_the_guard_sees_names_and_other_processes(tried):
    with pytest.raises(OSError, match=r"example\.com"):
        urllib.request.urlopen("http://example.com", timeout=1)
    code = "import urllib.request as r; r.urlopen('http://example.org', timeout=1)"
    assert subprocess.run([sys.executable, "-c", code], stderr=-3).returncode == 1
    assert "'example.com'" in tried()
    assert "'example.org'" in tried()


def test_the_guard_lets_loopback_pass(tried):
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
        socket.create_connection(("localhost", server.getsockname()[1])).close()
    assert tried() == ""


def reached(log):
    """The addresses that a process tree connected to, or sent to, past loopback."""
    found = {a or b for a, b in _ADDRESS.findall(log.read_text())}
    return {each for each in found if not each.startswith("127.") and each != "::1"}


@pytest.fixture
def trace(tmp_path):
    """A function that gives a command as strace runs it, and the log."""
    if not STRACE:
        pytest.skip("strace is not installed: connections of C++ are not seen")
    log = tmp_path / "calls"

    def traced(*command):
        calls = "trace=connect,sendto,sendmsg,sendmmsg"
        before = (STRACE, "-f", "-qq", "-o", log, "-e", calls, sys.executable)
        return [str(each) for each in (*before, *command)], log

    return traced


def test_the_tracer_sees_a_connection(trace):
    command, log = trace(
        "-c",
        "import socket\n"
        "one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "one.connect(('192.0.2.1', 9))\n",
    )
    subprocess.run(command, env={"PATH": "/usr/bin:/bin"})  # without the guard
    assert reached(log) == {"192.0.2.1"}


@pytest.fixture
def names(run, clips, tmp_path):
    """What the words in capitals of a command stand for."""
    copy = shutil.copytree(run, tmp_path / "runs" / "copy")
    for label in ("real", "fake"):
        (tmp_path / "faces" / label).mkdir(parents=True)
        shutil.copy(clips / "face.png", tmp_path / "faces" / label / f"{label}.png")
    return {
        "CLIP": clips / "face.png",
        "FACES": tmp_path / "faces",
        "RUN": copy,
        "MODELS": tmp_path / "models",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("doctor",),
        ("prepare", "FACES", "--frames", "1"),
        ("check", "FACES"),
        ("detect", "CLIP", "--model", "RUN", "--report"),
        ("runs", "RUN"),
        ("export", "RUN", "--to", "MODELS"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_command_reaches_nobody(trace, names, tmp_path, arguments):
    words = [names.get(each, each) for each in arguments]
    command, log = trace("-m", "sfcl_tf.cli", *words)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode in (0, 3), done.stderr  # 3: of findings of `check`
    assert "internal error" not in done.stderr
    assert reached(log) == set()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["serve", "app"])
def test_a_server_reaches_nobody(trace, names, tmp_path, name):
    pytest.importorskip("tensorflow_serving" if name == "serve" else "gradio")
    port, rest = free_port(), free_port()
    if name == "serve":
        exported = ["export", names["RUN"], "--to", names["MODELS"]]
        exported = [sys.executable, "-m", "sfcl_tf.cli", *map(str, exported)]
        subprocess.run(exported, check=True, stdout=subprocess.DEVNULL)
        words = ["serve", names["MODELS"], "--port", port, "--rest-port", rest]
        ready, url = "Ready", f"http://127.0.0.1:{rest}/v1/models/sfcl"
    else:
        words = ["app", "--model", names["RUN"], "--port", rest]
        ready, url = "Ctrl-C", f"http://127.0.0.1:{rest}/"
    command, log = trace("-m", "sfcl_tf.cli", *words)
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=-2, text=True
    ) as process:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if ready in line:
                break
        else:
            pytest.fail("".join(lines))
        (child,) = children(process.pid)
        try:
            assert requests.get(url, timeout=60).status_code == 200
            os.kill(child, signal.SIGINT)
            process.communicate(timeout=60)
        finally:
            if process.poll() is None:
                os.kill(child, signal.SIGKILL)
    assert reached(log) == set()


def children(pid):
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(each) for each in path.read_text().split()]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
