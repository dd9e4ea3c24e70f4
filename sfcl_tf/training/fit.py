"""Keras's `fit`, made to work under every strategy and to say where time goes."""

import dataclasses
import functools
import time
from collections.abc import Callable

import keras
import tensorflow as tf

from sfcl_tf.records.reading import explain_read_errors


@dataclasses.dataclass
class Clock:
    """Seconds that the steps took so far.

    Attributes:
        waiting: Until the next batch was there.
        stepping: In the training step itself.
        steps: How many there were.
    """

    waiting: float = 0.0
    stepping: float = 0.0
    steps: int = 0


class FitModel(keras.Model):
    """A Functional model whose `fit` runs under any `tf.distribute` strategy.

    Keras 3's own `fit` fails under `MultiWorkerMirroredStrategy` in two places: it
    builds metrics from a batch that it first reduces over the replicas, which a batch
    of several workers cannot be, and it averages each step's scalars over an axis 0
    that they do not have. Here the model is built from its input signature (`prepare`),
    and scalars are averaged over replicas alone. As the step is ours then, some things
    come with it: the replicas' batch statistics are averaged (`average_statistics`),
    the time spent waiting for data is measured (`clock`), an epoch that was restored
    half-way keeps its running metrics (`keep_metrics`), and the first batch's images
    can be looked at (`sample`).

    Args:
        *args: As for `keras.Model`: inputs and outputs.
        **kwargs: As for `keras.Model`.
    """

    train_function: Callable | None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.clock = Clock()
        self.keep_metrics = False
        self.sample = None

    def prepare(self) -> None:
        """Creates the variables of metrics and optimizer; needs `compile` before."""
        batch = {
            name: keras.KerasTensor((1, *tensor.shape[1:]), tensor.dtype)
            for name, tensor in self.input.items()
        }
        with self.distribute_strategy.scope():
            self._symbolic_build(data_batch=(batch, keras.KerasTensor((1, 1))))

    def average_statistics(self) -> None:
        """Gives all replicas the mean of their moving batch statistics.

        Keras lets each replica keep those of its own share of the batches, and reads
        and saves the first one's. As a moving average is linear, taking the mean at
        any step leaves later means as they would have been. Of several workers, all
        must call it at the same step.
        """
        if self.distribute_strategy.num_replicas_in_sync > 1:
            self._average_statistics()

    @functools.cached_property
    def _average_statistics(self):
        statistics = [
            variable.value
            for layer in self._flatten_layers()
            if isinstance(layer, keras.layers.BatchNormalization)
            for variable in (layer.moving_mean, layer.moving_variance)
        ]

        def assign_means():
            context = tf.distribute.get_replica_context()
            own = [variable.read_value() for variable in statistics]
            means = context.all_reduce(tf.distribute.ReduceOp.MEAN, own)
            for variable, mean in zip(statistics, means, strict=True):
                variable.assign(mean)

        if not statistics:
            return lambda: None
        return tf.function(
            lambda: self.distribute_strategy.run(assign_means),
            autograph=False,
            jit_compile=False,
        )

    @property
    def step(self) -> int:
        """Optimisation steps done."""
        return int(keras.ops.convert_to_numpy(self.optimizer.iterations))

    @property
    def learning_rate(self) -> float:
        """That of the next step."""
        return float(keras.ops.convert_to_numpy(self.optimizer.learning_rate))

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Does nothing: `prepare` has built, without touching a batch."""

    def reset_metrics(self):
        if self.keep_metrics:
            self.keep_metrics = False
        else:
            super().reset_metrics()

    def make_train_function(self, force=False):
        if self.train_function is not None and not force:
            return
        strategy, clock = self.distribute_strategy, self.clock

        @tf.function(reduce_retracing=True, jit_compile=False, autograph=False)
        def step(batch):
            logs = strategy.run(self.train_step, args=(batch,))
            return {k: strategy.reduce("MEAN", v, axis=None) for k, v in logs.items()}

        def advance(iterator):
            start = time.perf_counter()
            with explain_read_errors(f"the batch of step {self.step + 1}"):
                batch = next(iterator)
            ready = time.perf_counter()
            if self.sample is None:
                images = strategy.experimental_local_results(batch[0]["image"])
                self.sample = images[0]
            logs = {name: float(value) for name, value in step(batch).items()}
            clock.waiting += ready - start
            clock.stepping += time.perf_counter() - ready
            clock.steps += 1
            return logs

        self.train_function = advance
