"""A run: where it lies, what its files are called, and what of a data set is scored.

Names resolve when they are first used; none of them needs TensorFlow.
"""

from sfcl_tf.system.lazy import lazy

_PUBLIC = {"Run": "run", "Selection": "selection"}
__all__ = sorted(_PUBLIC)
__getattr__ = lazy(__name__, _PUBLIC)
