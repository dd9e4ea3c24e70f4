"""A model's forward pass over a data set."""

import keras
import numpy as np
import tensorflow as tf

from sfcl_tf.evaluation.predictions import Predictions
from sfcl_tf.records.reading import readable


class Predictor:
    """A model's forward pass in inference mode, traced once for any batch size.

    Args:
        model: A model of `{image, sida}`.
    """

    def __init__(self, model: keras.Model):
        signature = {
            tensor.name: tf.TensorSpec(tensor.shape, tf.float32)  # tf.data's
            for tensor in model.inputs
        }
        self._forward = tf.function(
            lambda inputs: model(inputs, training=False),
            input_signature=[signature],
            jit_compile=False,
        )

    def __call__(self, inputs) -> np.ndarray:
        """Returns the logits `(B,)` of a batch of `{image, sida}`."""
        return self._forward(inputs).numpy()[:, 0]

    def logits(self, dataset) -> tuple[np.ndarray, np.ndarray]:
        """Returns labels (int64) and logits (float64), `(N,)` each, of a dataset."""
        labels, logits = [], []
        for inputs, label, _ in dataset:
            labels.append(label.numpy()[:, 0])
            logits.append(self(inputs))
        return (
            np.concatenate(labels).astype("int64"),
            np.concatenate(logits).astype("float64"),
        )

    def predictions(
        self, dataset, *, name: str, split: str, on_batch=None
    ) -> Predictions:
        """Scores a dataset of `({image, sida}, label, meta)`.

        Args:
            dataset: As `InputPipeline.evaluation` gives it.
            name: The data set's name.
            split: The split's name.
            on_batch: Called with the number of frames scored so far.
        """
        labels, logits = [], []
        meta: dict[str, list] = {}
        done = 0
        for inputs, label, fields in readable(dataset, f"the split {split}"):
            labels.append(label.numpy()[:, 0])
            logits.append(self(inputs))
            for field, values in fields.items():
                meta.setdefault(field, []).append(values.numpy())
            done += len(labels[-1])
            if on_batch:
                on_batch(done)
        fields = {field: np.concatenate(values) for field, values in meta.items()}
        return Predictions(
            dataset=np.full(done, name),
            split=np.full(done, split),
            method=_text(fields["method"]),
            video_id=_text(fields["video_id"]),
            frame_index=fields["frame_index"],
            time_s=fields["time"],
            track_id=fields["track"],
            label=np.concatenate(labels),
            logit=np.concatenate(logits),
            crf=fields["crf"],
            pixel_format=_text(fields["pixel_format"]),
            frame_height=fields["frame_height"],
            face_size=fields["face_size"],
        )


def _text(values):
    return np.array([value.decode("utf-8") for value in values], object)
