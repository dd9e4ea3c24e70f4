"""Requests that a server replays before it says that it is ready."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

_SIDE = 256
_BATCHES = (1, 16)


def warmup_inputs() -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yields a signature's name and its inputs, for every signature.

    The pictures are a colour ramp with noise: no face, but a crop's usual size.
    """
    crop = _picture(_SIDE, _SIDE)
    frame = _picture(480, 640)
    encoded = tf.io.encode_png(crop).numpy()
    for count in _BATCHES:
        yield "serving_default", {"image_bytes": np.array([encoded] * count, object)}
        yield "crops", {"crops": np.stack([crop] * count)}
    yield (
        "frame",
        {
            "image_bytes": np.array([tf.io.encode_jpeg(frame).numpy()], object),
            "boxes": np.array([[[200, 120, 400, 320]]], np.float32),
        },
    )
    for name in ("features", "explain"):
        yield name, {"image_bytes": np.array([encoded], object)}


def warmup_file(model_name: str) -> bytes | None:
    """Returns the requests as TensorFlow Serving reads them, PredictionLogs.

    Args:
        model_name: The name under which the model will be served.

    Returns:
        The file's bytes; `None` where tensorflow-serving-api is not installed.
    """
    try:
        from tensorflow_serving.apis import prediction_log_pb2
    except ImportError:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "requests")
        with tf.io.TFRecordWriter(str(path)) as writer:
            for signature, inputs in warmup_inputs():
                log = prediction_log_pb2.PredictionLog()
                request = log.predict_log.request
                request.model_spec.name = model_name
                request.model_spec.signature_name = signature
                set_inputs(request, inputs)
                writer.write(log.SerializeToString())
        return path.read_bytes()


def set_inputs(request, inputs: Mapping[str, np.ndarray]) -> None:
    """Puts arrays into a PredictRequest; objects become strings."""
    for name, value in inputs.items():
        kind = tf.string if value.dtype == object else None
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value, kind))


def _picture(height, width):
    y, x = np.mgrid[:height, :width]
    ramp = np.stack([x * 255 / width, y * 255 / height, 255 - x * 255 / width], -1)
    noise = np.random.default_rng(0).normal(0, 6, ramp.shape)
    return np.clip(ramp + noise, 0, 255).astype(np.uint8)
