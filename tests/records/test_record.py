import av
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from sfcl_tf.catalog.listing import Video
from sfcl_tf.faces.face import Face
from sfcl_tf.media.picture import Picture
from sfcl_tf.media.video import VideoFacts
from sfcl_tf.records.record import (
    FEATURES,
    OPTIONAL,
    SCHEMA,
    context_region,
    decode_region,
    encode_record,
    parse_record,
    write_shard,
)

BOX = (61, 42, 111, 92)  # 50 px; the 80 px around it are (46, 27, 126, 107)
REGION = (40, 24, 128, 112)


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (150, 200, 3), dtype=np.uint8)


def encode(image, tmp_path, **changes):
    video = Video("FaceSwap/1_2", tmp_path, "train", 1, "FaceSwap", ("1", "2"))
    facts = VideoFacts(30, 200, 150, "yuv444p", changes.get("crf", 23.0))
    face = Face(changes.get("box", BOX), 3, changes.get("detected", True))
    return encode_record(Picture(image, 17, 0.68), face, video, facts)


def test_every_field_comes_back(image, tmp_path):
    record = parse_record(encode(image, tmp_path))
    assert set(record) == set(FEATURES | OPTIONAL)
    for name in OPTIONAL:
        assert record.pop(name).shape == (0,)
    assert record.pop("sources").numpy().tolist() == [b"1", b"2"]
    np.testing.assert_array_equal(
        decode_region(record.pop("png")), image[24:112, 40:128]
    )
    values = {name: np.asarray(value).tolist() for name, value in record.items()}
    assert values == {
        "schema": SCHEMA,
        "box": [61 - 40, 42 - 24, 111 - 40, 92 - 24],
        "region": list(REGION),
        "frame_size": [200, 150],
        "label": 1,
        "method": b"FaceSwap",
        "video_id": b"FaceSwap/1_2",
        "frame_index": 17,
        "time": pytest.approx(0.68),
        "track": 3,
        "detected": 1,
        "crf": 23.0,
        "pixel_format": b"yuv444p",
    }


def test_unknown_crf_and_tracked_faces_are_told_apart(image, tmp_path):
    record = parse_record(encode(image, tmp_path, crf=float("nan"), detected=False))
    assert np.isnan(record["crf"])
    assert record["detected"] == 0


def test_the_same_record_has_the_same_bytes(image, tmp_path):
    assert encode(image, tmp_path) == encode(image, tmp_path)


@given(
    st.tuples(st.integers(40, 400), st.integers(40, 400)),
    st.tuples(*[st.floats(0, 1)] * 4),
)
@settings(deadline=None)
def test_region_is_on_the_grid_and_holds_the_context(size, edges):
    height, width = size
    x0, x1 = sorted(round(edge * (width - 1)) for edge in edges[:2])
    y0, y1 = sorted(round(edge * (height - 1)) for edge in edges[2:])
    x1, y1 = x1 + 1, y1 + 1
    left, top, right, bottom = context_region((x0, y0, x1, y1), height, width)
    assert left % 8 == top % 8 == 0
    for low, high, limit in ((left, right, width), (top, bottom, height)):
        assert 0 <= low < high <= limit
        assert high % 8 == 0 or high == limit
    context = min(np.ceil(1.6 * max(x1 - x0, y1 - y0)), height, width)
    for side in (right - left, bottom - top):
        assert context <= side <= context + 14
    if max(x1 - x0, y1 - y0) <= min(height, width):
        assert left <= x0 <= x1 <= right
        assert top <= y0 <= y1 <= bottom


def test_shard_gives_the_records_in_order(tmp_path):
    path = tmp_path / "a.tfrecord"
    records = [b"one", b"", b"three"]
    assert write_shard(path, iter(records)) == [19, 16, 21]  # with their frames
    assert path.stat().st_size == 19 + 16 + 21
    assert [r.numpy() for r in tf.data.TFRecordDataset(str(path))] == records
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [av.FFmpegError(1, "broken"), KeyboardInterrupt()])
def test_failing_source_leaves_no_shard_and_no_temporary_file(tmp_path, error):
    def records():
        yield b"one"
        assert list(tmp_path.iterdir())  # under a temporary name
        raise error

    with pytest.raises(type(error)):
        write_shard(tmp_path / "a.tfrecord", records())
    assert list(tmp_path.iterdir()) == []


def test_source_without_records_leaves_no_shard(tmp_path):
    assert write_shard(tmp_path / "a.tfrecord", iter([])) == []
    assert list(tmp_path.iterdir()) == []


def test_failure_keeps_the_shard_that_was_there(tmp_path):
    path = tmp_path / "a.tfrecord"
    write_shard(path, [b"whole"])
    before = path.read_bytes()

    def records():
        yield b"one"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_shard(path, records())
    assert path.read_bytes() == before


def changed(serialized, name, *values):
    example = tf.train.Example.FromString(serialized)
    feature = example.features.feature[name]
    kind = feature.WhichOneof("kind")
    del getattr(feature, kind).value[:]
    getattr(feature, kind).value.extend(values)
    return example.SerializeToString()


BAD = {
    "schema": [(0,), (2,), (-1,)],
    "label": [(7,), (-1,), (2**62,)],
    "box": [
        (-41, 0, 10, 10),  # left of the frame
        (10, 10, 10, 20),
        (20, 10, 10, 20),
        (0, 0, 161, 10),
        (0, 0, 10, 2**62),
    ],
    "region": [(-8, 24, 80, 112), (40, 24, 40, 112), (40, 24, 208, 112)],
    "frame_size": [(0, 150), (200, -150), (2**40, 150), (100, 150)],
    "frame_index": [(-1,)],
    "detected": [(3,)],
    "png": [(b"",), (b"no picture at all",)],
}


@pytest.mark.parametrize(
    ("name", "values"), [(name, v) for name, all_ in BAD.items() for v in all_]
)
@pytest.mark.parametrize("graph", [False, True])
def test_what_cannot_be_is_refused(image, tmp_path, name, values, graph):
    record = changed(encode(image, tmp_path), name, *values)
    records = tf.data.Dataset.from_tensors(record)
    with pytest.raises(tf.errors.InvalidArgumentError, match="A record without"):
        _ = [*records.map(parse_record)] if graph else parse_record(record)


def test_a_picture_of_another_size_than_its_region_is_not_decoded(image, tmp_path):
    huge = tf.io.encode_png(np.zeros((9000, 9000, 3), np.uint8)).numpy()
    record = changed(encode(image, tmp_path), "png", huge)
    with pytest.raises(tf.errors.InvalidArgumentError, match="of the region's size"):
        parse_record(record)


def test_a_record_that_cannot_be_is_told_where_it_is_read(image, tmp_path):
    from sfcl_tf.records.reading import readable
    from sfcl_tf.system.errors import DataError

    whole = encode(image, tmp_path)
    records = [whole, changed(whole, "label", 7)]
    dataset = tf.data.Dataset.from_tensor_slices(records).map(parse_record)
    with pytest.raises(
        DataError, match=r"A record without label 0 or 1 of video FaceSwap/1_2"
    ):
        for _ in readable(dataset, "the split val"):
            pass
