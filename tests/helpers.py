"""References and small models that tests share."""

import importlib.util

import keras
import numpy as np
import pytest
import scipy.fft

from sfcl_tf import ops
from sfcl_tf.layers import BlockDCT, CompressSIDA, Standardize
from sfcl_tf.layers.precision import full_precision


def reference_ycbcr(image):
    """JFIF conversion, float64, spelt out."""
    r, g, b = np.moveaxis(np.asarray(image, "float64"), -1, 0)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    return np.stack([y, 128 + (b - y) / 1.772, 128 + (r - y) / 1.402], axis=-1)


def reference_dct(image):
    """`(H, W, 3)` RGB to `(h, w, 3, 64)` by SciPy, one block after another."""
    planes = reference_ycbcr(image) - 128
    h, w = planes.shape[0] // 8, planes.shape[1] // 8
    out = np.zeros((h, w, 3, 64))
    for i in range(h):
        for j in range(w):
            for c in range(3):
                block = planes[8 * i : 8 * i + 8, 8 * j : 8 * j + 8, c]
                bands = scipy.fft.dctn(block, norm="ortho").ravel()
                out[i, j, c] = bands[ops.ZIGZAG]
    return out


def reference_sida(image):
    """Eqs. 1-8 in float64, one band after another, as the paper writes them."""
    bands = reference_dct(image)
    intra = np.zeros_like(bands)
    intra[..., :63] = bands[..., 1:] - bands[..., :-1]
    maps = [bands[:, 1:] - bands[:, :-1], bands[1:] - bands[:-1], intra]
    out = np.zeros((4, 3, 3, 64))
    for m, differences in enumerate(maps):
        for c in range(3):
            for k in range(64):
                out[:, m, c, k] = _statistics(np.abs(differences[:, :, c, k]))
    return out.ravel()


def _statistics(x):
    mean = x.mean()
    variance = ((x - mean) ** 2).mean()
    std = np.sqrt(variance)
    if variance < 1e-6:
        return mean, std, 0.0, 0.0
    skew = ((x - mean) ** 3).mean() / std**3
    return mean, std, skew, ((x - mean) ** 4).mean() / std**4


def small_model(config):
    """A stand-in with the inputs and output of the whole model, traced in 1 s."""
    size = config.model.image_size
    image = keras.Input((size, size, 3), name="image")
    sida = keras.Input((ops.SIDA_SIZE,), name="sida")
    bands = BlockDCT(config.data.dct_channels, name="block_dct")(image)
    bands = Standardize((-2, -1), name="standardize_dct")(bands)
    _, h, w, c, k = bands.shape
    x = keras.layers.Reshape((h, w, c * k))(bands)
    x = keras.layers.Conv2D(8, 3, strides=2)(x)
    x = keras.layers.BatchNormalization(momentum=0.5)(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.ops.relu(x))
    x = keras.layers.Dropout(config.model.dropout)(x)
    d = CompressSIDA(name="compress_sida")(sida)
    d = Standardize(floor=1e-3, name="standardize_sida")(d)
    d = keras.layers.Dense(8, activation="tanh")(d)
    logit = keras.layers.Dense(1, dtype=full_precision(), name="logit")(
        keras.layers.Concatenate()([x, d])
    )
    return keras.Model({"image": image, "sida": sida}, logit, name="small")


def model_inputs(crop, size, *, sida=True):
    """Turns a face crop into the inputs of a model of `size` pixels."""
    from sfcl_tf.config import load_config
    from sfcl_tf.inputs.preprocess import Preprocessor

    options = [f"model.image_size={size}", f"model.sida={str(sida).lower()}"]
    return Preprocessor(load_config(preset="tiny", overrides=options)).inputs(crop)


def published(folder):
    """The names in a folder into which something is published, without the lock's."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def needs(package):
    """Skips a test without a package, and does not import it: some report home then."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {package}")
