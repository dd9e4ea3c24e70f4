"""The SavedModel: face crops as image bytes in, logit and score out."""

import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from sfcl_tf.config import Config
from sfcl_tf.data.crop import crop_face
from sfcl_tf.data.inputs import model_inputs, tf_basis
from sfcl_tf.data.region import GRID
from sfcl_tf.errors import ModelError

TOLERANCE = 1e-4


def export_savedmodel(
    model: keras.Model,
    config: Config,
    path: Path,
    check: Callable[[Path], float] | None = None,
) -> float | None:
    """Writes a SavedModel that decodes, resizes and transforms in graph.

    `serving_default` takes `image_bytes`, string `(B,)`: JPEG or PNG face crops as
    `crop_face` gives them, at native resolution. A crop that is not square is cut
    to its centre, never stretched. It gives `logit` and `score`, float32 `(B,)`;
    score is P(fake).

    Args:
        model: The trained model.
        config: Its run's configuration.
        path: The directory to write, its last part a version number; replaced if
            it exists.
        check: Called with the directory before it is renamed to `path`; what it
            raises keeps the model from being published.

    Returns:
        What `check` returned.
    """
    size, channels = config.model.image_size, config.data.dct_channels
    snap = GRID if config.data.snap_to_grid else 1
    basis = tf_basis()

    def preprocess(encoded):
        image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        image = tf.ensure_shape(image, (None, None, 3))
        height, width = tf.unstack(tf.shape(image)[:2])
        crop = crop_face(image, [0, 0, width, height], margin=1.0, snap=snap)
        return model_inputs(crop, size, basis, channels, sida=config.model.reads_sida)

    def serve(image_bytes):
        inputs = tf.map_fn(
            preprocess,
            image_bytes,
            fn_output_signature={
                "image": tf.TensorSpec((size, size, 3), tf.float32),
                "sida": tf.TensorSpec((model.inputs[1].shape[-1],), tf.float32),
            },
        )
        logit = tf.cast(model(inputs, training=False)[:, 0], tf.float32)
        return {"logit": logit, "score": tf.sigmoid(logit)}

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serving_default",
        serve,
        input_signature=[tf.TensorSpec((None,), tf.string, name="image_bytes")],
    )
    temporary = path.with_name(f".tmp.{path.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.parent.mkdir(parents=True, exist_ok=True)
    try:
        archive.write_out(str(temporary), verbose=False)
        checked = check(temporary) if check else None
        if path.exists():
            shutil.rmtree(path)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return checked


def verify_savedmodel(path: Path, crops, logits: np.ndarray, batch_size: int) -> float:
    """Holds a SavedModel against Keras's logits on the same crops.

    Args:
        path: The SavedModel's directory.
        crops: Iterable of `(side, side, 3)` uint8 RGB crops.
        logits: `(N,)` logits that Keras gave for them.
        batch_size: Crops in a call.

    Returns:
        The largest absolute difference of a logit.

    Raises:
        ModelError: If it is above 1e-4.
    """
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    encoded = (tf.io.encode_png(crop).numpy() for crop in crops)
    largest, start = 0.0, 0
    for batch in _batches(encoded, batch_size):
        found = serve(image_bytes=tf.constant(batch))["logit"].numpy()
        expected = logits[start : start + len(batch)]
        largest = max(largest, float(np.abs(found - expected).max()))
        start += len(batch)
    if not largest <= TOLERANCE:
        raise ModelError(
            f"Expected the SavedModel at {path} to agree with Keras within "
            f"{TOLERANCE:g}. Received: a difference of {largest:.3g} in the logit. "
            "Do not serve it; please report this with the run's config.toml."
        )
    return largest


def _batches(items, size):
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
