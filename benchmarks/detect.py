"""`sfcl detect` by stage, by engine, and its memory over an hour.

    python benchmarks/detect.py stages      # decode, faces, model, report
    python benchmarks/detect.py engines     # end to end on each engine
    python benchmarks/detect.py memory      # two minutes and an hour of video

`paper` at 1280x720 and 2 pictures a second; memory with `tiny`. Weights are random:
good for times. The clip is FaceForensics++'s 634 in c23 where `SFCL_TEST_MEDIA` is
set, else one of a photograph, made here.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from clips import photograph_clip, repeated
from timing import interleaved

from sfcl_tf.media.video import decode, scan

REAL = "ff/original_sequences/youtube/c23/videos/634.mp4"
MOST_OF_DECODING = 2.5
# End to end: how many times as fast as the same on TensorFlow.
FASTER = {"float32": 1.1, "bf16": 1.5}
MOST_MB, MOST_GROWTH = 2560, 1.1
LENGTHS = {"2 min": 120, "1 h": int(os.environ.get("SFCL_DETECT_SECONDS", "3600"))}


def clip(folder):
    """Returns a 1280x720 clip of ten seconds or more."""
    media = os.environ.get("SFCL_TEST_MEDIA")
    if media and (Path(media) / REAL).is_file():
        return Path(media) / REAL
    return photograph_clip(folder / "clip.mp4", 1280, 720)


def random_run(folder, preset):
    """Makes a run's directory with random weights."""
    from sfcl_tf.config import load_config, to_toml
    from sfcl_tf.evaluation import Calibration
    from sfcl_tf.evaluation.thresholds import Thresholds
    from sfcl_tf.models import build_model

    config = load_config(
        preset=preset,
        overrides=["model.spatial_weights=none", "data.dataset=ff_c23"],
    )
    run = folder / preset
    run.mkdir()
    build_model(config).save(run / "model.keras")
    (run / "config.toml").write_text(to_toml(config), "utf-8")
    Calibration(levels=(Thresholds(0.3, 0.7),), calibrated=True).write(run)
    return run


def stages(folder):
    """Times each stage alone; returns whether the claim holds."""
    from sfcl_tf.detect import Detector, SamplingOptions
    from sfcl_tf.detect.highlights import Highlights
    from sfcl_tf.detect.report import write_report
    from sfcl_tf.detect.samples import Sample, samples_of_file

    path = clip(folder)
    detector = Detector.load(random_run(folder, "paper"))
    samples = [
        s for s in samples_of_file(path, SamplingOptions()) if isinstance(s, Sample)
    ]
    faces = [face for sample in samples for face in sample.faces]
    kept = Highlights()
    result = detector.examine(path, SamplingOptions(previews=True), on_face=kept)

    times = interleaved(
        {
            "decode": lambda: sum(1 for _ in decode(path)),
            "decode and faces": lambda: sum(
                1 for _ in samples_of_file(path, SamplingOptions())
            ),
            "model": lambda: list(detector.model.scores(iter(faces))),
            "all, side by side": lambda: detector.examine(path),
            "report": lambda: write_report(
                folder / "report.html", result, kept, detector.model
            ),
        },
        rounds=5,
        warm_up=1,
    )
    seconds = duration(path)
    print(
        f"\nsfcl detect by stage, paper on {detector.model.engine}, 1280x720, "
        f"{len(samples)} pictures and {len(faces)} faces in {seconds:.0f} s, "
        f"{os.cpu_count()} cores"
    )
    for name, values in times.items():
        middle = statistics.median(values)
        print(
            f"  {name:<20}{middle:8.2f} s {middle / seconds:8.2f} s a second of video"
        )
    pairs = zip(times["decode and faces"], times["decode"], strict=True)
    ratio = statistics.median(both / alone for both, alone in pairs)
    holds = ratio <= MOST_OF_DECODING
    print(
        f"  decode and faces take {ratio:.2f}x decoding alone. Claim: at most "
        f"{MOST_OF_DECODING:g}x, {'holds' if holds else 'DOES NOT HOLD'}"
    )
    return holds


