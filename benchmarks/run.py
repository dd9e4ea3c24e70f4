"""Runs every benchmark in a process of its own; fails if a claim does not hold."""

import subprocess
import sys
from pathlib import Path

from timing import interleaved

HERE = Path(__file__).parent
BENCHMARKS = (
    ("spectral.py", "dct"),
    ("spectral.py", "sida"),
    ("faces.py",),
    ("prepare.py", "32", "270"),
    ("memory.py",),
    ("pipeline.py", "paper"),
    ("pipeline.py", "augmented"),
    ("order.py",),
    ("evaluation.py",),
    ("training.py",),
    ("model.py", "tiny"),
    ("model.py", "paper"),
    ("serving.py",),
    ("engines.py", "tiny"),
    ("engines.py", "paper"),
    ("explanation.py",),
    ("detect.py", "stages"),
    ("detect.py", "engines"),
    ("detect.py", "memory"),
)
HELP_SECONDS = 0.4


def command_line():
    """Times `sfcl --help`, and checks that it loads no TensorFlow."""
    program = (
        "import sys; from sfcl_tf.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = found.stdout.splitlines()[-1]
    times = interleaved({"help": lambda: subprocess.run(command, capture_output=True)})
    best = min(times["help"])
    holds = loaded == "[]" and best < HELP_SECONDS
    print(
        f"sfcl --help: {best:.2f} s at best; of TensorFlow and Keras it imports "
        f"{loaded}. Claim: under {HELP_SECONDS} s and none, "
        f"{'holds' if holds else 'DOES NOT HOLD'}"
    )
    return holds


def main():
    """Runs all and returns the exit code."""
    failed = not command_line()
    for script, *arguments in BENCHMARKS:
        command = [sys.executable, str(HERE / script), *arguments]
        failed |= subprocess.run(command).returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
