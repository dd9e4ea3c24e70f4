"""BlockDCT against what else one could use, and SIDA against its reference.

`python benchmarks/spectral.py dct` uses all cores, `... sida` one.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
if sys.argv[1:] == ["sida"]:
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np
import scipy.fft
import tensorflow as tf
from helpers import reference_sida
from timing import interleaved, report

from sfcl_tf import ops
from sfcl_tf.inputs.preprocess import tf_basis
from sfcl_tf.layers import BlockDCT

BATCH = 8


def scipy_dct(images):
    """Block DCT of `(B, H, W, 3)` float32 by SciPy, all blocks at once."""
    batch, height, width, _ = images.shape
    planes = (images - 128) @ ops.YCBCR_FROM_RGB.T.astype("float32")
    shape = (batch, height // 8, 8, width // 8, 8, 3)
    blocks = planes.reshape(shape).transpose(0, 1, 3, 5, 2, 4)
    bands = scipy.fft.dctn(blocks, axes=(-2, -1), norm="ortho")
    return bands.reshape(*bands.shape[:4], 64)[..., ops.ZIGZAG]


@tf.function
def tf_signal_dct(images):
    """Block DCT of `(B, H, W, 3)` float32 by `tf.signal.dct`, twice."""
    batch, height, width, _ = images.shape
    planes = tf.matmul(images - 128, ops.YCBCR_FROM_RGB.T.astype("float32"))
    blocks = tf.reshape(planes, (batch, height // 8, 8, width // 8, 8, 3))
    blocks = tf.transpose(blocks, (0, 1, 3, 5, 2, 4))
    bands = tf.signal.dct(blocks, norm="ortho")
    bands = tf.signal.dct(tf.linalg.matrix_transpose(bands), norm="ortho")
    bands = tf.linalg.matrix_transpose(bands)
    bands = tf.reshape(bands, (*bands.shape[:4], 64))
    return tf.gather(bands, ops.ZIGZAG, axis=-1)


def numpy_sida(image):
    """SIDA as one would write it in NumPy and SciPy, float32, without loops."""
    bands = scipy_dct(image[None].astype("float32"))[0]
    maps = [np.diff(bands, axis=1), np.diff(bands, axis=0), np.diff(bands)]
    maps[2] = np.pad(maps[2], ((0, 0), (0, 0), (0, 0), (0, 1)))
    out = []
    for x in maps:
        x = np.abs(x)
        mean = x.mean((0, 1))
        c = x - mean
        square = c * c
        variance = square.mean((0, 1))
        safe = np.where(variance < 1e-6, np.inf, variance)
        third, fourth = (square * c).mean((0, 1)), (square * square).mean((0, 1))
        out.append([mean, np.sqrt(variance), third / safe**1.5, fourth / safe**2])
    return np.stack(out, axis=1).ravel()


def dct():
    """Compares the three routes on a batch of 384x384 images."""
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (BATCH, 384, 384, 3)).astype("float32")
    tensor = tf.constant(images)
    layer = BlockDCT()
    ours = tf.function(layer)
    for other in (tf_signal_dct(tensor).numpy(), scipy_dct(images)):
        np.testing.assert_allclose(ours(tensor), other, atol=2e-3)
    # Each ends with its own kind of array; on the CPU a function of TensorFlow returns
    # when it is done.
    times = interleaved(
        {
            "BlockDCT": lambda: ours(tensor),
            "tf.signal.dct, twice": lambda: tf_signal_dct(tensor),
            "SciPy": lambda: scipy_dct(images),
        }
    )
    least = {"tf.signal.dct, twice": 4, "SciPy": 2.5}
    title = f"Block DCT, 384x384 RGB, batch {BATCH}, all cores"
    return report(title, times, "BlockDCT", BATCH, least=least)


def sida():
    """Compares SIDA with the reference of the tests, on one core."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    rng = np.random.default_rng(0)
    crop = rng.integers(0, 256, (400, 400, 3)).astype("uint8")
    basis = tf_basis()
    graph = tf.function(
        lambda image: ops.sida(image, basis=basis),
        input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)],
    )
    tensor = tf.constant(crop)
    for other in (reference_sida(crop), numpy_sida(crop)):
        np.testing.assert_allclose(graph(tensor), other, rtol=1e-3, atol=1e-2)
    times = interleaved(
        {
            "ops.sida in a graph": lambda: graph(tensor).numpy(),
            "NumPy float64 reference": lambda: reference_sida(crop),
            "NumPy float32 without loops": lambda: numpy_sida(crop),
        }
    )
    least = {"NumPy float64 reference": 20}
    title = "SIDA, 400x400 RGB crop, one core"
    return report(title, times, "ops.sida in a graph", unit="crop", least=least)


if __name__ == "__main__":
    sys.exit(not {"dct": dct, "sida": sida}[sys.argv[1]]())
