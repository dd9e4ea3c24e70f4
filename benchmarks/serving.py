"""The development server under load, and against calling the model directly.

`python benchmarks/serving.py` or, with the part's name, one of `load`, `overhead`,
`overload`, `reload`, `ready`, `memory`, `costs`. The models have random weights, which
cost the same.
"""

import contextlib
import functools
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import grpc
import numpy as np
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from load import Load, connect, request
from timing import interleaved

from sfcl_tf.config import load_config
from sfcl_tf.models import build_model
from sfcl_tf.serving import export_savedmodel, extra_files
from sfcl_tf.serving.dev_server.cost import cost

SECONDS = float(os.environ.get("SFCL_LOAD_SECONDS", "60"))
CLIENTS = 64
GAIN = {"crops": 1.5, "serving_default": 1.2}
OVERHEAD = 0.15
REQUESTS = int(os.environ.get("SFCL_LOAD_REQUESTS", "20000"))
SHAPES = 500
GROWTH = 64.0  # MB
WITHIN = 2.0  # times of what a call is said to cost
READY = {"tiny": 10.0, "paper": 40.0}
FIRST = 2.0
PORT = 18500


def export(preset, base, version=1):
    """Exports a model of random weights; returns its directory."""
    config = load_config(preset=preset, overrides=["model.spatial_weights=none"])
    path = base / str(version)
    export_savedmodel(
        build_model(config), config, path, extra=extra_files(base, config, {})
    )
    return path


def crops():
    """Real face crops of FaceForensics++ where there are some, else noise."""
    media = os.environ.get("SFCL_TEST_MEDIA")
    if media:
        paths = sorted(Path(media, "faces_ff").glob("*/*/*.png"))[:16]
        return [tf.io.decode_png(path.read_bytes()).numpy() for path in paths]
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (256, 256, 3)).astype("uint8") for _ in range(16)]


@contextlib.contextmanager
def server(base, *options):
    """Runs `sfcl serve`; gives its process and the seconds until it was ready."""
    command = [sys.executable, "-m", "sfcl_tf.cli", "serve", str(base)]
    command += ["--port", str(PORT), "--rest-port", "-1", *map(str, options)]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        with grpc.insecure_channel(f"127.0.0.1:{PORT}") as channel:
            health = health_pb2_grpc.HealthStub(channel)
            while not _serving(health):
                if process.poll() is not None:
                    raise RuntimeError("the server ended")
                time.sleep(0.05)
        yield process, time.perf_counter() - started
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _serving(health):
    try:
        answer = health.Check(health_pb2.HealthCheckRequest(), timeout=2)
    except grpc.RpcError:
        return False
    return answer.status == health_pb2.HealthCheckResponse.SERVING


def requests(path, signature):
    """Returns single-crop requests with the logits that the model gives directly."""
    call = tf.saved_model.load(str(path)).signatures[signature]
    found = []
    for crop in crops():
        inputs = _inputs(signature, [crop])
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        found.append((request(signature, inputs), call(**tensors)["logit"].numpy()))
    return found


def _inputs(signature, batch):
    if signature == "crops":
        return {"crops": np.stack(batch)}
    encoded = [tf.io.encode_png(crop).numpy() for crop in batch]
    return {"image_bytes": np.array(encoded, object)}


def told(name, value, holds):
    """Prints a claim; returns whether it holds."""
    print(f"  {name:<44}{value:<28}{'holds' if holds else 'DOES NOT HOLD'}", flush=True)
    return holds


def load(base):
    """Batched against unbatched, 64 clients at once, every answer checked."""
    path = export("tiny", base)
    good = True
    for signature, least in GAIN.items():
        asked = requests(path, signature)
        rates = {}
        print(f"\n{CLIENTS} clients, {SECONDS:g} s each, {signature}, one crop a call")
        for name, options in (("one by one", ("--max-batch", 1)), ("batched", ())):
            with server(base, *options):
                Load(f"127.0.0.1:{PORT}", asked, CLIENTS, 3)
                seen = Load(f"127.0.0.1:{PORT}", asked, CLIENTS, SECONDS)
            rates[name] = seen.throughput
            print(
                f"  {name:<12}{seen.throughput:7.1f} faces/s, p50 "
                f"{seen.percentile(50):.0f} ms, p99 {seen.percentile(99):.0f} ms, "
                f"{len(seen.latencies)} answers",
                flush=True,
            )
            bad = seen.wrong + sum(seen.failed.values()) + len(seen.refused)
            good &= told("wrong, lost or refused", str(bad), bad == 0)
        gain = rates["batched"] / rates["one by one"]
        claim = f"{gain:.2f}x (at least {least}x)"
        good &= told("batched against one by one", claim, gain >= least)
    return good


