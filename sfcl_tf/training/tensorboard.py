"""What TensorBoard shows of a training."""

import math
from pathlib import Path

import keras
import matplotlib
import numpy as np
import tensorflow as tf

from sfcl_tf.ops import ZIGZAG

_CROPS = 8
_CELL = 24  # pixels of a band in the picture
_MAPS = 12  # SIDA's: 4 statistics x row, column, intra; each of C x 64 bands


class TensorBoardLog(keras.callbacks.Callback):
    """Writes scalars, training crops, the weights of the bands, and histograms.

    Args:
        folder: Where the event files go.
        every: Steps between two points of the running scalars.
        histograms: Whether to draw every trainable weight after each epoch.
    """

    def __init__(self, folder: Path, every: int = 10, histograms: bool = False):
        super().__init__()
        self._writer = tf.summary.create_file_writer(str(folder))
        self._crops_shown = False
        self._every = every
        self._histograms = histograms

    def on_train_batch_end(self, batch, logs=None):
        step = self.model.step
        if step % self._every:
            return
        with self._writer.as_default(step):
            for name, value in logs.items():
                tf.summary.scalar(f"step/{name}", value)
            tf.summary.scalar("step/learning_rate", self.model.learning_rate)

    def on_epoch_end(self, epoch, logs=None):
        with self._writer.as_default(self.model.step):
            for name, value in logs.items():
                if math.isfinite(value):
                    tf.summary.scalar(f"epoch/{name}", value)
            if not self._crops_shown and self.model.sample is not None:
                shown = tf.cast(self.model.sample[:_CROPS], tf.uint8)
                tf.summary.image("training crops", shown, max_outputs=_CROPS)
                self._crops_shown = True
            weights = band_weights(self.model)
            if weights is not None:
                tf.summary.image("weights of the bands", draw_bands(weights)[None])
            if self._histograms:
                for variable in self.model.trainable_variables:
                    tf.summary.histogram(variable.path, variable.value)
        self._writer.flush()

    def on_train_end(self, logs=None):
        self._writer.flush()


def band_weights(model: keras.Model) -> np.ndarray | None:
    """Returns how strongly each DCT band enters HCMA's gate.

    Returns:
        `(C, 64)` root mean squares of the weights W_g (Eq. 16) over the gate's
        outputs and SIDA's twelve statistics, in zigzag order; `None` for a model
        without that gate.
    """
    hcma = next((x for x in model.layers if x.name == "hcma"), None)
    gate = getattr(hcma, "gate", None)
    if gate is None:
        return None
    kernel = gate.kernel.numpy()  # (12 * C * 64, dim)
    squares = np.square(kernel).mean(axis=1).reshape(_MAPS, -1, 64)
    return np.sqrt(squares.mean(axis=0))


def draw_bands(weights: np.ndarray) -> np.ndarray:
    """Draws bands as 8x8 charts side by side, the mean (DC) at the upper left.

    Args:
        weights: `(C, 64)` numbers in zigzag order; each chart has its own scale.

    Returns:
        `(8 * 24, C * 9 * 24, 3)` uint8 RGB.
    """
    charts = []
    for channel in weights:
        natural = np.empty(64)
        natural[np.asarray(ZIGZAG)] = channel
        low, high = natural.min(), natural.max()
        unit = (natural.reshape(8, 8) - low) / max(high - low, 1e-12)
        colours = matplotlib.colormaps["viridis"](unit)[..., :3]
        chart = np.kron(colours, np.ones((_CELL, _CELL, 1)))
        charts.append(np.pad(chart, ((0, 0), (0, _CELL), (0, 0)), constant_values=1))
    return np.round(np.concatenate(charts, axis=1) * 255).astype("uint8")
