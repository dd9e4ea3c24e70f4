"""Peak memory of preparing a 1080p video: ten seconds of it, and an hour.

The hour is the ten seconds over and over, made here from one photograph.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from clips import photograph_clip, repeated

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

MOST_MB = 1536
MOST_GROWTH = 1.05
LENGTHS = {"10 s": 10, "1 h": 3600}  # in s


def prepare(path):
    """Prepares a video in this process and prints its peak memory in MB."""
    from sfcl_tf.catalog.listing import Video
    from sfcl_tf.records.manifest import Settings
    from sfcl_tf.records.prepare_video import prepare_video
    from sfcl_tf.system.portable import peak_memory

    folder = path.parent / path.stem
    (folder / "train").mkdir(parents=True)
    video = Video("a/real/a", path, "train", 0, "real", ())
    report = prepare_video(video, folder, Settings(32))
    peak = peak_memory()
    print(report["frames"], report["records"], f"{peak:.0f}")


def main():
    """Compares both and returns the exit code."""
    peaks = []
    print("\nPeak memory of a process that prepares a 1080p video at 32 frames")
    with tempfile.TemporaryDirectory() as folder:
        clip = photograph_clip(Path(folder, "clip.mp4"), 1920, 1080)
        for name, seconds in LENGTHS.items():
            path = repeated(clip, Path(folder, f"{seconds}.mp4"), seconds)
            command = [sys.executable, __file__, str(path)]
            found = subprocess.run(command, capture_output=True, text=True, check=True)
            frames, records, peak = found.stdout.split()
            peaks.append(float(peak))
            print(f"  {name:<6}{frames:>7} frames, {records} records: {peak} MB")
    growth = peaks[1] / peaks[0]
    holds = max(peaks) <= MOST_MB and growth <= MOST_GROWTH
    print(
        f"  Claim: at most {MOST_MB} MB and {MOST_GROWTH:g}x as much for the hour "
        f"({growth:.3f}x), {'holds' if holds else 'DOES NOT HOLD'}"
    )
    return int(not holds)


if __name__ == "__main__":
    sys.exit(prepare(Path(sys.argv[1])) if sys.argv[1:] else main())
