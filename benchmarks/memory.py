"""Peak memory of preparing a 1080p video: ten seconds of it, and an hour.

The hour is the ten seconds over and over, made here from one photograph.
"""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

MOST_MB = 1536
MOST_GROWTH = 1.05
LOOPS = {"10 s": 1, "1 h": 360}


def make(path, loops):
    """Encodes 10 s of a face in 1080p, and repeats its packets."""
    import av
    import cv2
    from skimage import data

    face = cv2.resize(data.astronaut()[:300, 60:360], (900, 900))
    encoded = path.with_suffix(".10s.mp4")
    with av.open(str(encoded), "w") as container:
        options = {"crf": "30", "preset": "ultrafast", "g": "25"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        image = cv2.copyMakeBorder(face, 90, 90, 510, 510, cv2.BORDER_REFLECT)
        for n in range(250):
            moved = image.copy()
            moved[:, n : n + 8] = 0  # something to encode in each frame
            container.mux(stream.encode(av.VideoFrame.from_ndarray(moved, "rgb24")))
        container.mux(stream.encode())
    with av.open(str(path), "w") as container, av.open(str(encoded)) as source:
        stream = container.add_stream_from_template(source.streams.video[0])
        length = 10 / source.streams.video[0].time_base
        for loop in range(loops):
            source.seek(0)
            for packet in source.demux(video=0):
                if packet.dts is None:
                    continue
                packet.dts += int(loop * length)
                packet.pts += int(loop * length)
                packet.stream = stream
                container.mux(packet)


def prepare(path):
    """Prepares a video in this process and prints its peak memory in MB."""
    from sfcl_tf.data.listing import Video
    from sfcl_tf.data.manifest import Settings
    from sfcl_tf.data.prepare_video import prepare_video

    folder = path.parent / path.stem
    (folder / "train").mkdir(parents=True)
    video = Video("a/real/a", path, "train", 0, "real", ())
    report = prepare_video(video, folder, Settings(32))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(report["frames"], report["records"], f"{peak:.0f}")


def main():
    """Compares both and returns the exit code."""
    peaks = []
    print("\nPeak memory of a process that prepares a 1080p video at 32 frames")
    with tempfile.TemporaryDirectory() as folder:
        for name, loops in LOOPS.items():
            path = Path(folder, f"{loops}.mp4")
            make(path, loops)
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
