"""In which numbers a model computes, and whether twice the same."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

from sfcl_tf.config import TrainConfig


@contextlib.contextmanager
def precision(options: TrainConfig) -> Iterator[str]:
    """Sets Keras's dtype policy for what is built within, and puts it back.

    Also switches TensorFlow's determinism on where it is asked for, which TensorFlow
    cannot switch off again. A `floatx` of `"float64"` stays, for comparisons that
    rounding would hide.

    Args:
        options: `config.train`.

    Yields:
        The policy's name, `auto` resolved: bfloat16 needs a GPU that computes in it
        (compute capability 8.0), and is slower than float32 elsewhere.
    """
    policy = options.precision
    if policy == "auto":
        policy = "mixed_bfloat16" if _gpus_have_bfloat16() else "float32"
    if policy == "float32":
        policy = keras.config.floatx()
    if options.deterministic:
        tf.config.experimental.enable_op_determinism()
    with dtype_policy(policy):
        yield policy


@contextlib.contextmanager
def dtype_policy(policy: str) -> Iterator[None]:
    """Sets Keras's dtype policy for what is built within, and puts it back."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _gpus_have_bfloat16() -> bool:
    gpus = tf.config.get_visible_devices("GPU")
    capabilities = [
        tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))
        for gpu in gpus
    ]
    return bool(capabilities) and min(capabilities) >= (8, 0)
