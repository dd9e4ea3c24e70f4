"""What all engines have in common."""

import abc

import numpy as np

from sfcl_tf.ops import SIDA_SIZE

PRECISIONS = ("float32", "bf16", "int8")


class Engine(abc.ABC):
    """A model's forward pass, by whatever computes it.

    May be called from several threads.

    Attributes:
        name: `"tensorflow"`, `"openvino"` or `"onnx"`.
        precision: `"float32"`, `"bf16"` or `"int8"`.
        image_size: Side of the image in pixels.
    """

    name: str

    def __init__(self, precision: str, image_size: int):
        self.precision = precision
        self.image_size = image_size

    def __call__(self, inputs) -> np.ndarray:
        """Scores a batch.

        Args:
            inputs: `image` `(B, S, S, 3)` RGB in 0..255, uint8 or float, and `sida`
                `(B, 2304)`, of any size of batch.

        Returns:
            The logits, `(B,)` float32.

        Raises:
            ValueError: If a shape is another one.
        """
        arrays = {
            name: np.ascontiguousarray(inputs[name], np.float32)
            for name in ("image", "sida")
        }
        shapes = {name: array.shape for name, array in arrays.items()}
        count, size = len(arrays["image"]), self.image_size
        if not count or shapes != {
            "image": (count, size, size, 3),
            "sida": (count, SIDA_SIZE),
        }:
            raise ValueError(
                f"Expected image (B, {size}, {size}, 3) and sida (B, {SIDA_SIZE}). "
                f"Received: {shapes['image']} and {shapes['sida']}."
            )
        return self._logits(arrays).reshape(count).astype(np.float32, copy=False)

    @abc.abstractmethod
    def _logits(self, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """Computes logits `(B, 1)` or `(B,)` of checked, contiguous float32 arrays."""
