"""`sfcl app` as a process of its own, for the tests of this room."""

import os
import socket
import subprocess
import sys
import threading
import time

WAIT = 90.0  # s, on a machine that does much else
SWEEPING = """
from sfcl_tf.app import serve
from sfcl_tf.cli import run_and_exit
serve._SWEEP = {}
run_and_exit()
"""


class App:
    """`sfcl app` in a process whose temporary files are in a folder of their own.

    Args:
        run: Of the model.
        temporary: The folder.
        *options: Further arguments.
        sweep: Seconds between two looks for files that nobody owns.
    """

    def __init__(self, run, temporary, *options, sweep=None):
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        self.url, self.temporary, self.lines = f"http://127.0.0.1:{port}", temporary, []
        start = ["-c", SWEEPING.format(sweep)] if sweep else ["-m", "sfcl_tf.cli"]
        command = [sys.executable, *start, "app", "--model", run]
        command += ["--engine", "tensorflow", "--port", port, *options]
        self.process = subprocess.Popen(
            [*map(str, command)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A proxy that is not there: nothing may ask for one.
            env={**os.environ, "TMPDIR": str(temporary), "HTTP_PROXY": "127.0.0.1:9"},
        )
        ready = threading.Event()
        threading.Thread(target=self._read, args=(ready,), daemon=True).start()
        assert ready.wait(2 * WAIT), self.lines
        assert self.process.poll() is None, self.lines

    def _read(self, ready):
        with self.process.stdout:
            for line in self.process.stdout:
                self.lines.append(line.rstrip())
                if "Ctrl-C" in line:
                    ready.set()
        ready.set()

    def files(self):
        """Files that are not deleted yet, but for TensorFlow's own, which are code."""
        files = [path for path in self.temporary.rglob("*") if path.is_file()]
        return [p for p in files if p.name != ".lock" and "__autograph" not in p.name]

    def ends(self, number):
        """Sends a signal; returns the exit code."""
        self.process.send_signal(number)
        try:
            return self.process.wait(WAIT)
        finally:
            self.process.kill()


def until(holds):
    """Waits until something holds."""
    deadline = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
