"""What training does besides its steps: waiting for data, callbacks, logging.

    python benchmarks/training.py [ROWS]

Trains `tiny` on the demo as a user would, and reads the shares from its
`metrics.jsonl`; ROWS is the file of a run that was trained before.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

MOST_WAITING, MOST_OVERHEAD = 0.05, 0.03
OPTIONS = "--dataset demo --preset tiny --frames 6 --epochs 2 --name bench"


def main():
    """Prints the shares of each epoch; exits with 1 if one is too large."""
    if len(sys.argv) > 1:
        return report(Path(sys.argv[1]))
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "sfcl_tf.cli", "train", *OPTIONS.split()]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return report(Path(folder, "runs/bench/metrics.jsonl"))


def report(path):
    """Prints what a run's rows say."""
    holds = True
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        waiting, overhead = row["waiting"], row["overhead"]
        good = waiting < MOST_WAITING and overhead < MOST_OVERHEAD
        holds &= good
        print(
            f"epoch {row['epoch']}: {row['images_per_second']:.1f} images/s, waiting "
            f"for data {waiting:.1%}, callbacks and logging {overhead:.1%} of it. "
            f"Claim: under 5 % and under 3 %, {'holds' if good else 'DOES NOT HOLD'}"
        )
    return int(not holds)


if __name__ == "__main__":
    sys.exit(main())
