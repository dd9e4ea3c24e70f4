import json

import keras

from sfcl_tf.layers.precision import full_precision


@keras.saving.register_keras_serializable(package="sfcl_tf")
class Logit(keras.layers.Dense):
    """The one unit that a detector ends in; it tells of what the model is made.

    What it tells travels with the model wherever its layers' configurations do: into
    files, clones and graphs that are built anew. Its weights are those of a `Dense`.
    Always computes in full precision.

    Args:
        parts: Names of the model's layers as plain JSON; see
            `sfcl_tf.models.parts.Parts`.
        units: 1.
        **kwargs: Passed to `keras.layers.Dense`.

    Call arguments:
        inputs: `(B, D)` embedding.

    Returns:
        `(B, 1)` logit; sigmoid of it is P(fake).

    Raises:
        ValueError: If `units` is not 1.
        TypeError: If `parts` is not plain JSON.
    """

    def __init__(self, parts=None, units: int = 1, **kwargs):
        if units != 1:
            raise ValueError(f"Expected `units` of 1. Received: units={units}.")
        kwargs.setdefault("dtype", full_precision())
        super().__init__(units, **kwargs)
        # As text: Keras wraps lists and dicts that are attributes.
        self._parts = json.dumps(parts or {})

    @property
    def parts(self) -> dict:
        """What the model says of its layers."""
        return json.loads(self._parts)

    def get_config(self):
        return {**super().get_config(), "parts": self.parts}
