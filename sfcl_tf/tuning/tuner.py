"""A trial is a training of ours; everything else is KerasTuner's."""

import gc
import json
import math
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import keras
import keras_tuner
from keras_tuner.errors import FailedTrialError, FatalError
from keras_tuner.oracles import (
    BayesianOptimizationOracle,
    HyperbandOracle,
    RandomSearchOracle,
)

from sfcl_tf.config import Config, from_toml, override, to_toml
from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.models import build_model
from sfcl_tf.records.manifest import Manifest
from sfcl_tf.runs import files
from sfcl_tf.system.errors import DataError, SfclError, UsageError
from sfcl_tf.system.output import NotWrittenError, write_text
from sfcl_tf.training import train
from sfcl_tf.tuning.space import Space

ALGORITHMS = ("random", "hyperband", "bayesian")
OBJECTIVE = keras_tuner.Objective("val_auc", "max")
_HEARTBEAT = 2.0  # seconds


class SearchStoppedError(FatalError, DataError):
    """What ends a search, and not one trial alone."""


def make_oracle(
    algorithm: str, space: Space, config: Config, trials: int
) -> keras_tuner.Oracle:
    """Returns the oracle that chooses each trial's values.

    Args:
        algorithm: One of `ALGORITHMS`. Hyperband trains many for few epochs, and
            the best of them for `train.epochs`; its number of trials follows from
            that.
        space: What is searched.
        config: The configuration that the search begins with.
        trials: How many; Hyperband does not ask.

    Raises:
        UsageError: If what the algorithm needs is not installed.
    """
    common = {
        "objective": OBJECTIVE,
        "hyperparameters": space.hyperparameters(config),
        "allow_new_entries": False,
        "seed": config.train.seed + 1,  # 0 would be drawn at random
        "max_consecutive_failed_trials": 10**6,
    }
    if algorithm == "hyperband":
        oracle = HyperbandOracle(max_epochs=config.train.epochs, **common)
    elif algorithm == "random":
        oracle = RandomSearchOracle(max_trials=trials, **common)
    else:
        try:
            import sklearn  # noqa: F401
        except ImportError as error:
            raise UsageError(
                "Expected scikit-learn for --algorithm bayesian. Received: it is not "
                'installed. Run: pip install "sfcl_tf[tune]"'
            ) from error
        oracle = BayesianOptimizationOracle(max_trials=trials, **common)
    oracle.verbose = 0
    return oracle


class Tuner(keras_tuner.engine.base_tuner.BaseTuner):
    """Trains one model after another with the values that an oracle chooses.

    The objective is the exact frame AUC on the validation split; the test split is
    not read. A trial that was cut off goes on at its next batch.

    Args:
        oracle: See `make_oracle`.
        space: What is searched.
        config: The configuration that the search begins with.
        manifest: The prepared data.
        folder: Where the search is kept; called again there, it goes on.
        build: Makes a model from a configuration.
        keep: Whether to keep each trial's weights.
        on_trial: Called with a trial's id and values when it begins.
        on_epoch: Called with a trial's id and each row of its `metrics.jsonl`.
        on_end: Called with the trial when it has ended.
    """

    def __init__(
        self,
        oracle: keras_tuner.Oracle,
        space: Space,
        config: Config,
        manifest: Manifest,
        folder: Path,
        *,
        build: Callable = build_model,
        keep: bool = False,
        on_trial: Callable | None = None,
        on_epoch: Callable | None = None,
        on_end: Callable | None = None,
    ):
        super().__init__(oracle, directory=str(folder.parent), project_name=folder.name)
        self._space = space
        self._config = config
        self._manifest = manifest
        self._build = build
        self._keep = keep
        self._on_trial = on_trial
        self._on_epoch = on_epoch
        self._on_end = on_end
        if not self._is_worker():
            self.save()  # else a search cut off in its first trial begins anew

    def run_trial(self, trial):
        """Trains with a trial's values; returns the best AUC of an epoch."""
        values = trial.hyperparameters.values
        if self._on_trial:
            self._on_trial(trial.trial_id, self._space.chosen(values))
        folder = Path(self.get_trial_dir(trial.trial_id))
        with _heartbeat(self.oracle, trial.trial_id):
            try:
                config = self._space.apply(self._config, values)
                if "tuner/epochs" in values:
                    config = _with_epochs(config, values["tuner/epochs"])
                write_text(folder / files.CONFIG, to_toml(config))
                training = train(
                    config,
                    InputPipeline(self._manifest, config),
                    folder,
                    build=self._build,
                    on_epoch=lambda row: (
                        self._on_epoch and self._on_epoch(trial.trial_id, row)
                    ),
                )
            except NotWrittenError as error:  # the next trial would fare no better
                raise SearchStoppedError(str(error)) from error
            except SfclError as error:  # of these values; others may do
                raise FailedTrialError(str(error)) from error
            finally:
                keras.utils.clear_session()
                gc.collect()
        if math.isnan(training.val_auc):
            raise FailedTrialError("The validation split has one class: no AUC.")
        if not self._keep:
            shutil.rmtree(folder / files.CHECKPOINTS)
            (folder / files.MODEL).unlink()
        return {"val_auc": training.val_auc}

    def on_trial_end(self, trial):
        """Ends a trial, and tells of it."""
        super().on_trial_end(trial)
        if self._on_end:
            self._on_end(self.oracle.get_trial(trial.trial_id))


def _with_epochs(config, epochs):
    return override(config, [("train.epochs", int(epochs))])


class _heartbeat:
    """Asks the chief for the trial now and then, so that it knows of this worker."""

    def __init__(self, oracle, trial_id):
        self._oracle = oracle
        self._trial_id = trial_id
        self._stop = threading.Event()

    def __enter__(self):
        if not isinstance(self._oracle, keras_tuner.Oracle):
            self._thread = threading.Thread(target=self._beat, daemon=True)
            self._thread.start()

    def _beat(self):
        while not self._stop.wait(_HEARTBEAT):
            try:
                self._oracle.get_trial(self._trial_id)
            except Exception:  # told where the trial ends
                time.sleep(_HEARTBEAT)

    def __exit__(self, *_):
        self._stop.set()


def require_same_search(folder: Path, config: Config, space: Space, algorithm: str):
    """Raises where a folder holds another search than this one.

    Raises:
        UsageError: It says what differs.
    """
    path = folder / "search.json"
    # As JSON gives it back.
    mine = json.loads(
        json.dumps(
            {
                "algorithm": algorithm,
                "space": dict(space.entries),
                "config": to_toml(config),
            }
        )
    )
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(mine, indent=1))
        return
    theirs = json.loads(path.read_text("utf-8"))
    # With the settings that there were not yet when it was begun.
    theirs["config"] = to_toml(from_toml(theirs["config"]))
    if other := [key for key in mine if mine[key] != theirs.get(key)]:
        raise UsageError(
            f"Expected the search that {folder} was begun with. Received another "
            f"{' and '.join(other)}. Give the same options to go on with it, or "
            "another --name."
        )
