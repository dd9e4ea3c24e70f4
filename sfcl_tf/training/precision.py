"""In which numbers a model computes, and whether twice the same."""

import keras
import tensorflow as tf

from sfcl_tf.config import TrainConfig


def set_precision(options: TrainConfig) -> str:
    """Sets Keras's dtype policy and TensorFlow's determinism for what follows.

    A `floatx` of `"float64"` stays, for comparisons that rounding would hide.

    Args:
        options: `config.train`.

    Returns:
        The policy's name, `auto` resolved: bfloat16 needs a GPU that computes in it
        (compute capability 8.0), and is slower than float32 elsewhere.
    """
    policy = options.precision
    if policy == "auto":
        policy = "mixed_bfloat16" if _gpus_have_bfloat16() else "float32"
    if policy == "float32":
        policy = keras.config.floatx()
    keras.config.set_dtype_policy(policy)
    if options.deterministic:
        tf.config.experimental.enable_op_determinism()
    return policy


def _gpus_have_bfloat16() -> bool:
    gpus = tf.config.get_visible_devices("GPU")
    found = [
        tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))
        for gpu in gpus
    ]
    return bool(found) and min(found) >= (8, 0)
