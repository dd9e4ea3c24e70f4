"""What happens during training besides the steps."""

import contextlib
import json
import math
import time
from collections import deque
from pathlib import Path

import keras
import numpy as np

from sfcl_tf.evaluation import Predictor, log_loss, roc_auc
from sfcl_tf.records.reading import readable
from sfcl_tf.runs.schemas import HISTORY
from sfcl_tf.system import portable
from sfcl_tf.system.errors import DataError
from sfcl_tf.system.output import explain_write_errors, write_text
from sfcl_tf.training.checkpoint import Progress, TrainingState, candidate
from sfcl_tf.training.finite import FiniteGuard
from sfcl_tf.training.interrupt import Interrupt

_RECENT_SECONDS = 10.0


class StopOnNonFiniteLoss(keras.callbacks.Callback):
    """Ends training with a clear error when the loss is NaN or infinite.

    Args:
        batch_ids: Gives the examples of a step, as `InputPipeline.batch_ids`.
        finite: Says what to do.

    Raises:
        NotFiniteError: At the batch where it happens; it names the batch's examples.
    """

    def __init__(self, batch_ids, finite: FiniteGuard):
        super().__init__()
        self._batch_ids = batch_ids
        self._finite = finite

    def on_train_batch_end(self, batch, logs=None):
        loss = logs["loss"]
        if math.isfinite(loss):
            return
        step = self.model.step
        raise self._finite.loss(loss, step, self._batch_ids(step - 1))


class SelectOnValidation(keras.callbacks.Callback):
    """Scores the validation split after each epoch, and keeps the best weights.

    Selection is by exact frame AUC; where AUC is equal or undefined, by the lower
    loss. Adds `val_auc` and `val_loss` to the epoch's logs. With a moving average of
    the weights, it is that which is scored and kept; with several replicas, the mean
    of their batch statistics.

    Args:
        dataset: Validation batches of `({image, sida}, label, meta)`.
        folder: Where the best weights go.
        progress: What is selected is told there.
        local: A model of the same weights on this machine alone and in full precision,
            which is scored where the one that is trained is not such a one.
        interrupt: Asked between two batches.
        finite: Tells of weights and logits that are not finite.
        is_chief: Whether this process scores; others only wait.
    """

    def __init__(
        self,
        dataset,
        folder: Path,
        progress: Progress,
        local: keras.Model,
        interrupt: Interrupt,
        finite: FiniteGuard,
        is_chief: bool = True,
    ):
        super().__init__()
        self._finite = finite
        self._dataset = dataset
        self._folder = folder
        self._progress = progress
        self._local = local
        self._interrupt = interrupt
        self._is_chief = is_chief
        self.predictor = Predictor(local)

    def on_epoch_end(self, epoch, logs=None):
        # The loss of the epoch's last step was that of the weights before it.
        self._finite.require_weights(self.model)
        self.model.average_statistics()
        with _averaged_weights(self.model):
            if self._local.variables[0] is not self.model.variables[0]:
                self._local.set_weights(self.model.get_weights())
            if self._is_chief:
                self._select(epoch, logs)

    def _select(self, epoch, logs):
        batches = self._interrupt.watch(readable(self._dataset, "the split val"))
        label, logit = self.predictor.logits(batches)
        if wrong := int((~np.isfinite(logit)).sum()):
            raise self._finite.logits(wrong, len(logit))
        auc, loss = roc_auc(label, logit), log_loss(label, logit)
        logs |= {"val_auc": auc, "val_loss": loss}
        best = self._progress
        if not best.best_epoch or _rank(auc, loss) > _rank(
            best.best_auc, best.best_loss
        ):
            path = candidate(self._folder, epoch + 1)
            with explain_write_errors(path, "go on with --resume"):
                self._local.save_weights(path)
                portable.flush_to_disk(path)
            best.best_epoch, best.best_auc, best.best_loss = epoch + 1, auc, loss


def _rank(auc, loss):
    return (-math.inf if math.isnan(auc) else auc, -loss)


@contextlib.contextmanager
def _averaged_weights(model):
    """Puts the moving average of the weights in their place, and them back."""
    optimizer = model.optimizer
    if not optimizer.use_ema:
        yield
        return
    # Copied, not added and subtracted as `SwapEMAWeights` does: that rounds.
    own = [variable.numpy() for variable in model.trainable_variables]
    averages = optimizer._model_variables_moving_average
    try:
        for variable, average in zip(model.trainable_variables, averages, strict=True):
            variable.assign(average.value)
        yield
    finally:
        for variable, value in zip(model.trainable_variables, own, strict=True):
            variable.assign(value)


