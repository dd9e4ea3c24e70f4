"""What is kept of the training faces."""

import dataclasses
import math

import numpy as np
import pytest
from small_data import small_config, small_manifest

from sfcl_tf.evaluation.reference import Reference, measure_training_data
from sfcl_tf.evaluation.spectra import sida_curve
from sfcl_tf.faces.quality import MEASURES, measure
from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.runs import files
from sfcl_tf.system.errors import ModelError


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    return InputPipeline(small_manifest(folder, frames=6), small_config())


@pytest.fixture(scope="module")
def reference(pipeline):
    return measure_training_data(pipeline.spread_crops("train", 9, 9), 1.3)


def test_some_crops_of_some_videos_are_taken(pipeline):
    whole = [int(m["frame_index"]) for _, _, m in pipeline.spread_crops("train", 9, 9)]
    assert whole == list(range(6)) * 4
    found = [
        (meta["video_id"].numpy().decode(), int(meta["frame_index"]))
        for _, _, meta in pipeline.spread_crops("train", 2, 3)
    ]
    videos = dict.fromkeys(video for video, _ in found)
    assert len(videos) == 2
    assert [index for _, index in found] == [0, 2, 4] * 2


def test_percentiles_and_curves_are_those_of_the_crops(pipeline, reference):
    rows, curves = [], {0: {}, 1: {}}
    for crop, label, meta in pipeline.crops("train"):
        crop = crop.numpy()
        side = round(len(crop) / 1.3)
        edge = (len(crop) - side) // 2
        found = measure(crop[edge : edge + side, edge : edge + side])
        found = dataclasses.replace(found, size=float(meta["face_size"]))
        rows.append(dataclasses.astuple(found))
        video = meta["video_id"].numpy()
        curves[int(label)].setdefault(video, []).append(sida_curve(crop))
    low, high = np.quantile(rows, (0.01, 0.99), axis=0)
    assert (reference.faces, reference.videos) == (24, (2, 2))
    for place, name in enumerate(MEASURES):
        assert getattr(reference.low, name) == pytest.approx(low[place])
        assert getattr(reference.high, name) == pytest.approx(high[place])
    for label in (0, 1):
        by_video = [np.mean(each, axis=0) for each in curves[label].values()]
        np.testing.assert_allclose(reference.mean[label], np.mean(by_video, 0), 1e-6)
        error = np.std(by_video, axis=0, ddof=1) / math.sqrt(2)
        np.testing.assert_allclose(reference.error[label], error, 1e-3, 5e-3)
    assert reference.crf == 23


def test_it_is_read_as_it_was_written(reference, tmp_path):
    assert Reference.read(tmp_path) is None
    reference.write(tmp_path)
    again = Reference.read(tmp_path)
    assert (again.low, again.high) == (reference.low, reference.high)
    np.testing.assert_allclose(again.mean, reference.mean, rtol=1e-5)
    np.testing.assert_allclose(again.error, reference.error, rtol=1e-5)


@pytest.mark.parametrize("content", ["", "{}", '{"mean": [1]}', "[]"])
def test_a_damaged_file_is_told(tmp_path, content):
    (tmp_path / files.REFERENCE).write_text(content)
    with pytest.raises(ModelError, match="sfcl calibrate RUN"):
        Reference.read(tmp_path)
