"""A million predictions: read, all figures with intervals by video, memory.

    python benchmarks/evaluation.py

The scores are made up: normal, of 10,000 videos, a fifth of them real. Beside the
interval of AUC, what one would do otherwise: one draw of whole videos as scikit-learn
computes it, whose time is multiplied by the draws.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from sfcl_tf.evaluation.intervals import AreaByVideo
from sfcl_tf.evaluation.predictions import Predictions
from sfcl_tf.evaluation.summary import summarize
from sfcl_tf.system.portable import peak_memory

ROWS, VIDEOS, DRAWS = 1_000_000, 10_000, 1000
MOST_SECONDS, MOST_MB, LEAST = 30, 1000, 100


def make(path: Path) -> None:
    """Writes the predictions, in a process whose memory does not count."""
    rng = np.random.default_rng(0)
    video = np.arange(ROWS) // (ROWS // VIDEOS)
    label = (video % 5 > 0).astype(int)
    Predictions(
        dataset=np.full(ROWS, "made up", object),
        split=np.full(ROWS, "test", object),
        method=np.where(label, "swap", "real").astype(object),
        video_id=np.array([f"swap/{v:05}" for v in range(VIDEOS)], object)[video],
        frame_index=np.arange(ROWS) % (ROWS // VIDEOS),
        time_s=np.zeros(ROWS),
        track_id=np.zeros(ROWS),
        label=label,
        logit=rng.normal(label + rng.normal(size=VIDEOS)[video]),
    ).write_csv(path)


def main():
    """Prints times and memory; exits with 1 if a limit is passed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "predictions.csv")
        subprocess.run([sys.executable, __file__, "--make", str(path)], check=True)
        start = time.perf_counter()
        predictions = Predictions.read_csv(path)
    read = time.perf_counter()
    summarize(predictions)
    done = time.perf_counter()
    memory = peak_memory()
    total = done - start
    print(f"read {ROWS:,} predictions            {read - start:6.1f} s")
    print(f"figures, groups, intervals          {done - read:6.1f} s")
    print(f"together                            {total:6.1f} s (30 s)")
    print(f"memory at most                      {memory:6.0f} MB (1,000 MB)")

    _, codes = predictions.video_codes()
    start = time.perf_counter()
    area = AreaByVideo(predictions.label, predictions.logit, codes)
    low, high = area.interval
    ours = time.perf_counter() - start
    drawn = np.random.default_rng(0).integers(0, VIDEOS, VIDEOS)
    counts = np.bincount(drawn, minlength=VIDEOS)
    start = time.perf_counter()
    roc_auc_score(predictions.label, predictions.logit, sample_weight=counts[codes])
    once = time.perf_counter() - start
    ratio = once * DRAWS / ours
    print(f"AUC {area.value:.4f} ({low:.4f} to {high:.4f})      {ours:6.1f} s")
    print(
        f"scikit-learn, {DRAWS} times its one draw {once * DRAWS:6.0f} s: {ratio:.0f}x "
        f"(claim: at least {LEAST}x)"
    )
    return int(total > MOST_SECONDS or memory > MOST_MB or ratio < LEAST)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        make(Path(sys.argv[2]))
    else:
        sys.exit(main())
