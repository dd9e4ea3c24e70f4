"""Training under `compile` and `fit`."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from sfcl_tf.config import Config
from sfcl_tf.evaluation import Predictor
from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.models import backbone, build_model, load_weights
from sfcl_tf.runs import files
from sfcl_tf.system.errors import SfclError
from sfcl_tf.system.output import atomic_write
from sfcl_tf.training.callbacks import (
    LogMetrics,
    SaveState,
    SelectOnValidation,
    StopOnNonFiniteLoss,
)
from sfcl_tf.training.checkpoint import BEST, Progress, TrainingState
from sfcl_tf.training.finite import FiniteGuard
from sfcl_tf.training.fit import FitModel
from sfcl_tf.training.interrupt import Interrupt, Stopped
from sfcl_tf.training.optimizer import make_optimizer
from sfcl_tf.training.precision import dtype_policy, precision
from sfcl_tf.training.standardize import standardize_on
from sfcl_tf.training.tensorboard import TensorBoardLog


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
    is_chief: bool = True,
    on_statistics: Callable[[int], None] | None = None,
    on_batch: Callable[[int, int, dict], None] | None = None,
    on_epoch: Callable[[dict], None] | None = None,
    on_interrupt: Callable[[], None] | None = None,
) -> Training:
    """Trains a model and selects its weights on the validation split.

    The test split is not read. The selected model is saved as `model.keras`. If the
    run directory holds the state of a training, that goes on at its next batch.

    Args:
        config: The run's configuration.
        pipeline: Its data.
        run_dir: The run directory; it exists.
        strategy: A `tf.distribute` strategy. Defaults to the current one.
        build: Makes the model from the configuration.
        is_chief: Whether this process validates and writes the run directory; of
            several workers one does. The others read it when training goes on.
        on_statistics: Called with the number of examples that the `Standardize`
            layers have seen so far.
        on_batch: Called with epoch and batch (from 1), and the running logs.
        on_epoch: Called with the row that goes to `metrics.jsonl`.
        on_interrupt: Called when Ctrl-C or SIGTERM asks to stop; the step under way
            is finished and the state saved first.

    Raises:
        DataError: If there is less than a batch of training data, or a checkpoint
            cannot be written.
        ModelError: If the state in the run directory does not fit.
        SfclError: If the loss stops being finite, or another worker is lost.
        KeyboardInterrupt: When it was interrupted.
    """
    strategy = strategy or tf.distribute.get_strategy()
    steps = pipeline.steps_per_epoch()
    keras.utils.set_random_seed(config.train.seed)
    with precision(config.train):
        model, local = _build(config, build, strategy, steps)

    checkpoints = run_dir / files.CHECKPOINTS
    checkpoints.mkdir(exist_ok=True)
    state = TrainingState(model, checkpoints, config, is_chief)
    progress = state.restore()
    if progress is None:
        progress = Progress()
        standardize_on(model, pipeline, on_statistics)
        state.save(progress)

    alone = strategy.num_replicas_in_sync == 1 or isinstance(
        strategy, tf.distribute.MirroredStrategy
    )
    interrupt = Interrupt(on_interrupt)
    finite = FiniteGuard(run_dir, config.train)
    select = SelectOnValidation(
        pipeline.evaluation("val"),
        checkpoints,
        progress,
        local,
        interrupt,
        finite,
        is_chief,
    )
    callbacks = [
        StopOnNonFiniteLoss(pipeline.batch_ids, finite),
        select,
        SaveState(state, progress, config.train.checkpoint_steps, interrupt),
    ]
    history = []
    if is_chief:
        log = LogMetrics(
            run_dir / files.METRICS,
            progress,
            config.train.batch_size,
            steps,
            on_batch,
            on_epoch,
        )
        history = log.history
        board = TensorBoardLog(
            run_dir / files.TENSORBOARD, histograms=config.train.histograms
        )
        callbacks[2:2] = [log, board]

    try:
        if alone:
            with interrupt:
                _fit(model, pipeline, progress, config.train.epochs, callbacks)
        else:  # one of several cannot save without the others, and so just ends
            _fit(model, pipeline, progress, config.train.epochs, callbacks)
    except Stopped:
        state.save(progress)
        raise
    except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
        if alone:
            raise
        raise SfclError(
            "Expected every worker to train on. Received: one was lost "
            f"({_reason(error)}). All is kept up to the last checkpoint: start all "
            f"workers again with --resume {run_dir}."
        ) from error
    if not is_chief:
        return Training(local, select.predictor, 0, float("nan"), history)
    load_weights(local, checkpoints / BEST)
    save_model(local, run_dir / files.MODEL)
    return Training(
        local, select.predictor, progress.best_epoch, progress.best_auc, history
    )


def _build(config, build, strategy, steps):
    """Returns the model to train, compiled, and one to score with its weights.

    They are one model, unless that is spread over replicas or computes in half
    precision: what is scored, saved and exported does neither.
    """
    with strategy.scope():
        bare = build(config)
        spread = strategy.num_replicas_in_sync > 1
        model = FitModel(bare.input, bare.output, name=bare.name)
        slow = [v for layer in backbone(bare) for v in layer.trainable_variables]
        model.compile(
            optimizer=make_optimizer(config.train, steps, slow),
            loss=keras.losses.BinaryCrossentropy(
                from_logits=True, label_smoothing=config.train.label_smoothing
            ),
            metrics=[
                keras.metrics.AUC(from_logits=True, name="auc"),
                keras.metrics.BinaryAccuracy(threshold=0.0, name="acc"),
            ],
            jit_compile=False,  # crashes under a strategy, 7x slower on CPU
        )
    local = bare
    if spread or keras.config.dtype_policy().name != keras.config.floatx():
        with dtype_policy(keras.config.floatx()):
            local = build(_without_weights(config))
    if spread and config.train.sync_bn:
        for layer in model._flatten_layers():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True
    model.prepare()
    return model, local


def _without_weights(config):
    """Returns the configuration of a model whose weights are another's."""
    none = {"spatial_weights": "none", "frequency_weights": "none"}
    return dataclasses.replace(config, model=dataclasses.replace(config.model, **none))


