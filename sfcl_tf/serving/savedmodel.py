"""The SavedModel: all signatures in one graph, with what travels along."""

from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from sfcl_tf.config import Config
from sfcl_tf.evaluation import Calibration
from sfcl_tf.serving.names import EXTRA
from sfcl_tf.serving.signatures import Signatures
from sfcl_tf.serving.simplify import simplify
from sfcl_tf.serving.trust import load_savedmodel
from sfcl_tf.serving.whole import write_marker
from sfcl_tf.system.errors import ModelError
from sfcl_tf.system.output import AGAIN, explain_write_errors, publish_folder

TOLERANCE = 1e-4


def export_savedmodel(
    model: keras.Model,
    config: Config,
    path: Path,
    check: Callable[[Path], float] | None = None,
    *,
    calibration: Calibration | None = None,
    extra: Mapping[str, bytes] | None = None,
) -> float | None:
    """Writes a SavedModel that decodes, crops, resizes and transforms in graph.

    Its signatures are those of `sfcl_tf.serving.signatures`.

    Args:
        model: The trained model.
        config: Its run's configuration.
        path: The directory to write, its last part a version number; replaced if
            it exists.
        check: Called with the directory before it is renamed to `path`; what it
            raises keeps the model from being published.
        calibration: Slope, bias and thresholds; none for the plain sigmoid.
        extra: Files for `assets.extra/`, by name.

    Returns:
        What `check` returned.

    Raises:
        UsageError: If another process is writing the same version.
        NotWrittenError: If it cannot be written; a version that is there stays.
    """
    signatures = Signatures(model, config, calibration or Calibration())
    # Not Keras's ExportArchive: it stores each function twice, once for Python.
    module = tf.Module()
    module.weights = [weight.value for weight in model.weights]
    functions = {
        name: tf.function(
            endpoint.function,
            input_signature=endpoint.inputs,
            autograph=False,
            jit_compile=False,
        ).get_concrete_function()
        for name, endpoint in signatures.endpoints().items()
    }
    with publish_folder(path) as folder:
        with explain_write_errors(path, AGAIN):
            tf.saved_model.save(
                module,
                str(folder),
                signatures=functions,
                options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
            )
            simplify(folder)
            for name, content in (extra or {}).items():
                (folder / EXTRA).mkdir(exist_ok=True)
                (folder / EXTRA / name).write_bytes(content)
            write_marker(folder)
        return check(folder) if check else None


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
    # Trusted: it was made here.
    serve = load_savedmodel(path, trust=True).signatures["serving_default"]
    encoded = (tf.io.encode_png(crop).numpy() for crop in crops)
    largest, start = 0.0, 0
    for batch in _batches(encoded, batch_size):
        actual = serve(image_bytes=tf.constant(batch))["logit"].numpy()
        expected = logits[start : start + len(batch)]
        largest = max(largest, float(np.abs(actual - expected).max()))
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
