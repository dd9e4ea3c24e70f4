"""What happens during training besides the steps."""

import json
import math
import time
from pathlib import Path

import keras

from sfcl_tf.errors import SfclError
from sfcl_tf.evaluation import Predictor, log_loss, roc_auc


class StopOnNonFiniteLoss(keras.callbacks.Callback):
    """Ends training with a clear error when the loss is NaN or infinite.

    Raises:
        SfclError: At the batch where it happens.
    """

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch, logs=None):
        loss = logs["loss"]
        if not math.isfinite(loss):
            raise SfclError(
                f"Expected a finite loss. Received: {loss} in epoch {self._epoch}, "
                f"batch {batch + 1}. The best checkpoint so far is kept. Try a lower "
                "--set train.learning_rate=..., or train.clip_norm=1."
            )


class SelectOnValidation(keras.callbacks.Callback):
    """Scores the validation split after each epoch, and keeps the best weights.

    Selection is by exact frame AUC; where AUC is equal or undefined, by the lower
    loss. Adds `val_auc` and `val_loss` to the epoch's logs.

    Args:
        dataset: Validation batches of `({image, sida}, label, meta)`.
        folder: Where `best.weights.h5` and `last.weights.h5` go.
    """

    def __init__(self, dataset, folder: Path):
        super().__init__()
        self._dataset = dataset
        self._folder = folder
        self._predictor = None
        self.best_epoch = 0
        self.best_auc = math.nan
        self._best = (-math.inf, -math.inf)

    @property
    def predictor(self):
        """The traced forward pass, to be used again."""
        if self._predictor is None:
            self._predictor = Predictor(self.model)
        return self._predictor

    @property
    def best_weights(self) -> Path:
        """Where the selected weights lie."""
        return self._folder / "best.weights.h5"

    def on_epoch_end(self, epoch, logs=None):
        label, logit = self.predictor.logits(self._dataset)
        auc, loss = roc_auc(label, logit), log_loss(label, logit)
        logs |= {"val_auc": auc, "val_loss": loss}
        save_weights(self.model, self._folder / "last.weights.h5")
        rank = (-math.inf if math.isnan(auc) else auc, -loss)
        if rank > self._best or not self.best_epoch:
            self._best, self.best_epoch, self.best_auc = rank, epoch + 1, auc
            save_weights(self.model, self.best_weights)


class LogMetrics(keras.callbacks.Callback):
    """Appends one JSON line an epoch to `metrics.jsonl`, and reports progress.

    Args:
        path: The file.
        examples: Examples of an epoch.
        on_batch: Called with epoch (from 1), batch (from 1) and the running logs.
        on_epoch: Called with the line's values.
    """

    def __init__(self, path: Path, examples: int, on_batch=None, on_epoch=None):
        super().__init__()
        self._path = path
        self._examples = examples
        self._on_batch = on_batch
        self._on_epoch = on_epoch
        self.history = []

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch + 1
        self._start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self._trained = time.perf_counter()
        if self._on_batch:
            self._on_batch(self._epoch, batch + 1, logs)

    def on_epoch_end(self, epoch, logs=None):
        row = {"epoch": self._epoch}
        row |= {name: float(value) for name, value in logs.items()}
        row["learning_rate"] = float(self.model.optimizer.learning_rate)
        row["images_per_second"] = self._examples / (self._trained - self._start)
        row["seconds"] = time.perf_counter() - self._start
        self.history.append(row)
        finite = {k: v if math.isfinite(v) else None for k, v in row.items()}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(finite) + "\n")
        if self._on_epoch:
            self._on_epoch(row)


def save_weights(model: keras.Model, path: Path) -> None:
    """Saves weights under a temporary name, then renames: the old ones stay whole."""
    temporary = path.with_name(f".tmp.{path.name}")
    model.save_weights(temporary)
    temporary.replace(path)
