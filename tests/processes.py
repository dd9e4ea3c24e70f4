"""Trainings and searches in processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

TRAINING = Path(__file__).parent / "small_training.py"


class Process:
    """One program; its lines can be read while it runs."""

    def __init__(self, *arguments, tf_config=None, program=TRAINING):
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

    def wait_for(self, word, count):
        """Reads until so many lines begin with a word; returns whether they do."""
        for line in self.process.stdout:
            count -= line.startswith(word)
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

    def kill(self):
        """Ends it as a crash would, and lets go of its pipes."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
