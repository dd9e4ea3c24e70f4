"""Records: one face with its surroundings, as a TFRecord example.

| feature | type | what |
|---|---|---|
| `schema` | int64 | `SCHEMA` |
| `png` | bytes | the region, lossless RGB at native resolution |
| `box` | 4 x int64 | x0, y0, x1, y1 of the face in the region |
| `region` | 4 x int64 | x0, y0, x1, y1 of the region in the frame |
| `frame_size` | 2 x int64 | width, height of the frame |
| `label` | int64 | 1 = fake, 0 = real |
| `method` | bytes | manipulation method, or `real` |
| `video_id` | bytes | unique in the data set |
| `sources` | n x bytes | ids of the people: target, source |
| `frame_index` | int64 | in presentation order |
| `time` | float | in s |
| `track` | int64 | number of the face track in the video |
| `detected` | int64 | 1 = by the detector, 0 = by the tracker |
| `crf` | float | x264's, NaN if unknown |
| `pixel_format` | bytes | such as `yuv444p` |

Optional ones, which `sfcl_tf.records.enrich` adds to records that are there, are empty
where they are absent:

| feature | type | what |
|---|---|---|
| `landmarks` | 2N x float | x, y of each point in the region, in pixels |
| `quality` | 4 x float | size, sharpness, brightness, detail: `sfcl_tf.faces.quality` |
"""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

from sfcl_tf.faces.region import context_region
from sfcl_tf.records.index import FRAME
from sfcl_tf.records.manifest import SCHEMA
from sfcl_tf.system.output import atomic_write

