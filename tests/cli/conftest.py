"""The command line, run in this process and in an empty folder."""

import socket

import pytest

from sfcl_tf.cli import main


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty folder to work in, and no variable that points elsewhere."""
    for name in ("SFCL_DATA", "SFCL_RECORDS", "SFCL_RUNS", "SFCL_WEIGHTS", "TF_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "place"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def fails(capsys, place):
    """A function that expects an exit code and one message, and returns it."""

    def run(code, *argv):
        before = set(place.rglob("*"))
        assert main([str(arg) for arg in argv]) == code
        out, message = capsys.readouterr()
        assert out == ""
        assert message.startswith("sfcl: ")
        assert message.count("sfcl: ") == 1
        assert "Traceback" not in message
        left = set(place.rglob("*")) - before
        assert left <= {place / "runs"}  # empty, therefore
        return message

    return run


@pytest.fixture
def free_port():
    """A port of this machine at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
