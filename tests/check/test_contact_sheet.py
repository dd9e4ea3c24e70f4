"""The contact sheet shows what training sees, of every method."""

import cv2
import numpy as np
import pytest
import tensorflow as tf
from small_data import small_config, small_manifest

from sfcl_tf.check.contact_sheet import contact_sheet, draw_sheet
from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.records.record import parse_record
from sfcl_tf.system.errors import DataError


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Two real and two fake videos of four frames."""
    manifest = small_manifest(tmp_path_factory.mktemp("small"))
    overrides = "augment.flip=1", "augment.jpeg=1", "augment.jpeg_quality=[31, 31]"
    return InputPipeline(manifest, small_config(*overrides))


def texts(figure):
    found = [text.get_text() for text in figure.texts]
    return [*found, *(axes.get_xlabel() for axes in figure.axes)]


def test_crops_are_the_stored_one_and_those_of_the_first_epochs(small):
    figure = draw_sheet(small, "train", rows=1, versions=2)
    images = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    crops, spectra = images[::2], images[1::2]
    shard = tf.data.TFRecordDataset(str(small.manifest.shards("train")[0]))
    record = parse_record(list(shard)[2])
    np.testing.assert_array_equal(crops[0], small.crop(record))
    for epoch in range(2):
        expected, _ = small.training_crop(record, 0, tf.constant(epoch, tf.int64))
        np.testing.assert_array_equal(crops[1 + epoch], expected)
    assert len(crops) == 3
    # JPEG of a low quality leaves little of the highest band of noise.
    assert all(s.shape == (8, 8) and s[0, 0] > s[7, 7] for s in spectra)
    assert spectra[1][7, 7] < 0.5 * spectra[0][7, 7]
    assert texts(figure).count("flip  jpeg\N{NO-BREAK SPACE}31") == 2


def test_rows_are_of_each_method_in_turn_with_their_label(small):
    rows = [text for text in texts(draw_sheet(small, "val", rows=3)) if "frame" in text]
    assert rows == [
        "real: real/val0, frame 2",
        "fake, Deepfakes: Deepfakes/val1, frame 2",
        "real: real/val2, frame 2",
    ]


def test_sheet_is_a_png_that_grows_with_its_rows(small, tmp_path):
    one, two = (
        cv2.imread(str(contact_sheet(small, "test", tmp_path / f"new/{n}.png", rows=n)))
        for n in (1, 2)
    )
    assert two.shape[0] > one.shape[0] > 400
    assert two.shape[1] == one.shape[1] > 1000


def test_a_split_without_records_is_named(small, tmp_path):
    with pytest.raises(DataError, match="Expected records in the split `holdout`"):
        contact_sheet(small, "holdout", tmp_path / "sheet.png")
    assert not list(tmp_path.iterdir())
