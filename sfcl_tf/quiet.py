"""Importing TensorFlow without the start-up lines that no setting turns off."""

import os
import sys
import tempfile


def import_tensorflow() -> None:
    """Imports TensorFlow; what it writes to stderr meanwhile is dropped.

    TensorFlow logs how it was built before its own log level counts. Set
    `TF_CPP_MIN_LOG_LEVEL` to see everything. If the import fails, all is shown.
    """
    if "tensorflow" in sys.modules or "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        import tensorflow

        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as dropped:
        os.dup2(dropped.fileno(), 2)
        try:
            import tensorflow  # noqa: F401
        except BaseException:
            dropped.seek(0)
            os.write(kept, dropped.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
