"""A small model, exported; what Keras says of the same crops."""

import dataclasses
import struct
import zlib
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from helpers import small_model
from scipy import special
from small_data import small_config, small_manifest

from sfcl_tf.config import Config
from sfcl_tf.data.pipeline import InputPipeline
from sfcl_tf.evaluation import Calibration, Predictor
from sfcl_tf.evaluation.thresholds import Thresholds
from sfcl_tf.serving import export_savedmodel

TEMPERATURE, BIAS = 20.0, 0.25


@dataclasses.dataclass(frozen=True)
class Served:
    """An export and its oracle."""

    path: Path
    model: object
    config: Config
    calibration: Calibration
    crops: list[np.ndarray]
    logits: np.ndarray

    def keras(self, crops):
        """Returns Keras's logits of crops, by the functions of tf.data."""
        import tensorflow as tf
        from helpers import model_inputs

        inputs = [model_inputs(crop, self.config.model.image_size) for crop in crops]
        batch = {name: tf.stack([x[name] for x in inputs]) for name in inputs[0]}
        return Predictor(self.model)(batch)


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    config = small_config()
    keras.utils.set_random_seed(0)
    model = small_model(config)
    pipeline = InputPipeline(small_manifest(folder / "records"), config)
    crops = [crop.numpy() for crop, _, _ in pipeline.crops("test")]
    logits = Predictor(model).logits(pipeline.evaluation("test"))[1]
    # A third of the crops each: real, uncertain, fake.
    low, high = np.quantile(logits, [0.3, 0.7]) / TEMPERATURE
    low, high = special.expit([low + BIAS, high + BIAS]).tolist()
    levels = (
        Thresholds(low, high, 1, ((2, 0.99),), 32, 32),
        Thresholds(low + 0.01, high - 0.01, 4, ((2, 0.98), (14, 0.995)), 8, 8),
    )
    calibration = Calibration(1 / TEMPERATURE, BIAS, levels, True, prior=0.5)
    path = folder / "model" / "1"
    export_savedmodel(model, config, path, calibration=calibration)
    return Served(path, model, config, calibration, crops, logits)


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A model with statistics of its own, batches of crops, and Keras's logits."""
    keras.utils.set_random_seed(0)
    config = small_config()
    model = small_model(config)
    rng = np.random.default_rng(0)
    for layer, deviation in (("standardize_dct", 40.0), ("standardize_sida", 1.0)):
        std = model.get_layer(layer).std
        model.get_layer(layer).set_statistics(
            rng.normal(0, 0.1, std.shape), rng.uniform(0.5, 1, std.shape) * deviation
        )
    folder = tmp_path_factory.mktemp("records")
    pipeline = InputPipeline(small_manifest(folder), config)
    batches = [
        {name: value.numpy() for name, value in inputs.items()}
        for inputs, _, _ in pipeline.evaluation("test")
    ]
    logits = np.concatenate([Predictor(model)(batch) for batch in batches])
    return model, batches, logits


def png(image) -> bytes:
    """Encodes RGB as PNG."""
    return cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))[1].tobytes()


def jpeg(image) -> bytes:
    """Encodes RGB as JPEG."""
    return cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]))[1].tobytes()


def png_bomb(side=30000) -> bytes:
    """A PNG of a few MB at most that decodes to gigabytes."""

    def chunk(kind, data):
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = bytes(3 * side + 1)
    rows = b"".join(packer.compress(row) for _ in range(min(side, 2000)))
    rows += packer.flush()
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg_bomb() -> bytes:
    """A JPEG whose header promises 60000x60000 pixels."""
    image = bytearray(jpeg(np.zeros((64, 64, 3), "uint8")))
    place = image.index(b"\xff\xc0") + 5
    image[place : place + 4] = struct.pack(">HH", 60000, 60000)
    return bytes(image)


BAD_IMAGES = {
    "empty": (b"", "JPEG or PNG"),
    "text": (b"no image", "JPEG or PNG"),
    "gif": (b"GIF89a" + bytes(40), "JPEG or PNG"),
    "magic alone": (b"\x89PNG\r\n\x1a\n", "decodes"),
    "jpeg magic alone": (b"\xff\xd8\xff", "decodes"),
    "png bomb": (png_bomb(), "at most 16777216 pixels"),
    "jpeg bomb": (jpeg_bomb(), "at most 16777216 pixels"),
    "too small": (png(np.zeros((24, 40, 3), "uint8")), "at least 32x32"),
    "too large": (png(np.zeros((2312, 2312, 3), "uint8")), "at most 2304x2304"),
}
"""Name to bytes, and what their status says."""
