"""What a search found: a table, a picture, and the best configuration."""

import csv
import dataclasses
import io
import math
from pathlib import Path
from typing import Any

import keras_tuner
import matplotlib
import numpy as np
from matplotlib.figure import Figure

from sfcl_tf.config import Config, override, to_toml
from sfcl_tf.evaluation.plots import GREY, REAL, STYLE, save
from sfcl_tf.system.errors import SfclError
from sfcl_tf.system.output import write_text
from sfcl_tf.system.plain_text import cells
from sfcl_tf.tuning.space import Space

_styled = matplotlib.rc_context(STYLE)


@dataclasses.dataclass(frozen=True)
class Trial:
    """One of a search.

    Attributes:
        name: Its id.
        status: `done`, `failed` or `running`.
        val_auc: Exact frame AUC on the validation split; NaN unless done.
        epochs: For how many it was trained, where the algorithm decides that.
        values: By key of the configuration.
        reason: Why it failed.
    """

    name: str
    status: str
    val_auc: float
    epochs: int | None
    values: dict[str, Any]
    reason: str


def read_trials(oracle: keras_tuner.Oracle, space: Space) -> list[Trial]:
    """Returns an oracle's trials, the best first, failed ones last."""
    words = {"COMPLETED": "done", "RUNNING": "running"}
    trials = [
        Trial(
            trial.trial_id,
            words.get(trial.status, "failed"),
            trial.score if trial.status == "COMPLETED" else math.nan,
            trial.hyperparameters.values.get("tuner/epochs"),
            space.chosen(trial.hyperparameters.values),
            _last_line(trial.message),
        )
        for trial in oracle.trials.values()
    ]
    return sorted(
        trials, key=lambda t: -1 if math.isnan(t.val_auc) else t.val_auc, reverse=True
    )


def write_results(
    folder: Path, trials: list[Trial], space: Space, config: Config
) -> None:
    """Writes `trials.csv`, `best.toml`, `search.png` and `search.svg`.

    Args:
        folder: The search's.
        trials: As `read_trials` gives them.
        space: What was searched.
        config: What the search began with.

    Raises:
        SfclError: If no trial was trained to the end.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", "status", "val_auc", "epochs", *space.entries, "reason"])
    for t in trials:
        values = [t.values[key] for key in space.entries]
        row = [t.name, t.status, t.val_auc, t.epochs, *values, t.reason]
        writer.writerow(cells(row))
    write_text(folder / "trials.csv", text.getvalue())
    if not trials or trials[0].status != "done":
        reasons = "; ".join(dict.fromkeys(t.reason for t in trials if t.reason))
        raise SfclError(
            f"Expected a trial that was trained to the end. Received: none of "
            f"{len(trials)}. {reasons} Widen or correct [search], and give another "
            "--name."
        )
    best = override(config, trials[0].values.items())
    write_text(folder / "best.toml", to_toml(best))
    save(plot_search(trials, space), folder / "search")


@_styled
def plot_search(trials: list[Trial], space: Space) -> Figure:
    """Returns the AUC against each setting that was searched, and by trial."""
    done = [t for t in trials if t.status == "done"]
    keys = list(space.entries)
    columns = min(4, len(keys) + 1)
    rows = math.ceil((len(keys) + 1) / columns)
    figure = Figure(figsize=(3.2 * columns, 2.9 * rows))
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    all_axes = grid.flat
    order = sorted(done, key=lambda t: int(t.name))
    number = np.arange(1, len(order) + 1)
    auc = [t.val_auc for t in order]
    first = all_axes[0]
    first.plot(number, auc, "o", color=REAL)
    first.step(number, np.maximum.accumulate(auc), where="post", color=GREY)
    first.set(title="By trial", xlabel="Trial")
    for axes, key in zip(list(all_axes)[1:], keys, strict=False):
        _draw_key(axes, key, space.entries[key], order)
    for axes in list(all_axes)[len(keys) + 1 :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel("Validation AUC")
    return figure


def _draw_key(axes, key, entry, trials):
    auc = [t.val_auc for t in trials]
    values = [t.values[key] for t in trials]
    axes.set(title=key.partition(".")[2])
    if "choices" in entry:
        texts = [str(choice) for choice in entry["choices"]]
        axes.plot([texts.index(str(v)) for v in values], auc, "o", color=REAL)
        axes.set_xticks(range(len(texts)), texts, fontsize=8, rotation=20)
        axes.set_xlim(-0.5, len(texts) - 0.5)
        return
    axes.plot(values, auc, "o", color=REAL)
    axes.set_xlim(entry["low"], entry["high"])
    if entry.get("log"):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:.0e}")


def _last_line(message):
    """Of a traceback: what went wrong, without the error's module."""
    lines = [line for line in (message or "").splitlines() if line.strip()]
    return (
        lines[-1].removeprefix("keras_tuner.src.errors.FailedTrialError: ")
        if (lines)
        else ""
    )