def overhead(base):
    """One client, batch 16: through the server against calling the model here."""
    path = export("tiny", base)
    call = tf.saved_model.load(str(path)).signatures["crops"]
    inputs = _inputs("crops", crops())
    message = request("crops", inputs)
    print("\nOne client, crops of 256 px, batch 16")
    with server(base):
        channel, stub = connect(f"127.0.0.1:{PORT}")
        with channel:
            times = interleaved(
                {
                    "direct": lambda: call(crops=tf.constant(inputs["crops"]))[
                        "logit"
                    ].numpy(),
                    "served": lambda: tf.make_ndarray(
                        stub.Predict(message, timeout=60).outputs["logit"]
                    ),
                },
                rounds=40,
                warm_up=5,
            )
    for name, values in times.items():
        print(f"  {name:<12}{statistics.median(values) * 1e3:7.1f} ms")
    pairs = zip(times["served"], times["direct"], strict=True)
    more = statistics.median(a / b for a, b in pairs) - 1
    return told("overhead", f"{more:.1%} (under {OVERHEAD:.0%})", more < OVERHEAD)


def overload(base):
    """More clients than calls that may run: the rest is refused at once."""
    path = export("tiny", base)
    asked = requests(path, "crops")
    print(f"\n{CLIENTS} clients, 8 calls at a time")
    with server(base, "--max-concurrent", 8):
        seen = Load(f"127.0.0.1:{PORT}", asked, CLIENTS, SECONDS / 3, pause=0.05)
    refused = float(np.percentile(seen.refused, 99)) * 1e3
    print(
        f"  {len(seen.latencies)} answered at p99 {seen.percentile(99):.0f} ms, "
        f"{len(seen.refused)} refused at p50 {np.median(seen.refused) * 1e3:.1f} ms, "
        f"p99 {refused:.1f} ms"
    )
    bad = seen.wrong + sum(seen.failed.values())
    good = told("wrong or lost", str(bad), bad == 0 and len(seen.latencies) > 0)
    typical = seen.percentile(50)
    return good & told(
        "refused before an answer would come (p99)",
        f"{refused:.0f} of {typical:.0f} ms",
        refused < typical,
    )


def reload(base):
    """A new version in the middle of the load: every call is answered."""
    path = export("tiny", base)
    asked = requests(path, "crops")
    newer = base.parent / "newer"
    shutil.copytree(path, newer)
    print(f"\n{CLIENTS} clients, a new version in the middle")
    with server(base, "--poll", 0.5):
        seen = Load(
            f"127.0.0.1:{PORT}",
            asked,
            CLIENTS,
            SECONDS,
            meanwhile=lambda: newer.rename(base / "2"),
        )
    bad = seen.wrong + sum(seen.failed.values()) + len(seen.refused)
    print(f"  answers by version: {dict(seen.versions)}")
    good = told("wrong, lost or refused", str(bad), bad == 0)
    return good & told("both versions answered", "", len(seen.versions) == 2)


def ready(base):
    """From start to ready, with the first request's time against the usual."""
    good = True
    for preset, most in READY.items():
        folder = base / preset
        path = export(preset, folder)
        asked = requests(path, "serving_default")
        with server(folder) as (_, seconds):
            channel, stub = connect(f"127.0.0.1:{PORT}")
            times = []
            with channel:
                grpc.channel_ready_future(channel).result(10)
                for message, _ in asked:
                    start = time.perf_counter()
                    stub.Predict(message, timeout=60)
                    times.append(time.perf_counter() - start)
        print(f"\n{preset}: all signatures")
        good &= told("ready after", f"{seconds:.1f} s (under {most:g})", seconds < most)
        ratio = times[0] / statistics.median(times[1:])
        claim = f"{ratio:.2f}x (at most {FIRST:g}x)"
        good &= told("first request against the usual", claim, ratio <= FIRST)
    return good


