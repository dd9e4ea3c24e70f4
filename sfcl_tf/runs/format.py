"""The form of a run directory, which other versions of the package may not share."""

from pathlib import Path
from typing import Any

from sfcl_tf.runs import files, schemas
from sfcl_tf.system.errors import ModelError

RUN_FORMAT = 1
"""Raised when a run directory of before can no longer be read."""


def read_environment(run_dir: Path) -> dict[str, Any]:
    """Returns what `env.json` says; empty where it is absent or damaged."""
    try:
        return schemas.ENVIRONMENT.read(Path(run_dir) / files.ENVIRONMENT)
    except (OSError, ModelError):
        return {}


def require_format(run_dir: Path) -> None:
    """Raises where a run directory is of another version.

    Raises:
        ModelError: It names the version that made it.
    """
    values = read_environment(run_dir)
    if not values:
        return  # what is missing is told by whoever needs it
    version = values.get("run_format", 0)
    if version != RUN_FORMAT:
        raise ModelError(
            f"Expected a run of format {RUN_FORMAT}. Received: {run_dir} of format "
            f"{version}, made by sfcl_tf {values.get('sfcl_tf', 'unknown')}. Use that "
            "version for it, or train anew."
        )
