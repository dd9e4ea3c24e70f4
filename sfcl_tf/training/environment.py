"""What a run was made with."""

import importlib.metadata
import json
import platform
import subprocess
import sys
from pathlib import Path

import tensorflow as tf

from sfcl_tf import __version__

_PACKAGES = ("tensorflow", "keras", "numpy", "opencv-python-headless", "av", "dlib-bin")


def write_environment(path: Path, manifest, config, strategy) -> None:
    """Writes versions, devices, revision, data fingerprint and seed as JSON."""
    values = {
        "sfcl_tf": __version__,
        "revision": _revision(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "devices": [d.name for d in tf.config.list_logical_devices()],
        "replicas": strategy.num_replicas_in_sync,
        "dataset": manifest.card,
        "fingerprint": manifest.fingerprint,
        "seed": config.train.seed,
        "arguments": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }
    path.write_text(json.dumps(values, indent=2), "utf-8")


def _revision() -> str:
    """Returns the checkout's git revision, `unknown` for an installed package."""
    folder = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],  # noqa: S607
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return found.stdout.strip()
