"""Fixtures that all tests share."""

import os
import runpy
import socket
import tempfile
from pathlib import Path

import av
import numpy as np
import pytest

from sfcl_tf.system.quiet import import_tensorflow

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

GUARD = Path(__file__).parent / "guard"
# Of each worker its own, so that a test is told what it tried itself.
_TRIED = Path(tempfile.mkdtemp(prefix="sfcl-guard-"), "tried")
os.environ["SFCL_GUARD"] = str(_TRIED)
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, (str(GUARD), os.environ.get("PYTHONPATH")))
)
runpy.run_path(str(GUARD / "sitecustomize.py"))

# Fixtures of several rooms. They import TensorFlow when they are used, not here.
pytest_plugins = ["fixtures.collection", "fixtures.served", "fixtures.small_run"]


def pytest_configure(config):
    """Imports TensorFlow without its start-up lines, where tests will run."""
    runs_tests = hasattr(config, "workerinput") or not getattr(
        config.option, "numprocesses", None
    )
    if runs_tests and not config.option.collectonly:
        import_tensorflow()


def pytest_collection_modifyitems(items):
    """Puts the slow tests first, so that parallel workers end together."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def nothing_leaves_this_machine():
    """Lets a test fail whose processes tried to reach other machines."""
    yield
    if _TRIED.exists():
        tried = _TRIED.read_text()
        _TRIED.unlink()
        pytest.fail(f"Connections that leave this machine:\n{tried}")


@pytest.fixture(scope="session")
def media() -> Path:
    """The folder of real sample media; they are not part of the project."""
    folder = os.environ.get("SFCL_TEST_MEDIA")
    if not folder:
        pytest.skip("SFCL_TEST_MEDIA is unset: no real media to test on")
    return Path(folder)


@pytest.fixture(scope="session")
def face_crops(media):
    """20 crops of FaceForensics++: `(images, labels)`, uint8 RGB and 1 = fake."""
    import cv2

    paths = sorted((media / "faces_ff").glob("*/*/*.png"))
    images = [cv2.imread(str(path))[..., ::-1].copy() for path in paths]
    labels = [int(path.parts[-3] != "real") for path in paths]
    return images, labels


@pytest.fixture
def start():
    """Starts programs, and ends those that a failed test leaves behind."""
    from processes import Process

    started = []

    def make(*arguments, **options):
        started.append(Process(*arguments, **options))
        return started[-1]

    yield make
    for each in started:
        each.kill()


@pytest.fixture
def free_addresses():
    """Two addresses of this machine at which nothing listens."""
    with socket.socket() as one, socket.socket() as two:
        for each in (one, two):
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{s.getsockname()[1]}" for s in (one, two)]


@pytest.fixture(scope="session")
def write_clip():
    """A function that encodes `(T, H, W, 3)` uint8 RGB as H.264 in MP4."""

    def write(path, frames, *, crf=23, pixel_format="yuv444p", **container_options):
        with av.open(str(path), "w", container_options=container_options) as container:
            options = {"crf": str(crf), "preset": "ultrafast", "threads": "1"}
            stream = container.add_stream("libx264", rate=25, options=options)
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = pixel_format
            for image in frames:
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return write


@pytest.fixture(scope="session")
def noise():
    """30 frames of noise, which no encoder makes small."""
    return np.random.default_rng(0).integers(0, 256, (30, 64, 96, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def astronaut():
    """300 x 300 px with one face."""
    return pytest.importorskip("skimage.data").astronaut()[:300, 60:360].copy()
