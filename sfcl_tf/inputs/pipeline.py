"""tf.data: from record shards to batches of `{image, sida}`."""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from sfcl_tf.config import Config
from sfcl_tf.inputs.batch_order import BatchOrder
from sfcl_tf.inputs.degrade import Degradation
from sfcl_tf.inputs.example import example_of
from sfcl_tf.inputs.passes import Degraded, Unchanged, Varied
from sfcl_tf.inputs.preprocess import Preprocessor
from sfcl_tf.records.index import RecordIndex
from sfcl_tf.records.manifest import Manifest
from sfcl_tf.records.record import parse_record, read_record
from sfcl_tf.system.errors import DataError

_BUFFER = 1 << 18  # bytes of a shard that is read through
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


@dataclasses.dataclass(frozen=True)
class InputPipeline:
    """Batches from a manifest's shards, the same ones for the same seed.

    Args:
        manifest: The prepared data set.
        config: The run's configuration.
        degradations: What is done to each face that is not trained on.
    """

    manifest: Manifest
    config: Config
    degradations: tuple[Degradation, ...] = ()

    @functools.cached_property
    def preprocess(self) -> Preprocessor:
        """From faces to the model's inputs."""
        return Preprocessor(self.config)

    def real_repeat(self) -> int:
        """Returns how often a real video counts in training."""
        repeat = self.config.data.real_repeat
        if repeat != "auto":
            return repeat
        counts = [0, 0]
        for video in self.manifest.split("train"):
            counts[video["label"]] += video["records"]
        return max(1, round(counts[1] / max(counts[0], 1)))

    @functools.cached_property
    def order(self) -> BatchOrder:
        """Which training records each batch holds."""
        videos = self.manifest.split("train")
        records = [video["records"] for video in videos]
        labels = np.array([video["label"] for video in videos], np.int64)
        return BatchOrder(
            np.repeat(np.arange(len(videos)), records),
            np.repeat(labels, records),
            self.config.train.batch_size,
            self.real_repeat(),
            self.config.train.seed,
        )

    def training_examples(self) -> int:
        """Returns the number of examples of a training epoch, repeats included."""
        return self.order.examples

    def steps_per_epoch(self) -> int:
        """Returns the number of whole batches of a training epoch.

        Raises:
            DataError: If there are fewer examples than a batch takes.
        """
        if not self.order.steps:
            raise DataError(
                f"Expected at least one batch of {self.order.batch} training examples. "
                f"Received: {self.order.examples}. Use more frames (--frames), or a "
                "smaller batch (--set train.batch_size=...)."
            )
        return self.order.steps

    def training(
        self,
        start_step: int = 0,
        context: tf.distribute.InputContext | None = None,
    ) -> tf.data.Dataset:
        """Returns endless epochs of augmented batches, half real and half fake.

        Each batch is of many videos; see `sfcl_tf.inputs.batch_order`. The remainder of
        an epoch's last batch is dropped. Order and augmentation depend on seed, epoch
        and example alone.

        Args:
            start_step: Batches to leave out, over all epochs. What follows is what
                would have followed them; they are not read.
            context: Which of several workers asks. Together they get the batches
                that one would get, each a share of every batch, cut into those of
                its replicas.

        Returns:
            A dataset of `({image, sida}, label)`, label `(B, 1)` float32.

        Raises:
            DataError: If there are fewer examples than a batch takes, or a shard is
                damaged.
        """
        context = context or tf.distribute.InputContext()
        epoch, step = divmod(start_step, self.steps_per_epoch())
        index = self._index("train")
        # A share holds both classes too: they take turns within a batch.
        share = self.order.batch // context.num_input_pipelines
        own = slice(
            context.input_pipeline_id * share, (context.input_pipeline_id + 1) * share
        )
        batch = context.get_per_replica_batch_size(self.order.batch)
        read = _reader(index)

        def order(number, skipped):
            record, repeat = (part[skipped:, own] for part in self.order.epoch(number))
            return *index.locate(record.ravel()), repeat.ravel()

        def examples(number):
            skipped = tf.where(number == epoch, tf.cast(step, tf.int64), 0)
            kinds = tf.int32, tf.int64, tf.int64, tf.int64
            locations = tf.numpy_function(
                order, (number, skipped), kinds, stateful=False
            )
            locations = [tf.ensure_shape(each, (None,)) for each in locations]

            def example(shard, offset, size, repeat):
                record = parse_record(read(shard, offset, size))
                return self._inputs_and_label(record, self._varied(repeat, number))

            dataset = tf.data.Dataset.from_tensor_slices(tuple(locations))
            dataset = dataset.map(example, self._parallel, deterministic=True)
            return dataset.batch(batch, drop_remainder=True)

        epochs = tf.data.Dataset.counter(tf.constant(epoch, tf.int64))
        return self._prefetched(epochs.flat_map(examples))

    def batch_ids(self, step: int) -> list[str]:
        """Returns which examples a training batch holds, without decoding them.

        Args:
            step: The batch's number over all epochs, from 0.

        Returns:
            `video_id, frame N` of each, in the batch's order.
        """
        epoch, step = divmod(step, self.steps_per_epoch())
        index, videos = self._index("train"), self.manifest.split("train")
        locations = index.locate(self.order.epoch(epoch)[0][step])
        read = _reader(index)
        return [
            f"{videos[location[0]]['video_id']}, frame "
            f"{parse_record(read(*location))['frame_index']}"
            for location in zip(*locations, strict=True)
        ]

    def crop(self, record) -> tf.Tensor:
        """Cuts a parsed record's face out, and degrades it where that is asked for.

        Returns:
            The crop, `(side, side, 3)` uint8 RGB at native resolution.
        """
        return self._fixed(example_of(record), self.preprocess.crop)[0]

    def training_crop(self, record, repeat, epoch):
        """Cuts and augments a crop as training does.

        Args:
            record: A parsed record.
            repeat: Which of its repeats in the epoch, an integer scalar.
            epoch: Which epoch, an int64 scalar.

        Returns:
            The crop, `(side, side, 3)` uint8, and what was drawn for it, as
            `sfcl_tf.inputs.augment.draw` gives it.
        """
        example, varied = example_of(record), self._varied(repeat, epoch)
        crop, _ = varied(example, self.preprocess.crop)
        return crop, varied.draw(example)

    def _varied(self, repeat, epoch):
        return Varied(self.config.augment, self.config.train.seed, epoch, repeat)

    @property
    def _fixed(self):
        return Degraded(self.degradations) if self.degradations else Unchanged()

    def _inputs_and_label(self, record, pass_):
        """Returns a parsed record's inputs for the model, and its label `(1,)`."""
        crop, label = pass_(example_of(record), self.preprocess.crop)
        return self.preprocess.inputs(crop), tf.cast(label, tf.float32)[None]

    def evaluation(self, split: str) -> tf.data.Dataset:
        """Returns every record of a split once, in the manifest's order.

        Returns:
            A dataset of `({image, sida}, label, meta)`: label `(B, 1)` float32, meta
            a dict of `META`'s fields, each `(B,)`.
        """

        def example(serialized):
            record = parse_record(serialized)
            return *self._inputs_and_label(record, self._fixed), _meta(record)

        examples = self._records(split).map(example, self._parallel, deterministic=True)
        return self._prefetched(examples.batch(self.config.evaluate.batch_size))

    def crops(self, split: str, every: int = 1) -> tf.data.Dataset:
        """Returns a split's native crops one by one, as `(crop, label, meta)`.

        Args:
            split: Which split.
            every: Take one record in so many; the others are not read.
        """
        if every == 1:
            records = self._records(split)
            return records.map(self._crop_and_meta, self._parallel, deterministic=True)
        return self._crops_at(split, range(0, len(self._index(split)), every))

    def spread_crops(self, split: str, videos: int, frames: int) -> tf.data.Dataset:
        """Returns crops as `crops` does, a few of each of some of a split's videos.

        Args:
            split: Which split.
            videos: Most videos, evenly spread over the manifest's order.
            frames: Most crops of a video, evenly spread.
        """
        counts = [video["records"] for video in self.manifest.split(split)]
        starts = np.cumsum([0, *counts])
        chosen = np.linspace(0, len(counts) - 1, min(videos, len(counts))).astype(int)
        return self._crops_at(
            split,
            np.concatenate(
                [
                    np.arange(starts[p], starts[p + 1], -(-counts[p] // frames))
                    for p in chosen
                ]
            ),
        )

    def spread_inputs(self, split: str, most: int) -> tf.data.Dataset:
        """Returns batches of the model's inputs, `{image, sida}`, not augmented.

        Args:
            split: Which split.
            most: Most examples, evenly spread over the split; the others are not read.
        """
        records = len(self._index(split))
        chosen = np.linspace(0, records - 1, min(most, records)).round().astype(int)
        inputs = self._records_at(split, chosen).map(
            lambda record: self._inputs_and_label(parse_record(record), Unchanged())[0],
            self._parallel,
            deterministic=True,
        )
        return self._prefetched(inputs.batch(self.config.evaluate.batch_size))

    def _crops_at(self, split, chosen):
        records = self._records_at(split, chosen)
        return records.map(self._crop_and_meta, self._parallel, deterministic=True)

    def _records_at(self, split, chosen):
        index = self._index(split)
        locations = index.locate(np.asarray(chosen, int))
        return tf.data.Dataset.from_tensor_slices(locations).map(_reader(index))

    def _crop_and_meta(self, serialized):
        record = parse_record(serialized)
        return self.crop(record), record["label"], _meta(record)

    @functools.cached_property
    def _index(self):
        """A function that gives a split's index, which is read once."""
        return functools.cache(functools.partial(RecordIndex.of, self.manifest))

    def _records(self, split):
        shards = [str(path) for path in self.manifest.shards(split)]
        return tf.data.TFRecordDataset(shards, buffer_size=_BUFFER)

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


def _reader(index):
    """Returns the function from a record's location to it, serialised."""
    paths = tf.constant(index.paths, tf.string)
    return lambda shard, offset, size: read_record(paths[shard], offset, size)


def _meta(record):
    box = record["box"]
    known = {
        "frame_height": record["frame_size"][1],
        "face_size": tf.maximum(box[2] - box[0], box[3] - box[1]),
    }
    return {name: known[name] if name in known else record[name] for name in META}