def memory(base):
    """Twenty thousand requests of five hundred sizes: answers, and memory after."""
    path = export("tiny", base)
    call = tf.saved_model.load(str(path)).signatures["crops"]
    rng, source = np.random.default_rng(0), crops()
    sizes = rng.choice(np.arange(64, 320 * 320), SHAPES, replace=False)
    asked = []
    for number, size in enumerate(sizes):
        side = 64 + size % 192, 64 + size // 320 % 192
        crop = cv2.resize(source[number % len(source)], side)[None]
        logits = call(crops=tf.constant(crop))["logit"].numpy()
        asked.append((request("crops", {"crops": crop}), logits))
    print(f"\n{CLIENTS} clients, {REQUESTS} crops of {len(asked)} random sizes")
    with server(base) as (process, _):
        # Memory of 128 threads, which the first thousands of requests divide up.
        Load(f"127.0.0.1:{PORT}", asked, CLIENTS, 3600, most=REQUESTS // 2)
        before = _resident(process.pid)
        seen = Load(f"127.0.0.1:{PORT}", asked, CLIENTS, 3600, most=REQUESTS)
        after = _resident(process.pid)
    print(
        f"  {seen.throughput:.1f} faces/s, p50 {seen.percentile(50):.0f} ms, p99 "
        f"{seen.percentile(99):.0f} ms"
    )
    lost = REQUESTS - len(seen.latencies)
    good = told("lost or refused", str(lost), lost == 0)
    good &= told("wrong", str(seen.wrong), seen.wrong == 0)
    change = f"{before:.0f} -> {after:.0f} MB"
    return good & told("memory before and after", change, after - before < GROWTH)


def _resident(pid):
    """Memory of a process in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def costs(base):
    """What calls take, in faces, against what admission takes them for."""
    rng, good = np.random.default_rng(0), True
    face = tf.io.encode_png(crops()[0]).numpy()
    large = cv2.resize(rng.integers(0, 256, (250, 250, 3)).astype("uint8"), (4000,) * 2)
    calls = {
        "16 faces": ("serving_default", [face] * 16),
        "16 explanations": ("explain", [face] * 16),
        "a frame of 16 megapixels, PNG": ("frame", [tf.io.encode_png(large).numpy()]),
        "the same, JPEG": ("frame", [tf.io.encode_jpeg(large).numpy()]),
        "the same, progressive": (
            "frame",
            [tf.io.encode_jpeg(large, progressive=True).numpy()],
        ),
        "a crop of 4 megapixels": (
            "serving_default",
            [tf.io.encode_jpeg(large[:2000, :2000]).numpy()],
        ),
    }
    box = np.array([[[1000, 1000, 1200, 1200]]], np.float32)
    signatures = tf.saved_model.load(str(export("tiny", base))).signatures
    runs, taken_for = {}, {}
    for name, (signature, encoded) in calls.items():
        inputs = {"image_bytes": np.array(encoded, object)}
        if signature == "frame":
            inputs["boxes"] = box
        tensors = {key: tf.constant(value) for key, value in inputs.items()}
        runs[name] = functools.partial(signatures[signature], **tensors)
        taken_for[name] = cost(signature, inputs)
    times = interleaved(runs, rounds=5, warm_up=2)
    one = statistics.median(times["16 faces"]) / 16
    print("\nCalls of `tiny`, in faces of 256 px")
    for name, values in times.items():
        faces = statistics.median(values) / one
        holds = faces <= WITHIN * taken_for[name]
        good &= told(name, f"{faces:.1f}, taken for {taken_for[name]}", holds)
    return good


PARTS = {
    part.__name__: part
    for part in (load, overhead, overload, reload, ready, memory, costs)
}


def main(names):
    """Runs parts and returns the exit code."""
    good = True
    for name in names or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            good &= PARTS[name](Path(folder, "model"))
    return int(not good)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
