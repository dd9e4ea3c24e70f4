"""The state of a training on the disk, from which it goes on bit for bit."""

import dataclasses
import json
import math
import shutil
import tempfile
from pathlib import Path
from typing import Any

import tensorflow as tf

from sfcl_tf.config import RETIRED, Config
from sfcl_tf.runs import schemas
from sfcl_tf.runs.files import STATE
from sfcl_tf.system import portable
from sfcl_tf.system.errors import ModelError
from sfcl_tf.system.output import explain_write_errors, write_json
from sfcl_tf.system.plain_text import in_a_line
from sfcl_tf.training.finite import FiniteGuard
from sfcl_tf.training.fit import FitModel

BEST = "best.weights.h5"
# What may differ when a training goes on; sections with a dot are whole ones.
_MAY_CHANGE = (
    "data.parallel_calls",
    "train.checkpoint_steps",
    "train.histograms",
    "evaluate.",
    "export.",
)


_EPOCHS = "train.epochs"


@dataclasses.dataclass
class Progress:
    """How far a training is.

    Attributes:
        step: Optimisation steps done.
        epoch: Epochs done, their validation included.
        best_epoch: The selected one so far, from 1; 0 before the first.
        best_auc: Its frame AUC on the validation split; NaN with one class.
        best_loss: Its log-loss there.
    """

    step: int = 0
    epoch: int = 0
    best_epoch: int = 0
    best_auc: float = math.nan
    best_loss: float = math.inf


class TrainingState:
    """Writes and reads weights, optimizer, running metrics and progress.

    A state that is named by `state.json` is whole: it is written beside the one
    before, which is removed only after the name was changed.

    Args:
        model: Compiled, and prepared.
        folder: The run's `checkpoints` folder.
        config: The run's configuration, which a state must fit.
        is_chief: Whether this process writes it. With several workers all must
            save at the same step, since some variables are averaged over them.
    """

    def __init__(self, model: FitModel, folder: Path, config: Config, is_chief=True):
        self._model = model
        self._finite = FiniteGuard(folder.parent, config.train)
        self._folder = folder
        self._config = config
        self._is_chief = is_chief
        groups = {
            "model": model.variables,
            "optimizer": model.optimizer.variables,
            "metrics": model.metrics_variables,
        }
        self._variables = tf.train.Checkpoint(
            **{name: [v.value for v in group] for name, group in groups.items()}
        )

    def save(self, progress: Progress) -> None:
        """Writes the state.

        Raises:
            DiskFullError: If no space is left; the state before is as it was.
            NotFiniteError: If a weight is not finite, which is not worth going on
                from.
        """
        self._finite.require_weights(self._model)
        self._model.average_statistics()
        if not self._is_chief:
            with tempfile.TemporaryDirectory() as folder:
                self._variables.write(str(Path(folder, "worker")))
            return
        name = f"step-{progress.step:08d}"
        with explain_write_errors(
            self._folder / name, "go on from the last checkpoint with --resume"
        ):
            try:
                self._variables.write(str(self._folder / name))
                for file in self._folder.glob(f"{name}.*"):
                    portable.flush_to_disk(file)
            except Exception:
                self._remove(except_for=_read(self._folder).get("name"))
                raise
            write_json(
                self._folder / STATE,
                {
                    "name": name,
                    "progress": _finite(dataclasses.asdict(progress)),
                    "config": _settings(self._config),
                },
            )
        self._remove(except_for=name)
        settle_best(self._folder, progress.best_epoch)

    def restore(self) -> Progress | None:
        """Reads the state that was saved last; `None` if there is none.

        Raises:
            ModelError: If it is damaged, or was saved with other settings.
        """
        state = _read(self._folder)
        if not state:
            return None
        require_settings(self._folder, self._config)
        path = self._folder / state["name"]
        try:
            self._variables.read(str(path)).assert_consumed()
        except Exception as error:  # whatever a damaged file makes it raise
            raise ModelError(
                f"Expected a checkpoint at {path} that fits this model. Received: "
                f"{in_a_line(error)} Start the run anew under another --name."
            ) from error
        values = state["progress"]
        absent: dict[str, Any] = {"best_auc": math.nan, "best_loss": math.inf}
        progress = Progress(
            **{k: absent[k] if v is None else v for k, v in values.items()}
        )
        if self._is_chief:
            self._remove(except_for=state["name"])
            settle_best(self._folder, progress.best_epoch)
        return progress

    def _remove(self, except_for):
        for half in self._folder.glob(f".{STATE}.*.tmp"):
            half.unlink()
        for path in self._folder.glob("step-*"):
            if path.is_dir():  # of a write that was cut off
                shutil.rmtree(path)
            elif path.name.split(".")[0] != except_for:
                path.unlink()


def require_settings(folder: Path, config: Config) -> None:
    """Raises where a state was saved with settings that it cannot go on with.

    More epochs than it was to have are settings that it can go on with.

    Args:
        folder: The run's `checkpoints` folder.
        config: With which training is to go on.

    Raises:
        ModelError: It names the settings.
    """
    state = _read(folder)
    if not state:
        return
    # A setting that there was not yet was as it is by default.
    saved, own = _settings(Config()) | state["config"], _settings(config)
    other = [
        key
        for key in sorted(saved | own)
        if saved.get(key) != own.get(key)
        and key not in RETIRED
        and not (key == _EPOCHS and own[key] > saved[key])
    ]
    if other:
        differences = "; ".join(
            f"{k} was {saved.get(k)}, is {own.get(k)}" for k in other[:5]
        )
        raise ModelError(
            f"Expected the settings that the checkpoint in {folder} was trained with. "
            f"Received others: {differences}. Restore them, or start a new run with "
            "these."
        )


def candidate(folder: Path, epoch: int) -> Path:
    """Returns where an epoch's weights lie until the state says they are the best."""
    return folder / f"best.epoch-{epoch:05d}.weights.h5"


def settle_best(folder: Path, epoch: int) -> None:
    """Gives the selected epoch's weights their name, and removes the others'."""
    chosen = candidate(folder, epoch)
    if chosen.exists():
        chosen.replace(folder / BEST)
    for path in folder.glob("best.epoch-*"):
        path.unlink()


def read_progress(folder: Path) -> dict[str, Any]:
    """Returns what `state.json` says of the progress; empty without a state.

    Raises:
        ModelError: If the file is damaged.
    """
    return _read(folder).get("progress", {})


def _read(folder) -> dict[str, Any]:
    path = folder / STATE
    return schemas.STATE.read(path) if path.is_file() else {}


def _settings(config) -> dict[str, Any]:
    """The settings that a state depends on, flat, as JSON gives them back."""
    flat = {
        f"{section}.{key}": value
        for section, values in dataclasses.asdict(config).items()
        for key, value in values.items()
    }
    return json.loads(
        json.dumps({k: v for k, v in flat.items() if not k.startswith(_MAY_CHANGE)})
    )


def _finite(values):
    return {
        k: None if isinstance(v, float) and not math.isfinite(v) else v
        for k, v in values.items()
    }
