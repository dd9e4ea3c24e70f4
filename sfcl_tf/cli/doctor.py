"""Check the installation: versions, devices, codecs, weights, data.

sfcl doctor
"""

import importlib
import importlib.metadata
import os
import platform
from pathlib import Path

from sfcl_tf.system.quiet import import_tensorflow

_PACKAGES = (
    "tensorflow",
    "keras",
    "numpy",
    "scipy",
    "opencv-python-headless",
    "av",
    "dlib-bin",
    "matplotlib",
    "rich",
    "tensorboard",
)
_OPTIONAL = {
    "scikit-image": "demo",
    "scikit-learn": "tune",
    "ray": "cluster",
    "tensorflow-serving-api": "serve",
    "openvino": "openvino",
    "onnxruntime": "onnx",
    "gradio": "app",
    "tensorflow-io": "io",
}


def add_arguments(parser):
    """Adds nothing: the subcommand takes no arguments of its own."""


def run(args):
    """Runs the subcommand; returns 1 if something needed is missing."""
    from rich.table import Table

    from sfcl_tf.cli.console import console, say

    rows = [
        *_versions(),
        *_checks(),
        *_weights(),
        *_data(),
    ]
    table = Table(title="sfcl doctor", title_justify="left", title_style="bold")
    for column in ("check", "state", "found"):
        table.add_column(column)
    for name, state, detail in rows:
        table.add_row(name, state, detail)
    console.print(table)
    failed = [name for name, state, _ in rows if state == "MISSING"]
    if failed:
        say(f"Missing: {', '.join(failed)}. Install the package again: pip install .")
        return 1
    say("All that is needed is there.")
    return 0


def _versions():
    yield "python", "ok", platform.python_version()
    for name in _PACKAGES:
        version = _version(name)
        yield name, "ok" if version else "MISSING", version or "not installed"
    for name, extra in _OPTIONAL.items():
        version = _version(name)
        yield name, "ok" if version else "optional", version or f"extra [{extra}]"


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _checks():
    for name, check in (
        ("devices", _devices),
        ("video decoding and x264", _codecs),
        ("face detector", _detector),
        ("data-set cards", _cards),
    ):
        try:
            yield name, "ok", check()
        except Exception as error:  # whatever is wrong is what is told
            yield name, "MISSING", f"{type(error).__name__}: {error}"


def _devices():
    import_tensorflow()
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    text = f"{len(gpus)} GPU, {os.cpu_count()} CPU cores"
    return text if gpus else f"{text} (TF_CPP_MIN_LOG_LEVEL=0 tells why no GPU)"


def _codecs():
    import av

    av.codec.Codec("libx264", "w")
    av.codec.Codec("h264", "r")
    return f"FFmpeg libavcodec {'.'.join(map(str, av.library_versions['libavcodec']))}"


def _detector():
    import dlib

    dlib.get_frontal_face_detector()
    return f"dlib {dlib.__version__}, HOG"


def _cards():
    from sfcl_tf.catalog.cards import card_names

    return ", ".join(card_names())


def _weights():
    from sfcl_tf.models.weights import KNOWN, resolve_weights
    from sfcl_tf.system.errors import ModelError

    for network in KNOWN:
        try:
            yield f"weights {network}", "ok", str(resolve_weights("imagenet", network))
        except ModelError as error:
            yield f"weights {network}", "optional", str(error).split(". ", 1)[0]


def _data():
    roots = [r for r in os.environ.get("SFCL_DATA", "").split(os.pathsep) if r]
    if not roots:
        yield "SFCL_DATA", "optional", "not set"
    for root in roots:
        state = "ok" if Path(root.rpartition("=")[2]).is_dir() else "absent"
        yield "SFCL_DATA", state, root
