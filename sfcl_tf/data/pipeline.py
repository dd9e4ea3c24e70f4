"""tf.data: from record shards to batches of `{image, sida}`."""

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from sfcl_tf.data.augment import draw, vary_box, vary_crop
from sfcl_tf.data.crop import crop_face
from sfcl_tf.data.inputs import model_inputs, tf_basis
from sfcl_tf.data.manifest import Manifest
from sfcl_tf.data.records import decode_region, parse_record
from sfcl_tf.data.region import GRID
from sfcl_tf.errors import DataError

_UNREADABLE = (
    tf.errors.DataLossError,
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
)
_OPEN_SHARDS = 16
_BUFFER = 1 << 18  # bytes of each open shard
META = (
    "video_id",
    "method",
    "frame_index",
    "time",
    "track",
    "crf",
    "pixel_format",
    "frame_height",
    "face_size",
)
"""What is told of each example that is scored; see `_meta`."""


@contextlib.contextmanager
def told_if_unreadable(what: str) -> Iterator[None]:
    """Turns what TensorFlow says of records that it cannot read into a `DataError`.

    Args:
        what: Which records, such as "the split val".

    Raises:
        DataError: It says what to do about it.
    """
    try:
        yield
    except _UNREADABLE as error:
        reason = error.message.strip().splitlines()[0]
        raise DataError(
            f"Expected whole records in {what}. Received: {reason} Run `sfcl check` on "
            "the data set: it names the damaged shard. Remove that file, and `sfcl "
            "prepare` makes it anew."
        ) from error


def readable(dataset: Iterable, what: str) -> Iterator:
    """Yields a dataset's batches; see `told_if_unreadable`."""
    batches = iter(dataset)
    while True:
        with told_if_unreadable(what):
            try:
                batch = next(batches)
            except StopIteration:
                return
        yield batch


