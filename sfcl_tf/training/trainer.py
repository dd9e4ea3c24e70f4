"""Training under `compile` and `fit`."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from sfcl_tf.config import Config
from sfcl_tf.data.pipeline import InputPipeline
from sfcl_tf.evaluation import Predictor
from sfcl_tf.models import build_model
from sfcl_tf.training.callbacks import (
    LogMetrics,
    SelectOnValidation,
    StopOnNonFiniteLoss,
)
from sfcl_tf.training.standardize import fill_standardize


@dataclasses.dataclass(frozen=True)
class Training:
    """What training gave.

    Attributes:
        model: With the selected epoch's weights.
        predictor: Its forward pass, already traced.
        selected_epoch: From 1.
        val_auc: Exact frame AUC of that epoch on the validation split; NaN if the
            split has one class only.
        history: The rows of `metrics.jsonl`.
    """

    model: keras.Model
    predictor: Predictor
    selected_epoch: int
    val_auc: float
    history: list[dict[str, float]]


def train(
    config: Config,
    pipeline: InputPipeline,
    run_dir: Path,
    *,
    strategy: tf.distribute.Strategy | None = None,
    build: Callable[[Config], keras.Model] = build_model,
    on_statistics: Callable[[int], None] | None = None,
    on_batch: Callable[[int, int, dict], None] | None = None,
    on_epoch: Callable[[dict], None] | None = None,
) -> Training:
    """Trains a model and selects its weights on the validation split.

    The test split is not read. The selected model is saved as `model.keras`.

    Args:
        config: The run's configuration.
        pipeline: Its data.
        run_dir: The run directory; it exists.
        strategy: A `tf.distribute` strategy. Defaults to the current one.
        build: Makes the model from the configuration.
        on_statistics: Called with the number of examples that the `Standardize`
            layers have seen so far.
        on_batch: Called with epoch and batch (from 1), and the running logs.
        on_epoch: Called with the row that goes to `metrics.jsonl`.

    Raises:
        DataError: If there is less than a batch of training data.
        SfclError: If the loss stops being finite.
    """
    strategy = strategy or tf.distribute.get_strategy()
    steps = pipeline.steps_per_epoch()
    keras.utils.set_random_seed(config.train.seed)
    keras.config.set_dtype_policy(config.train.precision)
    with strategy.scope():
        model = build(config)
        model.compile(
            optimizer=make_optimizer(config, steps),
            loss=keras.losses.BinaryCrossentropy(from_logits=True),
            metrics=[
                keras.metrics.AUC(from_logits=True, name="auc"),
                keras.metrics.BinaryAccuracy(threshold=0.0, name="acc"),
            ],
            jit_compile=False,  # crashes under a strategy, 7x slower on CPU
        )
    unaugmented = pipeline.evaluation("train")
    fill_standardize(
        model, unaugmented.map(lambda inputs, label, meta: inputs), on_statistics
    )

    checkpoints = run_dir / "checkpoints"
    checkpoints.mkdir(exist_ok=True)
    select = SelectOnValidation(pipeline.evaluation("val"), checkpoints)
    log = LogMetrics(
        run_dir / "metrics.jsonl",
        steps * config.train.batch_size,
        on_batch,
        on_epoch,
    )
    averaged = [keras.callbacks.SwapEMAWeights(True)] if config.train.ema else []
    model.fit(
        pipeline.training(),
        epochs=config.train.epochs,
        steps_per_epoch=steps,
        shuffle=False,  # the pipeline does
        callbacks=[
            StopOnNonFiniteLoss(),
            *averaged,  # before selection, which is made on the averaged weights
            select,
            log,
            keras.callbacks.TensorBoard(run_dir / "tb", write_graph=False),
        ],
        verbose=0,
    )
    model.load_weights(select.best_weights)
    save_model(model, run_dir / "model.keras")
    return Training(
        model, select.predictor, select.best_epoch, select.best_auc, log.history
    )


def make_optimizer(config: Config, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Returns Adam as the configuration has it; weight decay is decoupled."""
    options = config.train
    rate = options.learning_rate
    if options.schedule == "cosine":
        steps = options.epochs * steps_per_epoch
        warmup = int(options.warmup * steps)
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup else rate,
            warmup_target=rate if warmup else None,
            warmup_steps=warmup,
            decay_steps=max(steps - warmup, 1),
        )
    return keras.optimizers.Adam(
        rate,
        weight_decay=options.weight_decay or None,
        global_clipnorm=options.clip_norm or None,
        use_ema=bool(options.ema),
        ema_momentum=options.ema or 0.99,
    )


def save_model(model: keras.Model, path: Path) -> None:
    """Saves a model without its optimizer, under a temporary name first."""
    bare = keras.Model(model.input, model.output, name=model.name)
    temporary = path.with_name(f".tmp.{path.name}")
    bare.save(temporary)
    temporary.replace(path)