def _fit(model, pipeline, progress, epochs, callbacks):
    """Trains from where `progress` stands, in the middle of an epoch too."""
    steps = pipeline.steps_per_epoch()
    epoch, done = divmod(progress.step, steps)
    if epoch > progress.epoch:  # stopped before the epoch's validation was over
        ending = keras.callbacks.CallbackList(callbacks, model=model)
        ending.on_epoch_end(epoch - 1, dict(model.get_metrics_result()))
    if done:
        model.keep_metrics = True
        _fit_epochs(model, pipeline, progress, callbacks, epoch + 1, steps - done)
        epoch += 1
    if epoch < epochs:
        _fit_epochs(model, pipeline, progress, callbacks, epochs, steps)


def _fit_epochs(model, pipeline, progress, callbacks, until, steps):
    start = model.step
    model.fit(
        model.distribute_strategy.distribute_datasets_from_function(
            lambda context: pipeline.training(start, context)
        ),
        initial_epoch=progress.epoch,
        epochs=until,
        steps_per_epoch=steps,
        shuffle=False,  # the pipeline does
        callbacks=callbacks,
        verbose=0,
    )


def _reason(error) -> str:
    lines = [line for line in error.message.splitlines() if line.strip()]
    causes = [line for line in lines if "aborted by" in line or "unhealthy" in line]
    return (causes or lines or ["no reason given"])[0].strip()[:200]


def save_model(model: keras.Model, path: Path) -> None:
    """Saves a model without its optimizer, whole or not at all."""
    bare = keras.Model(model.input, model.output, name=model.name)
    with atomic_write(path) as temporary:
        named = temporary.with_suffix(".keras")
        try:
            bare.save(named)
            named.replace(temporary)
        finally:
            named.unlink(missing_ok=True)
