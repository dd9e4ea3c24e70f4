"""A run: where it lies, what its files are called, and what of a data set is scored.

Names resolve when they are first used; none of them needs TensorFlow.
"""

import importlib

_PUBLIC = {"Run": "run", "Selection": "selection"}
__all__ = sorted(_PUBLIC)


def __getattr__(name):
    if name in _PUBLIC:
        module = importlib.import_module(f"sfcl_tf.runs.{_PUBLIC[name]}")
        return getattr(module, name)
    raise AttributeError(f"module 'sfcl_tf.runs' has no attribute {name!r}")
