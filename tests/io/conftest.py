"""A local S3 server, and a collection of noise whose records go there.

The processes that touch `s3://` are others than that of the tests: they cannot be
torn down. What lies there is looked at through another client.
"""

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import av
import cv2
import numpy as np
import pytest

BUCKET = "bucket"


@dataclass(frozen=True)
class Store:
    """A bucket.

    Attributes:
        client: Looks at it.
        environment: What other processes need to find it.
    """

    client: Any
    environment: dict[str, str]

    def objects(self, prefix: str) -> dict[str, int]:
        """Returns the sizes of what lies below a prefix, by the rest of the key."""
        found = self.client.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return {
            item["Key"].removeprefix(prefix): item["Size"]
            for item in found.get("Contents", [])
        }

    def read(self, key: str) -> bytes:
        """Returns an object's content."""
        return self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()


@pytest.fixture(scope="session")
def store():
    """A server with one bucket."""
    for module in ("tensorflow_io", "moto", "etils"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: `make test-io` installs it")
    import boto3

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    environment = {
        "S3_ENDPOINT": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    try:
        _wait(port)
        client = boto3.client(
            "s3",
            endpoint_url=environment["S3_ENDPOINT"],
            region_name=environment["AWS_REGION"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        )
        client.create_bucket(Bucket=BUCKET)
        yield Store(client, environment)
        client.close()
    finally:
        server.terminate()
        server.wait()


def _wait(port):
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("The S3 server did not start within 60 s.")


@pytest.fixture
def python(store, tmp_path) -> Callable[..., subprocess.CompletedProcess]:
    """A function that runs a Python which finds the bucket, in an empty folder."""
    place = tmp_path / "place"
    place.mkdir()
    names = ("SFCL_DATA", "SFCL_RECORDS", "SFCL_RUNS")
    kept = {k: v for k, v in os.environ.items() if k not in names}

    def run(*argv):
        return subprocess.run(
            [sys.executable, *map(str, argv)],
            cwd=place,
            env={**kept, **store.environment, "COLUMNS": "100"},
            capture_output=True,
            text=True,
            timeout=900,
        )

    return run


@pytest.fixture
def sfcl(python):
    """A function that runs a command to its end, and returns what it printed."""

    def run(*argv):
        done = python("-m", "sfcl_tf.cli", *argv)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def collection(tmp_path_factory):
    """One real and one fake clip a split, in the demo's layout; fakes are smoothed."""
    folder = tmp_path_factory.mktemp("collection")
    real = folder / "original_sequences/youtube/c23/videos"
    fake = folder / "manipulated_sequences/Deepfakes/c23/videos"
    rng = np.random.default_rng(0)
    for path in (real, fake):
        path.mkdir(parents=True)
    # The first pair of each official split.
    for target, source in (("071", "054"), ("720", "672"), ("953", "974")):
        frames = rng.integers(60, 200, (8, 96, 96, 3)).astype("uint8")
        _write_clip(real / f"{target}.mp4", frames)
        smoothed = [cv2.blur(frame, (3, 3)) for frame in frames]
        _write_clip(fake / f"{target}_{source}.mp4", smoothed)
    return folder


def _write_clip(path, frames):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 96, 96, "yuv444p"
        for image in frames:
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
