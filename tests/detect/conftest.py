"""A small run with all that a finished one has, and clips with a face."""

import json

import keras
import numpy as np
import pytest
from helpers import small_model
from small_data import small_config, small_manifest

from sfcl_tf.config import to_toml
from sfcl_tf.data.pipeline import InputPipeline
from sfcl_tf.evaluation import Calibration
from sfcl_tf.evaluation.reference import measure_training_data
from sfcl_tf.evaluation.thresholds import Thresholds


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """The directory of a small run: model, settings, calibration, reference."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    folder.mkdir()
    config = small_config("data.dataset=ff_c23")
    keras.utils.set_random_seed(0)
    model = small_model(config)
    rng = np.random.default_rng(0)
    for layer, deviation in (("standardize_dct", 40.0), ("standardize_sida", 1.0)):
        std = model.get_layer(layer).std
        model.get_layer(layer).set_statistics(
            rng.normal(0, 0.1, std.shape), rng.uniform(0.5, 1, std.shape) * deviation
        )
    model.save(folder / "model.keras")
    (folder / "config.toml").write_text(to_toml(config), "utf-8")
    calibration = Calibration(
        slope=0.5,
        bias=0.1,
        levels=(
            Thresholds(0.3, 0.7, 1, ((2, 0.8), (16, 0.9)), 32, 32),
            Thresholds(0.4, 0.6, 4, ((2, 0.7), (16, 0.8)), 8, 8),
        ),
        calibrated=True,
        prior=0.5,
        frames=64,
    )
    calibration.write(folder)
    pipeline = InputPipeline(small_manifest(folder.parent / "records"), config)
    crops = pipeline.spread_crops("train", 4, 2)
    measure_training_data(crops, config.data.margin).write(folder)
    frame = {"n_real": 8, "n_fake": 8, "auc": 0.9, "intervals": {"auc": [0.8, 1.0]}}
    results = {"summary": {"frame": frame}}
    (folder / "results.json").write_text(json.dumps(results), "utf-8")
    return folder


@pytest.fixture(scope="session")
def clips(tmp_path_factory, write_clip, astronaut):
    """A folder with a video of a moving face, one without, and an image."""
    folder = tmp_path_factory.mktemp("clips")
    moving = [np.roll(astronaut, 2 * step, axis=1) for step in range(50)]
    write_clip(folder / "face.mp4", np.stack(moving))
    write_clip(folder / "grey.mp4", np.full((10, 96, 96, 3), 120, "uint8"))
    keras.utils.save_img(folder / "face.png", astronaut, scale=False)
    return folder
