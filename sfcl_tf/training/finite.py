"""Telling of a training whose numbers are finite no longer."""

from pathlib import Path

import keras
import tensorflow as tf

from sfcl_tf.config import TrainConfig
from sfcl_tf.system.errors import SfclError

_SLOWER = 10  # times


class NotFiniteError(SfclError):
    """The loss, a weight or a logit is NaN or infinite."""


class FiniteGuard:
    """Raises where a training's numbers are not finite, and says how to go on.

    Args:
        run_dir: The run's directory.
        options: Its `config.train`.
    """

    def __init__(self, run_dir: Path, options: TrainConfig):
        self._run_dir, self._options = run_dir, options

    def loss(self, value: float, step: int, examples: list[str]) -> NotFiniteError:
        """Returns the error of a step's loss."""
        return self._error(
            f"a finite loss. Received: {value} in step {step}, whose batch holds "
            f"{'; '.join(examples)}",
            "Look at these records (`sfcl check`), or train",
        )

    def require_weights(self, model: keras.Model) -> None:
        """Raises if a weight is not finite.

        Raises:
            NotFiniteError: It names the weight.
        """
        for variable in model.trainable_variables:
            if not tf.reduce_all(tf.math.is_finite(variable.value)):
                raise self._error(
                    f"finite weights. Received: NaN or infinity in {variable.path}",
                    "Train",
                )

    def logits(self, count: int, total: int) -> NotFiniteError:
        """Returns the error of validation logits of which some are not finite."""
        return self._error(
            f"finite logits. Received: NaN or infinity in {count} of {total} of the "
            "split val",
            "Train",
        )

    def _error(self, expected, step) -> NotFiniteError:
        # A run goes on with its own settings alone, and would come to the same.
        rate = self._options.learning_rate / _SLOWER
        clip = "" if self._options.clip_norm else " --set train.clip_norm=1"
        return NotFiniteError(
            f"Expected {expected}. The last checkpoint and the best one are kept. "
            f"{step} anew, more slowly: sfcl train --config "
            f"{self._run_dir / 'config.toml'} --set train.learning_rate={rate:g}{clip}"
        )