# A PNG's first 16 bytes as big-endian words; width and height follow.
_PNG = np.frombuffer(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", ">i4").astype(np.int32)
_MOST_SIDE = 65535
_SOUND = (
    f"schema {SCHEMA}",
    "label 0 or 1",
    "detected 0 or 1",
    f"a frame of 1 to {_MOST_SIDE:,} pixels a side",
    "a region inside the frame",
    "a box inside the frame",
    "a picture of the region's size",
    "frame_index of at least 0",
)
_SCALAR = tf.io.FixedLenFeature
FEATURES = {
    "schema": _SCALAR((), tf.int64),
    "png": _SCALAR((), tf.string),
    "box": _SCALAR((4,), tf.int64),
    "region": _SCALAR((4,), tf.int64),
    "frame_size": _SCALAR((2,), tf.int64),
    "label": _SCALAR((), tf.int64),
    "method": _SCALAR((), tf.string),
    "video_id": _SCALAR((), tf.string),
    "sources": tf.io.RaggedFeature(tf.string),
    "frame_index": _SCALAR((), tf.int64),
    "time": _SCALAR((), tf.float32),
    "track": _SCALAR((), tf.int64),
    "detected": _SCALAR((), tf.int64),
    "crf": _SCALAR((), tf.float32),
    "pixel_format": _SCALAR((), tf.string),
}
OPTIONAL = {
    name: tf.io.FixedLenSequenceFeature((), tf.float32, allow_missing=True)
    for name in ("landmarks", "quality")
}


def encode_record(picture, face, video, facts) -> bytes:
    """Serialises one face.

    Args:
        picture: The `sfcl_tf.media.picture.Picture` it was found in.
        face: A `sfcl_tf.faces.face.Face`.
        video: A `sfcl_tf.catalog.listing.Video`.
        facts: A `sfcl_tf.media.video.VideoFacts`.

    Returns:
        A serialised `tf.train.Example` with the features of `FEATURES`.
    """
    height, width = picture.size
    left, top, right, bottom = context_region(face.box, height, width)
    region = picture.region(left, top, right, bottom)
    done, png = cv2.imencode(".png", cv2.cvtColor(region, cv2.COLOR_RGB2BGR))
    if not done:
        raise RuntimeError(f"PNG encoding failed for a region of {region.shape}.")
    x0, y0, x1, y1 = face.box
    values = {
        "schema": [SCHEMA],
        "png": [png.tobytes()],
        "box": [x0 - left, y0 - top, x1 - left, y1 - top],
        "region": [left, top, right, bottom],
        "frame_size": [width, height],
        "label": [video.label],
        "method": [video.method],
        "video_id": [video.video_id],
        "sources": list(video.sources),
        "frame_index": [picture.index],
        "time": [float(picture.time)],
        "track": [face.track],
        "detected": [int(face.detected)],
        "crf": [facts.crf],
        "pixel_format": [facts.pixel_format],
    }
    features = {name: _feature(value) for name, value in values.items()}
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


def _feature(values):
    kind = type(values[0]) if values else str  # an image need not have sources
    if issubclass(kind, float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    if issubclass(kind, int):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    values = [v.encode() if isinstance(v, str) else v for v in values]
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def write_shard(path: Path, records: Iterable[bytes]) -> list[int]:
    """Writes a TFRecord shard under a temporary name, then renames it.

    Returns:
        The bytes that each record takes in the shard, its frame included; without
        records, none, and no shard is left behind.

    Raises:
        NotWrittenError: If it cannot be written.
        DiskFullError: If that is for lack of space.
    """
    sizes = []
    with atomic_write(path) as temporary:
        with tf.io.TFRecordWriter(str(temporary)) as writer:
            for record in records:
                writer.write(record)
                sizes.append(len(record) + FRAME)
        if not sizes:
            temporary.unlink()
    return sizes


def read_record(path, offset, size) -> tf.Tensor:
    """Reads one serialised record of a shard, in a graph or out of one.

    `tf.data` hides that its reader can begin anywhere; the operations do not.

    Args:
        path: The shard's, a scalar string.
        offset: Where the record begins there, in bytes; a scalar int64.
        size: The bytes it takes there, a scalar int64. Read at once.

    Returns:
        A scalar string.

    Raises:
        tf.errors.DataLossError: If another thing lies there; by its checksum.
    """
    reader = tf.raw_ops.TFRecordDatasetV2(
        filenames=path, compression_type="", buffer_size=size, byte_offsets=offset
    )
    kind = {"output_types": [tf.string], "output_shapes": [()]}
    first = tf.raw_ops.TakeDataset(input_dataset=reader, count=1, **kind)
    return tf.raw_ops.DatasetToSingleElement(dataset=first, **kind)[0]


def parse_record(serialized) -> dict[str, tf.Tensor]:
    """Parses one serialised example, in a graph or out of one; `png` stays encoded.

    Raises:
        tf.errors.InvalidArgumentError: If a feature is missing or cannot be: another
            schema, a label that is none, a box outside its frame, a picture of
            another size than the region's, by its header.
    """
    record = tf.io.parse_single_example(serialized, FEATURES | OPTIONAL)
    frame, region = record["frame_size"], record["region"]
    start = tf.stack([region[:2], region[:2] + record["box"][:2]])
    end = tf.stack([region[2:], region[:2] + record["box"][2:]])
    inside = tf.reduce_all((start >= 0) & (start < end) & (end <= frame), 1)
    flags = tf.stack([record["label"], record["detected"]])
    # Padded with zeros, should there be less.
    header = tf.io.decode_raw(
        tf.strings.substr(record["png"], 0, 24),
        tf.int32,
        little_endian=False,
        fixed_length=24,
    )
    size = tf.cast(region[2:] - region[:2], tf.int32)
    checks = tf.concat(
        [
            [record["schema"] == SCHEMA],
            (flags >= 0) & (flags <= 1),
            [tf.reduce_all((frame > 0) & (frame <= _MOST_SIDE))],
            inside,
            [tf.reduce_all(header == tf.concat([_PNG, size], 0))],
            [record["frame_index"] >= 0],
        ],
        0,
    )
    first = tf.argmin(tf.cast(checks, tf.int32))
    parts = [
        "A record without",
        tf.gather(_SOUND, first),
        "of video",
        record["video_id"],
    ]
    tf.debugging.Assert(checks[first], [tf.strings.join(parts, " ") + "."])
    return record


def with_features(serialized: bytes, values: dict[str, list]) -> bytes:
    """Returns a serialised example with some features replaced or added."""
    example = tf.train.Example.FromString(serialized)
    for name, value in values.items():
        example.features.feature[name].CopyFrom(_feature(value))
    return example.SerializeToString(deterministic=True)


def decode_region(png) -> tf.Tensor:
    """Decodes a record's PNG to `(H, W, 3)` uint8 RGB."""
    return tf.io.decode_png(png, channels=3)