def engines(folder):
    """Times `Detector.examine` on each engine; returns whether the claims hold."""
    from sfcl_tf.detect import Detector
    from sfcl_tf.engines import available_engines
    from sfcl_tf.engines.openvino import has_bf16

    path, run = clip(folder), random_run(folder, "paper")
    names = {name: (name, "float32") for name in available_engines()}
    if "openvino" in names and has_bf16():
        names["openvino bf16"] = ("openvino", "bf16")
    detectors = {name: Detector.load(run, *which) for name, which in names.items()}
    automatic = Detector.load(run).model.engine
    times = interleaved(
        {n: lambda d=d: d.examine(path) for n, d in detectors.items()},
        rounds=5,
        warm_up=1,
    )
    print(f"\nsfcl detect end to end, paper, 1280x720, {os.cpu_count()} cores")
    holds, ratios = True, {}
    for name, values in times.items():
        pairs = zip(times["tensorflow"], values, strict=True)
        ratios[name] = statistics.median(theirs / own for theirs, own in pairs)
        print(
            f"  {name:<16}{statistics.median(values):8.2f} s {ratios[name]:6.2f}x "
            "TensorFlow"
        )
    for precision, least in FASTER.items():
        name = automatic.split(",")[0] if precision == "float32" else "openvino bf16"
        if name not in ratios:
            print(f"  {precision}: not on this machine")
            continue
        good = ratios[name] >= least
        holds &= good
        told = "the one that auto takes" if precision == "float32" else "bf16"
        print(
            f"  Claim: {name}, {told}, at least {least:g}x, "
            f"{'holds' if good else 'DOES NOT HOLD'}"
        )
    return holds


def memory(folder):
    """Compares peaks of processes that look at little and at much video."""
    source, run = clip(folder), random_run(folder, "tiny")
    print("\nPeak memory of sfcl detect, tiny, 1280x720, with the process that reads")
    peaks = []
    # Once before, so that the engine is converted for none of them.
    for name, seconds in {"": 1, **LENGTHS}.items():
        path = repeated(source, folder / f"{seconds}.mp4", seconds)
        command = [sys.executable, __file__, "peak", str(path), str(run)]
        found = subprocess.run(command, capture_output=True, text=True, check=True)
        told = json.loads(found.stdout.splitlines()[-1])
        if not name:
            print(f"  the first time, converting: {told['peak_mb']:.0f} MB")
            continue
        peaks.append(told["peak_mb"])
        print(f"  {name:<6}{told['pictures']:>6} pictures: {told['peak_mb']:.0f} MB")
    growth = peaks[1] / peaks[0]
    holds = max(peaks) <= MOST_MB and growth <= MOST_GROWTH
    print(
        f"  Claim: at most {MOST_MB} MB, and {MOST_GROWTH:g}x as much for the hour "
        f"({growth:.3f}x), {'holds' if holds else 'DOES NOT HOLD'}"
    )
    return holds


def peak(path, run):
    """Looks at a video as the command does, and prints the peak of both processes."""
    from sfcl_tf.detect import Detector, SamplingOptions
    from sfcl_tf.detect.highlights import Highlights
    from sfcl_tf.system.portable import peak_memory

    with Detector.load(run, isolated=True) as detector:
        sampling = SamplingOptions(previews=True)
        result = detector.examine(Path(path), sampling, on_face=Highlights())
    used = peak_memory() + peak_memory(children=True)
    print(json.dumps({"pictures": result.pictures, "peak_mb": used}))


def duration(path):
    """Returns how many seconds a video lasts, by its frames at its usual rate."""
    import av

    with av.open(str(path)) as container:
        rate = container.streams.video[0].average_rate
    return scan(path)[0].frames / float(rate)


def main(part):
    """Runs a part; returns the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        parts = {"stages": stages, "engines": engines, "memory": memory}
        return int(not parts[part](Path(folder)))


if __name__ == "__main__":
    if sys.argv[1] == "peak":
        peak(*sys.argv[2:])
    else:
        sys.exit(main(sys.argv[1]))
