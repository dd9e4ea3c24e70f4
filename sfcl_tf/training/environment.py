"""What a run was made with, and whether what is there still fits it."""

import importlib.metadata
import platform
import subprocess
import sys
import time
from pathlib import Path

import tensorflow as tf

from sfcl_tf import __version__
from sfcl_tf.runs.format import RUN_FORMAT, read_environment
from sfcl_tf.system.errors import DataError
from sfcl_tf.system.output import write_json

_PACKAGES = ("tensorflow", "keras", "numpy", "opencv-python-headless", "av", "dlib-bin")
_SPLITS = ("train", "val")


def write_environment(path: Path, manifest, config, strategy) -> None:
    """Writes versions, devices, revision, data fingerprint and seed as JSON."""
    values = {
        "run_format": RUN_FORMAT,
        **_here(strategy),
        "dataset": manifest.card,
        "fingerprint": manifest.fingerprint,
        "records": {split: manifest.digest(split) for split in _SPLITS},
        "data_errors": list(manifest.errors),
        "seed": config.train.seed,
        "resumed": [],
    }
    write_json(path, values)


def note_resumed(path: Path, manifest, strategy, step: int) -> None:
    """Adds to `env.json` with what, and at which step, a training goes on.

    Raises:
        DataError: If the data is not what the training began with.
    """
    values = read_environment(path.parent)
    now = {split: manifest.digest(split) for split in _SPLITS}
    before = values.get("records", now)
    if changed := [split for split in _SPLITS if now[split] != before.get(split)]:
        raise DataError(
            f"Expected the records that the run in {path.parent} began with. Received "
            f"others in {manifest.folder}: the split{'s' * (len(changed) > 1)} "
            f"{' and '.join(changed)} changed since (files added, removed, or prepared "
            "anew). Give back the earlier records by --records, or start a new run."
        )
    values.setdefault("resumed", []).append({"step": step, **_here(strategy)})
    write_json(path, values)


def _here(strategy):
    return {
        "sfcl_tf": __version__,
        "revision": _revision(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "devices": [d.name for d in tf.config.list_logical_devices()],
        "replicas": strategy.num_replicas_in_sync,
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "arguments": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }


def _revision() -> str:
    """Returns the checkout's git revision, `unknown` for an installed package."""
    folder = Path(__file__).parent
    try:
        result = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],  # noqa: S607
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return result.stdout.strip()
