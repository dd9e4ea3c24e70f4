"""The form of a run directory, which other versions of the package may not share."""

import json
from pathlib import Path

from sfcl_tf.system.errors import ModelError

RUN_FORMAT = 1
"""Raised when a run directory of before can no longer be read."""


def require_format(run_dir: Path) -> None:
    """Raises where a run directory is of another version.

    Raises:
        ModelError: It names the version that made it.
    """
    try:
        values = json.loads((Path(run_dir) / "env.json").read_text("utf-8"))
    except (OSError, ValueError):
        return  # what is missing is told by whoever needs it
    version = values.get("run_format", 0)
    if version != RUN_FORMAT:
        raise ModelError(
            f"Expected a run of format {RUN_FORMAT}. Received: {run_dir} of format "
            f"{version}, made by sfcl_tf {values.get('sfcl_tf', 'unknown')}. Use that "
            "version for it, or train anew."
        )
