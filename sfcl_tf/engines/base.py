"""What all engines have in common."""

import abc
from collections.abc import Mapping, Sequence

import numpy as np

PRECISIONS = ("float32", "bf16", "int8")


class Engine(abc.ABC):
    """A model's forward pass, by whatever computes it.

    May be called from several threads.

    Attributes:
        name: `"tensorflow"`, `"openvino"` or `"onnx"`.
        precision: `"float32"`, `"bf16"` or `"int8"`.
        shapes: Of the inputs that it reads, by name, without the batch.
    """

    name: str

    def __init__(self, precision: str, shapes: Mapping[str, Sequence[int]]):
        self.precision = precision
        self.shapes = {name: tuple(shape) for name, shape in shapes.items()}

    @property
    def image_size(self) -> int:
        """Side of the image in pixels."""
        return self.shapes["image"][0]

    def __call__(self, inputs) -> np.ndarray:
        """Scores a batch.

        Args:
            inputs: What `sfcl_tf.inputs.preprocess.Preprocessor` makes, uint8 or
                float, of any size of batch; what is not in `shapes` is not read.

        Returns:
            The logits, `(B,)` float32.

        Raises:
            ValueError: If a shape is another one.
        """
        arrays = {
            name: np.ascontiguousarray(inputs[name], np.float32) for name in self.shapes
        }
        count = len(arrays["image"])
        if not count or any(
            array.shape != (count, *self.shapes[name]) for name, array in arrays.items()
        ):
            expected = " and ".join(
                f"{name} (B, {', '.join(map(str, shape))})"
                for name, shape in self.shapes.items()
            )
            received = " and ".join(str(array.shape) for array in arrays.values())
            raise ValueError(f"Expected {expected}. Received: {received}.")
        return self._logits(arrays).reshape(count).astype(np.float32, copy=False)

    @abc.abstractmethod
    def _logits(self, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """Computes logits `(B, 1)` or `(B,)` of checked, contiguous float32 arrays."""
