"""Holding an engine against Keras."""

from collections.abc import Iterable

import numpy as np

from sfcl_tf.engines.base import Engine
from sfcl_tf.system.errors import ModelError

TOLERANCE = 1e-3
"""How far a float32 engine's logit may be from Keras's."""


def verify_engine(
    engine: Engine, batches: Iterable[dict], logits: np.ndarray
) -> tuple[float, np.ndarray]:
    """Holds an engine against Keras's logits on the same crops.

    Args:
        engine: The engine.
        batches: `{image, sida}`, together `N` crops.
        logits: `(N,)` logits that Keras gave for them, in float32.

    Returns:
        The largest absolute difference of a logit, and the engine's logits `(N,)`.

    Raises:
        ModelError: If it is above 1e-3 for a float32 engine, or not a number for
            any.
    """
    actual = np.concatenate([engine(batch) for batch in batches])
    largest = float(np.abs(actual - logits).max())
    if engine.precision == "float32" and not largest <= TOLERANCE:
        raise ModelError(
            f"Expected {engine.name} to agree with Keras within {TOLERANCE:g}. "
            f"Received: a difference of {largest:.3g} in the logit. Do not use it; "
            "please report this with the run's config.toml."
        )
    if not np.isfinite(actual).all():
        raise ModelError(
            f"Expected finite logits of {engine.name} in {engine.precision}. Received: "
            f"{np.sum(~np.isfinite(actual))} of {len(actual)} are not. Export float32."
        )
    return largest, actual
