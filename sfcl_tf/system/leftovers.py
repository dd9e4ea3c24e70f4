"""Temporary files of processes that were killed."""

import contextlib
import tempfile
import time
from pathlib import Path

from sfcl_tf.system import portable

_AUTOGRAPH = "__autograph_generated_file*.py"
"""TensorFlow's, one a converted function, which it removes at a usual end alone."""

_STALE = 24 * 3600.0


def sweep_autograph() -> int:
    """Removes AutoGraph's files of more than a day; returns how many.

    One that is in use would be missed by a traceback alone: it is imported already.
    """
    removed, until = 0, time.time() - _STALE
    for path in Path(tempfile.gettempdir()).glob(_AUTOGRAPH):
        with contextlib.suppress(OSError):  # another sweeps too
            stat = path.lstat()
            if portable.is_own(stat) and stat.st_mtime < until and path.is_file():
                path.unlink()
                removed += 1
    return removed