@dataclasses.dataclass(frozen=True)
class InputPipeline:
    """Batches from a manifest's shards, the same ones for the same seed.

    Args:
        manifest: The prepared data set.
        config: A `sfcl_tf.config.Config`.
    """

    manifest: Manifest
    config: "sfcl_tf.config.Config"  # noqa: F821

    def real_repeat(self) -> int:
        """Returns how often a real video counts in training."""
        repeat = self.config.data.real_repeat
        if repeat != "auto":
            return repeat
        counts = [0, 0]
        for video in self.manifest.split("train"):
            counts[video["label"]] += video["records"]
        return max(1, round(counts[1] / max(counts[0], 1)))

    def training_examples(self) -> int:
        """Returns the number of examples of a training epoch, repeats included."""
        repeat = self.real_repeat()
        return sum(
            video["records"] * (1 if video["label"] else repeat)
            for video in self.manifest.split("train")
        )

    def steps_per_epoch(self) -> int:
        """Returns the number of whole batches of a training epoch.

        Raises:
            DataError: If there are fewer examples than a batch takes.
        """
        examples, batch = self.training_examples(), self.config.train.batch_size
        if examples < batch:
            raise DataError(
                f"Expected at least one batch of {batch} training examples. Received: "
                f"{examples}. Use more frames (--frames), or a smaller batch "
                "(--set train.batch_size=...)."
            )
        return examples // batch

    def training(
        self,
        start_step: int = 0,
        context: tf.distribute.InputContext | None = None,
    ) -> tf.data.Dataset:
        """Returns endless epochs of shuffled, augmented batches.

        Reals are repeated; the remainder of an epoch's last batch is dropped.
        Shuffling and augmentation depend on seed, epoch and example alone.

        Args:
            start_step: Batches to leave out, over all epochs. What follows is what
                would have followed them; they are not decoded.
            context: Which of several workers asks. Together they get the batches
                that one would get, each a share of every batch, cut into those of
                its replicas.

        Returns:
            A dataset of `({image, sida}, label)`, label `(B, 1)` float32; with
            `train.class_weight` a weight `(B, 1)` float32 stands third.

        Raises:
            DataError: If there are fewer examples than a batch takes.
        """
        context = context or tf.distribute.InputContext()
        epoch, step = divmod(start_step, self.steps_per_epoch())
        skipped = tf.constant(step * self.config.train.batch_size, tf.int64)
        epochs = tf.data.Dataset.counter(tf.constant(epoch, tf.int64))
        batches = epochs.flat_map(
            lambda n: self._training_epoch(n, tf.where(n == epoch, skipped, 0), context)
        )
        return self._prefetched(batches)

    def batch_ids(self, step: int) -> list[str]:
        """Returns which examples a training batch holds, without decoding them.

        Args:
            step: The batch's number over all epochs, from 0.

        Returns:
            `video_id, frame N` of each, in the batch's order.
        """
        epoch, step = divmod(step, self.steps_per_epoch())
        batch = self.config.train.batch_size
        # As in training, in a graph of its own: `_training_order` sets a seed there.
        epochs = tf.data.Dataset.from_tensors(tf.constant(epoch, tf.int64))
        records = epochs.flat_map(self._training_order)
        chosen = records.skip(step * batch).take(batch)
        parsed = (parse_record(serialized) for serialized, _ in chosen)
        return [
            f"{record['video_id'].numpy().decode()}, frame {record['frame_index']}"
            for record in parsed
        ]

    def class_weights(self) -> tuple[float, float]:
        """Returns what an example of a real and of a fake counts in training."""
        if self.config.train.class_weight == "none":
            return 1.0, 1.0
        fakes = sum(v["records"] for v in self.manifest.split("train") if v["label"])
        examples = self.training_examples()
        reals = examples - fakes
        return examples / (2 * max(reals, 1)), examples / (2 * max(fakes, 1))

    def crop(self, record, box=None):
        """Cuts a parsed record's face out, or another box of its region.

        Returns:
            The crop, `(side, side, 3)` uint8 RGB at native resolution.
        """
        data = self.config.data
        region = decode_region(record["png"])
        snap = GRID if data.snap_to_grid else 1
        box = record["box"] if box is None else box
        return crop_face(region, box, data.margin, snap)

    def training_crop(self, record, repeat, epoch):
        """Cuts and augments a crop as training does.

        Args:
            record: A parsed record.
            repeat: Which of its repeats in the epoch, an integer scalar.
            epoch: Which epoch, an int64 scalar.

        Returns:
            The crop, `(side, side, 3)` uint8, and what was drawn for it, as
            `sfcl_tf.data.augment.draw` gives it.
        """
        numbers = record["frame_index"], record["track"], repeat
        example = [record["video_id"], *map(tf.strings.as_string, numbers)]
        key = tf.strings.to_hash_bucket_fast(tf.strings.join(example, "/"), 1 << 62)
        seed = tf.random.experimental.stateless_fold_in(self._epoch_seed(epoch), key)
        drawn = draw(self.config.augment, seed)
        crop = self.crop(record, vary_box(record["box"], drawn))
        return vary_crop(crop, drawn), drawn

    def _epoch_seed(self, epoch):
        seed = tf.constant([self.config.train.seed, 0], tf.int64)
        return tf.random.experimental.stateless_fold_in(seed, epoch)

    def _training_order(self, epoch):
        """An epoch's `(serialized, repeat)`, shuffled, in whole batches."""
        data = self.config.data
        paths, repeats = [], []
        for video in self.manifest.split("train"):
            times = 1 if video["label"] else self.real_repeat()
            paths += [str(self.manifest.folder / video["shard"])] * times
            repeats += range(times)
        # Of this graph alone: makes the order independent of the global seed, and
        # keeps `shuffle` from comparing its seed, a tensor, with a global 0.
        tf.random.set_seed(1)
        seed = self._epoch_seed(epoch)
        shards = tf.data.Dataset.from_tensor_slices((paths, repeats))
        shards = shards.shuffle(len(paths), seed[0], reshuffle_each_iteration=False)
        records = shards.interleave(
            lambda path, repeat: tf.data.TFRecordDataset(path, buffer_size=_BUFFER).map(
                lambda record: (record, repeat)
            ),
            cycle_length=_OPEN_SHARDS,
        )
        records = records.shuffle(
            data.shuffle_buffer, seed[1], reshuffle_each_iteration=False
        )
        return records.take(self.steps_per_epoch() * self.config.train.batch_size)

    def _training_epoch(self, epoch, skipped, context):
        basis = tf_basis()
        weights = self.class_weights()

        def example(serialized, repeat):
            record = parse_record(serialized)
            crop, _ = self.training_crop(record, repeat, epoch)
            label = tf.cast(record["label"], tf.float32)[None]
            inputs = self._inputs(crop, basis)
            if weights == (1.0, 1.0):
                return inputs, label
            return inputs, label, tf.where(label == 1, weights[1], weights[0])

        # Skipped, and left to other workers, while still encoded.
        records = self._training_order(epoch).skip(skipped)
        records = records.shard(context.num_input_pipelines, context.input_pipeline_id)
        examples = records.map(example, self._parallel, deterministic=True)
        batch = context.get_per_replica_batch_size(self.config.train.batch_size)
        return examples.batch(batch, drop_remainder=True)

    def evaluation(self, split: str) -> tf.data.Dataset:
        """Returns every record of a split once, in the manifest's order.

        Returns:
            A dataset of `({image, sida}, label, meta)`: label `(B, 1)` float32, meta
            a dict of `META`'s fields, each `(B,)`.
        """
        basis = tf_basis()

        def example(serialized):
            record = parse_record(serialized)
            inputs = self._inputs(self.crop(record), basis)
            label = tf.cast(record["label"], tf.float32)[None]
            return inputs, label, _meta(record)

        examples = self._records(split).map(example, self._parallel, deterministic=True)
        return self._prefetched(examples.batch(self.config.evaluate.batch_size))

    def crops(self, split: str, every: int = 1) -> tf.data.Dataset:
        """Returns a split's native crops one by one, as `(crop, label, meta)`.

        Args:
            split: Which split.
            every: Take one record in so many; the others are not decoded.
        """

        def example(serialized):
            record = parse_record(serialized)
            return self.crop(record), record["label"], _meta(record)

        records = self._records(split).shard(every, 0)
        return records.map(example, self._parallel, deterministic=True)

    def spread_crops(self, split: str, videos: int, frames: int) -> tf.data.Dataset:
        """Returns crops as `crops` does, a few of each of some of a split's videos.

        Args:
            split: Which split.
            videos: Most videos, evenly spread over the manifest's order.
            frames: Most crops of a video, evenly spread.
        """

        def example(serialized):
            record = parse_record(serialized)
            return self.crop(record), record["label"], _meta(record)

        found = [video for video in self.manifest.split(split) if video["records"]]
        places = np.linspace(0, len(found) - 1, min(videos, len(found))).astype(int)
        chosen = [found[place] for place in places]
        paths = [str(self.manifest.folder / video["shard"]) for video in chosen]
        every = [-(-video["records"] // frames) for video in chosen]
        shards = tf.data.Dataset.from_tensor_slices(
            (tf.constant(paths, tf.string), tf.constant(every, tf.int64))
        )
        records = shards.flat_map(
            lambda path, every: tf.data.TFRecordDataset(
                path, buffer_size=_BUFFER
            ).shard(every, 0)
        )
        return records.map(example, self._parallel, deterministic=True)

    def _records(self, split):
        shards = [str(path) for path in self.manifest.shards(split)]
        return tf.data.TFRecordDataset(shards, buffer_size=_BUFFER)

    def _inputs(self, crop, basis):
        model, channels = self.config.model, self.config.data.dct_channels
        return model_inputs(
            crop, model.image_size, basis, channels, sida=model.reads_sida
        )

    @property
    def _parallel(self):
        return self.config.data.parallel_calls or tf.data.AUTOTUNE

    @staticmethod
    def _prefetched(dataset):
        options = tf.data.Options()
        options.experimental_distribute.auto_shard_policy = (
            tf.data.experimental.AutoShardPolicy.DATA
        )
        return dataset.prefetch(tf.data.AUTOTUNE).with_options(options)


def _meta(record):
    box = record["box"]
    known = {
        "frame_height": record["frame_size"][1],
        "face_size": tf.maximum(box[2] - box[0], box[3] - box[1]),
    }
    return {name: known[name] if name in known else record[name] for name in META}
