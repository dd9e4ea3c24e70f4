"""One face on its way from a record to the model."""

from typing import NamedTuple

import tensorflow as tf

from sfcl_tf.records.record import decode_region


class Example(NamedTuple):
    """A face with its surroundings, and what is known of it.

    Attributes:
        region: `(H, W, 3)` uint8 RGB, at native resolution, its origin on a multiple
            of 8 pixels of the frame.
        box: `(4,)` x0, y0, x1, y1 of the face in the region, in pixels.
        label: int64 scalar, 1 = fake, 0 = real.
        landmarks: `(N, 2)` float32 x, y in the region, in pixels; `(0, 2)` where they
            are not known.
        sources: `(K,)` string: ids of the people in it.
        name: Scalar string, another one for each face of a data set: video, frame
            and track.
    """

    region: tf.Tensor
    box: tf.Tensor
    label: tf.Tensor
    landmarks: tf.Tensor
    sources: tf.Tensor
    name: tf.Tensor


def example_of(record: dict[str, tf.Tensor]) -> Example:
    """Returns the example of a parsed record; see `sfcl_tf.records.record`."""
    numbers = record["frame_index"], record["track"]
    name = [record["video_id"], *map(tf.strings.as_string, numbers)]
    return Example(
        decode_region(record["png"]),
        record["box"],
        record["label"],
        tf.reshape(record["landmarks"], (-1, 2)),
        record["sources"],
        tf.strings.join(name, "/"),
    )
