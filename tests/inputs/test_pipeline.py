"""What evaluation is given: every record once, with the inputs it should have."""

import numpy as np
import pytest
import tensorflow as tf
from helpers import model_inputs, reference_ycbcr

from sfcl_tf import ops
from sfcl_tf.inputs.crop import crop_face
from sfcl_tf.media.video import decode
from sfcl_tf.records.record import parse_record


@pytest.fixture(scope="module")
def records(manifest):
    """The parsed records of the test split, in the manifest's order."""
    paths = [str(path) for path in manifest.shards("test")]
    return [parse_record(record) for record in tf.data.TFRecordDataset(paths)]


@pytest.fixture(scope="module")
def crops(pipeline):
    """Crops of the test split as `(crop, label, meta)`."""
    return list(pipeline().crops("test"))


@pytest.fixture(scope="module")
def scored(pipeline):
    return flatten(pipeline().evaluation("test"))


def flatten(batches):
    """Image, SIDA, label and meta over all batches of a dataset."""
    inputs, labels, metas = zip(*batches, strict=True)
    values = {
        name: np.concatenate([part[name] for part in parts])
        for parts in (inputs, metas)
        for name in parts[0]
    }
    return values | {"label": np.concatenate(labels)}


def sida_by_block(crop):
    """SIDA by `tf.signal.dct` on each 8x8 block, moments in float64."""
    planes = reference_ycbcr(crop) - 128
    h, w = planes.shape[0] // 8, planes.shape[1] // 8
    blocks = planes[: 8 * h, : 8 * w].reshape(h, 8, w, 8, 3).transpose(0, 2, 4, 1, 3)

    def dct(x):
        return tf.signal.dct(tf.constant(x, tf.float32), norm="ortho").numpy()

    bands = dct(dct(blocks.swapaxes(-1, -2)).swapaxes(-1, -2))
    # The zigzag: diagonals, their direction alternating.
    order = sorted(
        ((i, j) for i in range(8) for j in range(8)),
        key=lambda ij: (sum(ij), ij[0] if sum(ij) % 2 else ij[1]),
    )
    rows, columns = zip(*order, strict=True)
    bands = bands[..., rows, columns].astype(np.float64)
    intra = np.diff(bands, axis=-1, append=bands[..., -1:])  # the 64th is 0
    maps = [np.diff(bands, axis=1), np.diff(bands, axis=0), intra]
    return np.stack([moments(np.abs(x)) for x in maps], axis=1).ravel()


def moments(x):
    mean = x.mean((0, 1))
    central = [((x - mean) ** n).mean((0, 1)) for n in (2, 3, 4)]
    variance = np.where(central[0] < 1e-6, np.inf, central[0])
    return np.stack(
        [mean, central[0] ** 0.5, central[1] / variance**1.5, central[2] / variance**2]
    )


def test_sida_is_that_of_every_block_by_tensorflows_own_dct(crops, scored):
    for (crop, _, _), sida in list(zip(crops, scored["sida"], strict=True))[::5]:
        # Measured: 1.1e-5 of the value.
        np.testing.assert_allclose(sida, sida_by_block(crop), rtol=1e-4, atol=1e-4)


def test_crop_is_that_of_the_whole_decoded_frame(manifest, collection, records, crops):
    folder = collection / "manipulated_sequences"
    checked = 0
    for record, (crop, _, _) in zip(records, crops, strict=True):
        if record["label"] == 0:
            continue
        _, method, name = record["video_id"].numpy().decode().split("/")
        path = folder / method / "c23" / "videos" / f"{name}.mp4"
        frame = next(f for f in decode(path) if f.index == record["frame_index"])
        left, top = record["region"][0], record["region"][1]
        box = record["box"] + tf.stack([left, top, left, top])
        expected = crop_face(frame.rgb(), box)
        np.testing.assert_array_equal(crop, expected)
        assert crop.shape[0] == crop.shape[1] >= 32
        checked += 1
    assert checked == 24


def test_model_gets_the_resized_crop(crops, scored):
    for (crop, _, _), image in zip(crops, scored["image"], strict=True):
        resized = tf.image.resize(tf.cast(crop, "float32"), (32, 32), antialias=True)
        np.testing.assert_allclose(image, resized, atol=1e-3)
    assert scored["image"].dtype == scored["sida"].dtype == np.float32
    assert scored["image"].max() > 2  # 0..255, not normalised


def test_inputs_are_the_same_eagerly(crops, scored):
    crop = crops[0][0]
    for dtype in (tf.uint8, tf.float32):
        inputs = model_inputs(tf.cast(crop, dtype), 32)
        for name in ("image", "sida"):
            np.testing.assert_allclose(inputs[name], scored[name][0], 1e-4, 1e-3)
    assert inputs["sida"].shape == (ops.SIDA_SIZE,)


@pytest.mark.parametrize("batch_size", [1, 7, 30, 64])
def test_evaluation_gives_every_record_once_in_order(
    pipeline, records, scored, batch_size
):
    built = pipeline(f"evaluate.batch_size={batch_size}")
    batches = list(built.evaluation("test"))
    assert [len(label) for _, label, _ in batches][:-1] == [batch_size] * (
        29 // batch_size
    )
    values = flatten(batches)
    for name in ("video_id", "method", "frame_index", "time", "track"):
        np.testing.assert_array_equal(values[name], [r[name] for r in records])
    np.testing.assert_array_equal(values["label"], [[r["label"]] for r in records])
    np.testing.assert_array_equal(values["sida"], scored["sida"])
    np.testing.assert_array_equal(values["image"], scored["image"])


def test_evaluation_can_be_read_twice(pipeline, scored):
    evaluation = pipeline().evaluation("test")
    for _ in range(2):
        np.testing.assert_array_equal(flatten(evaluation)["sida"], scored["sida"])


def test_split_gives_only_its_own_videos(pipeline, scored):
    ids = {v.decode() for v in scored["video_id"]}
    assert len(ids) == 10
    assert all({"953", "974"} >= set(i.split("/")[-1].split("_")) for i in ids)
    assert not set(flatten(pipeline().evaluation("val"))["video_id"]) & set(
        scored["video_id"]
    )


def test_margin_and_grid_follow_the_configuration(pipeline, records):
    built = pipeline("data.margin=1.0", "data.snap_to_grid=false")
    sides = [crop.shape[0] for crop, _, _ in built.crops("test")]
    boxes = np.array([record["box"] for record in records])
    np.testing.assert_array_equal(sides, (boxes[:, 2:] - boxes[:, :2]).max(axis=1))
