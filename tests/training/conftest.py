"""Trainings in processes of their own."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "small_training.py"


class Process:
    """One `small_training.py`; its lines can be read while it runs."""

    def __init__(self, *arguments, tf_config=None, program=PROGRAM):
        environment = dict(os.environ)
        environment.pop("TF_CONFIG", None)
        if tf_config:
            environment["TF_CONFIG"] = json.dumps(tf_config)
        self.process = subprocess.Popen(
            [sys.executable, str(program), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def wait_for_batches(self, count):
        """Reads until so many batches are done; returns whether they were."""
        for line in self.process.stdout:
            count -= line.startswith("BATCH")
            if count <= 0:
                return True
        return False

    def end(self, timeout=240):
        """Waits for the end; returns exit code, standard output and error."""
        out, err = self.process.communicate(timeout=timeout)
        return self.process.returncode, out, err

    def losses(self):
        """Waits for a good end; returns the running losses."""
        code, out, err = self.end()
        assert code == 0, out[-1000:] + err[-3000:]
        lines = [line for line in out.splitlines() if line.startswith("LOSSES ")]
        return json.loads(lines[0].removeprefix("LOSSES "))


@pytest.fixture
def start():
    """Starts processes, and ends those that a failed test leaves behind."""
    started = []

    def make(*arguments, **options):
        started.append(Process(*arguments, **options))
        return started[-1]

    yield make
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
        each.process.wait()
        each.process.stdout.close()
        each.process.stderr.close()


@pytest.fixture
def two_workers():
    """`TF_CONFIG` of two workers on free ports of this machine."""
    with socket.socket() as one, socket.socket() as two:
        for each in (one, two):
            each.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{s.getsockname()[1]}" for s in (one, two)]
    return [
        {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        for index in (0, 1)
    ]
