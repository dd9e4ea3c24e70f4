"""The dtype of what must not be computed in half precision."""

import keras


def full_precision() -> str:
    """Returns `"float64"` where that is Keras's default, else `"float32"`."""
    return "float64" if keras.config.floatx() == "float64" else "float32"