class LogMetrics(keras.callbacks.Callback):
    """Appends one JSON line an epoch to `metrics.jsonl`, and reports progress.

    Args:
        path: The file.
        progress: Rows of epochs that it does not count as done are dropped: they
            are to be trained again.
        batch_size: The global one.
        steps: Steps of an epoch.
        on_batch: Called with epoch and batch (from 1) and the running logs, among
            them `images_per_second` and `waiting`, the share of the last seconds
            in which there was no data.
        on_epoch: Called with the line's values.
    """

    def __init__(
        self,
        path: Path,
        progress: Progress,
        batch_size: int,
        steps: int,
        on_batch=None,
        on_epoch=None,
    ):
        super().__init__()
        self._path = path
        self._batch_size = batch_size
        self._steps = steps
        self._on_batch = on_batch
        self._on_epoch = on_epoch
        self._recent: deque[tuple[float, ...]] = deque()
        self._first: tuple[float, ...] | None = None
        self.history = [r for r in read_rows(path) if r["epoch"] <= progress.epoch]
        lines = "".join(_line(row) for row in self.history)
        write_text(path, lines)

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.perf_counter()
        self._first = None
        self._recent.clear()

    def on_train_batch_end(self, batch, logs=None):
        step = self.model.step
        self._last = self._now()
        self._recent.append(self._last)
        # The first step after a break is traced, or finds no batch made.
        self._first = self._first or self._last
        while self._last[0] - self._recent[0][0] > _RECENT_SECONDS:
            self._recent.popleft()
        if self._on_batch:
            epoch, done = divmod(step - 1, self._steps)
            logs = logs | self._speed(self._recent[0], self._last)
            self._on_batch(epoch + 1, done + 1, logs)

    def on_epoch_end(self, epoch, logs=None):
        row = {"epoch": epoch + 1}
        row |= {name: float(value) for name, value in logs.items()}
        row["learning_rate"] = self.model.learning_rate
        if self._first:  # none where training went on at the end of an epoch
            row |= self._speed(self._first, self._last)
            row["seconds"] = time.perf_counter() - self._start
        self.history.append(row)
        with (
            explain_write_errors(self._path, "go on with --resume"),
            self._path.open("a", encoding="utf-8") as file,
        ):
            file.write(_line(row))
        if self._on_epoch:
            self._on_epoch(row)

    def _now(self):
        clock = self.model.clock
        return time.perf_counter(), clock.steps, clock.waiting, clock.stepping

    def _speed(self, first, last):
        """Images a second, and shares of the time, between two moments."""
        seconds, steps, waiting, stepping = (
            b - a for a, b in zip(first, last, strict=True)
        )
        if not steps:
            return {"images_per_second": math.nan, "waiting": math.nan}
        return {
            "images_per_second": steps * self._batch_size / seconds,
            "waiting": waiting / seconds,
            "overhead": max(0.0, 1 - (waiting + stepping) / seconds),
        }


def read_rows(path: Path) -> list[dict]:
    """Returns the rows of `metrics.jsonl`, NaN where it has null; none if absent.

    A line that was cut off or damaged is left out, and what follows it.
    """
    rows = []
    if path.is_file():
        for line in path.read_bytes().splitlines():
            try:
                row = HISTORY.parse(line, path)
            except DataError:
                break
            rows.append({k: math.nan if v is None else v for k, v in row.items()})
    return rows


def _line(row):
    finite = {k: v if math.isfinite(v) else None for k, v in row.items()}
    return json.dumps(finite) + "\n"


class SaveState(keras.callbacks.Callback):
    """Saves every so many steps, after each epoch, and when asked to stop.

    Stands after `SelectOnValidation` and `LogMetrics`, whose work it seals.

    Args:
        state: What is saved.
        progress: How far training is; kept up to date here.
        every: Steps between two checkpoints.
        interrupt: Asked after each step.
    """

    def __init__(
        self, state: TrainingState, progress: Progress, every: int, interrupt: Interrupt
    ):
        super().__init__()
        self._state = state
        self._progress = progress
        self._every = every
        self._interrupt = interrupt

    def on_train_batch_end(self, batch, logs=None):
        self._progress.step = self.model.step
        if self._progress.step % self._every == 0:
            self._state.save(self._progress)
        self._interrupt.check()

    def on_epoch_end(self, epoch, logs=None):
        self._progress.epoch = epoch + 1
        self._state.save(self._progress)
