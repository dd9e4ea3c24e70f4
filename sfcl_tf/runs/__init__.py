"""A run: where it lies, what its files are called, and what of a data set is scored.

Names resolve when they are first used; none of them needs TensorFlow.
"""

from typing import TYPE_CHECKING

from sfcl_tf.system.lazy import lazy

if TYPE_CHECKING:
    from sfcl_tf.runs.run import Run
    from sfcl_tf.runs.selection import Selection

_PUBLIC = {"Run": "run", "Selection": "selection"}
__all__ = ["Run", "Selection"]
__getattr__ = lazy(__name__, _PUBLIC)
