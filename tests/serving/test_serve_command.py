"""`sfcl serve`: what it refuses, and with which exit code."""

import socket
import subprocess
import sys

import pytest

pytest.importorskip("tensorflow_serving")


def serve(*arguments):
    found = subprocess.run(
        [sys.executable, "-m", "sfcl_tf.cli", "serve", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    return found.returncode, found.stdout + found.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--port", 70000), "--port of 0 to 65535"),
        (("--rest-port", -2), "--rest-port of -1 to 65535"),
        (("--port", 8501), "two different ports"),
        (("--max-batch", 0), "--max-batch of at least 1"),
        (("--max-concurrent", 0), "--max-concurrent of at least 1"),
        (("--max-request", 2048), "--max-request of at most 2047"),
        (("--max-request", "inf"), "--max-request of at most 2047"),
        (("--poll", "nan"), "--poll of at least 0.05"),
        (("--tls-key", "k.pem"), "--tls-key and --tls-cert together"),
        (("--client-ca", "c.pem"), "--client-ca with both"),
    ],
)
def test_wrong_options_are_usage_errors(tmp_path, options, told):
    code, printed = serve(tmp_path, *options)
    assert code == 2
    assert told in printed


def test_a_folder_without_versions_is_a_model_error(tmp_path):
    code, printed = serve(tmp_path / "absent")
    assert code == 4
    assert "sfcl export RUN --to DIR" in printed
    code, printed = serve(tmp_path, "--port", 0, "--rest-port", 0)
    assert code == 4
    assert "Expected version directories" in printed


def test_a_damaged_version_is_a_model_error(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"junk")
    code, printed = serve(tmp_path, "--port", 0, "--rest-port", 0)
    assert code == 4
    assert "Expected a SavedModel" in printed
    assert "Traceback" not in printed


def test_a_port_that_is_taken_is_a_usage_error(served):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        for options in (
            ("--port", taken, "--rest-port", 0),
            ("--port", 0, "--rest-port", taken),
        ):
            code, printed = serve(served.path.parent, *options)
            assert code == 2, printed
            assert "Expected an address that is free" in printed


def test_keys_that_do_not_fit_are_usage_errors(served, tmp_path):
    for name in ("key.pem", "cert.pem"):
        (tmp_path / name).write_text("no certificate")
    options = ("--tls-key", tmp_path / "key.pem", "--tls-cert")
    ports = ("--port", 0, "--rest-port", 0)
    for certificate in (tmp_path / "cert.pem", tmp_path / "absent.pem"):
        code, printed = serve(served.path.parent, *ports, *options, certificate)
        assert code == 2, printed
        assert "PEM" in printed
