"""Importing TensorFlow without the start-up lines that no setting turns off."""

import os
import sys
import tempfile

from sfcl_tf.system.leftovers import sweep_autograph

_WARNINGS_OFF = "2"
_QUIET = (_WARNINGS_OFF, "3")


def import_tensorflow() -> None:
    """Imports TensorFlow; what it writes to stderr meanwhile is dropped.

    TensorFlow logs how it was built before its own log level counts. Set
    `TF_CPP_MIN_LOG_LEVEL=0` to see everything. If the import fails, all is shown.
    """
    if "tensorflow" not in sys.modules:
        sweep_autograph()
    # Set for the processes of a pool too, which come here as well.
    level = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", _WARNINGS_OFF)
    if level not in _QUIET or "tensorflow" in sys.modules:
        import tensorflow

        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as dropped:
        os.dup2(dropped.fileno(), 2)
        try:
            import tensorflow

            # Looking for GPUs is logged too, as an error where there are none.
            tensorflow.config.list_physical_devices()
        except BaseException:
            dropped.seek(0)
            os.write(kept, dropped.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
