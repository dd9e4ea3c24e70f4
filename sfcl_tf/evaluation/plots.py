"""Figures of a run, without pyplot and therefore without global state."""

import math
import numbers
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

from sfcl_tf.evaluation.metrics import roc_auc, roc_curve
from sfcl_tf.evaluation.predictions import Predictions
from sfcl_tf.system.output import atomic_write

# Okabe and Ito's palette: apart for every common kind of colour vision.
REAL, FAKE = "#0072B2", "#D55E00"
RIGHT, WRONG = "#009E73", "#D55E00"
METHODS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
DASHES = ("-", "--", "-.", (0, (1, 1.2)), (0, (5, 1, 1, 1, 1, 1)))
INK, GREY = "#222222", "#767676"
STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.labelsize": 11,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.08,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
    "svg.hashsalt": "sfcl_tf",
    "text.color": INK,
    "text.parse_math": False,  # a data set may be named "a$b"
    "xtick.color": INK,
    "ytick.color": INK,
}
_styled = matplotlib.rc_context(STYLE)


class Example(NamedTuple):
    """A scored face crop to show.

    Args:
        image: `(H, W, 3)` uint8 RGB, of any size.
        caption: What it is, such as the method; `"real"` for a real one.
        label: 1 = fake, 0 = real.
        score: P(fake), in [0, 1].
    """

    image: np.ndarray
    caption: str
    label: int
    score: float


@_styled
def plot_roc(predictions: Predictions, summary: dict | None = None) -> Figure:
    """Returns the frame-level ROC curve of each method and of all together.

    Args:
        predictions: Scores of a split.
        summary: As `summarize` gives it, for the intervals of the areas.
    """
    figure = Figure(figsize=(5.8, 5.8))
    axes = figure.subplots()
    axes.set_box_aspect(1)
    _draw_roc(axes, predictions, summary)
    return figure


@_styled
def plot_scores(predictions: Predictions) -> Figure:
    """Returns the histogram of the frames' scores, real against fake."""
    figure = Figure(figsize=(6, 4.2))
    _draw_scores(figure.subplots(), predictions)
    return figure


@_styled
def plot_confusion(predictions: Predictions) -> Figure:
    """Returns the confusion matrices at a threshold of 0.5, by frame and by video."""
    figure = Figure(figsize=(7.6, 3.9))
    left, right = figure.subplots(1, 2)
    videos = predictions.per_video()
    _draw_confusion(left, "Frames", predictions.label, predictions.score)
    _draw_confusion(right, "Videos", videos.label, videos.score)
    return figure


@_styled
def plot_training(history: Sequence[dict]) -> Figure:
    """Returns loss, AUC and learning rate by epoch, as far as they are there.

    Args:
        history: One dictionary an epoch, with any of `epoch`, `loss`, `val_loss`,
            `auc`, `val_auc`, `learning_rate`.
    """
    panels = _panels(history)
    figure = Figure(figsize=(max(4.2 * len(panels), 5), 3.6))
    _draw_training(figure.subplots(1, len(panels) or 1, squeeze=False)[0], history)
    return figure


@_styled
def plot_curves(histories: dict[str, Sequence[dict]]) -> Figure:
    """Returns loss and AUC by epoch of several runs, over one another.

    Args:
        histories: Rows as for `plot_training`, by the run's name.
    """
    figure = Figure(figsize=(11, 4.2))
    panels = (
        ("Training loss", "loss"),
        ("Validation loss", "val_loss"),
        ("Validation AUC", "val_auc"),
    )
    for axes, (title, key) in zip(figure.subplots(1, 3), panels, strict=True):
        for number, (name, history) in enumerate(histories.items()):
            axes.plot(
                *_series(history, key),
                color=METHODS[number % len(METHODS)],
                linestyle=DASHES[number // len(METHODS) % len(DASHES)],
                marker="o",
                label=name,
            )
        axes.set(title=title, xlabel="Epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4)
    return figure


@_styled
def plot_examples(examples: Sequence[Example]) -> Figure:
    """Returns a grid of face crops, each framed and told as right or wrong."""
    columns = min(len(examples), 6) or 1
    rows = math.ceil(len(examples) / columns) or 1
    figure = Figure(figsize=(max(1.9 * columns, 3.4), 2.7 * rows))
    _draw_examples(figure.subplots(rows, columns, squeeze=False).flat, examples)
    return figure


@_styled
def overview(
    predictions: Predictions, history: Sequence[dict], examples: Sequence[Example]
) -> Figure:
    """Returns one wide figure of a run: examples, ROC, scores, training.

    Args:
        predictions: Scores of the test split.
        history: As for `plot_training`.
        examples: The first of each caption is shown, real ones first, at most 7.
    """
    first: dict[str, Example] = {}
    for example in examples:
        first.setdefault(example.caption, example)
    shown = sorted(first.values(), key=lambda example: example.label)[:7]
    figure = Figure(figsize=(13, 7.4 if shown else 4.5))
    if shown:
        top, figure_below = figure.subfigures(2, 1, height_ratios=(2.7, 4.5))
        _draw_examples(top.subplots(1, len(shown), squeeze=False)[0], shown)
    else:
        figure_below = figure
    left, middle, right = figure_below.subfigures(1, 3, width_ratios=(4.4, 4.6, 4))
    _draw_roc(left.subplots(), predictions)
    _draw_scores(middle.subplots(), predictions)
    panels = min(len(_panels(history)), 2) or 1
    all_axes = right.subplots(panels, 1, squeeze=False)[:, 0]
    _draw_training(all_axes, history)
    all_axes[0].set_title("Training")
    for axes in all_axes[:-1]:
        axes.set_xlabel("")
    return figure


@_styled
def save(figure: Figure, path: str | Path) -> None:
    """Writes `path` + `.png` (150 dpi) and `.svg`, the same bytes each time."""
    path = Path(path)
    with atomic_write(path.with_name(f"{path.name}.png")) as png:
        figure.savefig(png, format="png", dpi=150)
    figure.set_layout_engine("none")  # laid out once, and both alike
    with atomic_write(path.with_name(f"{path.name}.svg")) as svg:
        figure.savefig(svg, format="svg", metadata={"Date": None})


def _draw_roc(axes, predictions, summary=None):
    fake = predictions.label == 1
    methods = predictions.methods()
    figures = {"all methods": summary, **summary["methods"]} if summary else {}
    axes.plot((0, 1), (0, 1), color=GREY, linewidth=1, linestyle=":", label="chance")
    if _both_classes(axes, predictions):
        for i, method in enumerate(methods):
            color, dash = METHODS[i % len(METHODS)], DASHES[i % len(DASHES)]
            chosen = predictions.select(~fake | (predictions.method == method))
            group = figures.get(method)
            _draw_curve(axes, chosen, method, group, color=color, linestyle=dash)
        if len(methods) > 1:
            group = figures.get("all methods")
            _draw_curve(
                axes, predictions, "all methods", group, color=INK, linewidth=2.4
            )
        axes.legend(loc="lower right", title="Frame AUC", alignment="left")
    axes.set(
        title="ROC by method",
        xlabel="False positive rate (reals called fake)",
        ylabel="True positive rate (fakes found)",
        xlim=(-0.01, 1.01),
        ylim=(-0.01, 1.01),
    )


def _draw_curve(axes, predictions, name, figures=None, **style):
    x, y, _ = roc_curve(predictions.label, predictions.logit)
    area = roc_auc(predictions.label, predictions.logit)
    interval = (figures or {}).get("frame", {}).get("intervals", {}).get("auc")
    suffix = f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else ""
    axes.plot(x, y, label=f"{area:.3f}{suffix}  {name}", **style)


def _draw_scores(axes, predictions):
    bins = np.linspace(0, 1, 41)
    most = 0
    for label, name, color, dash in ((0, "real", REAL, "-"), (1, "fake", FAKE, "--")):
        score = predictions.score[predictions.label == label]
        counts, _, _ = axes.hist(
            score,
            bins=bins,
            histtype="stepfilled",
            facecolor=(color, 0.25),
            edgecolor=color,
            linestyle=dash,
            linewidth=1.6,
            label=f"{name} ({score.size:,} frames)",
        )
        most = max(most, counts.max())
    axes.axvline(0.5, color=GREY, linewidth=1, linestyle=":", label="threshold 0.5")
    log = most > 50
    # The factors leave room for the legend.
    axes.set_ylim((0.7, most**1.4) if log else (0, max(most, 1) * 1.4))
    if log:
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))
    axes.set(
        title="Scores",
        xlabel="Score, P(fake)",
        ylabel="Frames per bin of 0.025" + (", log scale" if log else ""),
        xlim=(-0.01, 1.01),
    )
    axes.legend(loc="upper center", frameon=True, framealpha=1, edgecolor="none")


def _draw_confusion(axes, title, label, score):
    names = ("real", "fake")
    counts = np.zeros((2, 2), int)
    np.add.at(counts, (label, (score >= 0.5).astype(int)), 1)
    totals = counts.sum(axis=1, keepdims=True)
    share = counts / np.maximum(totals, 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1.25)
    for row, column in np.ndindex(2, 2):
        percent = f"{share[row, column]:.1%}" if totals[row, 0] else "n/a"
        axes.text(
            column,
            row,
            f"{percent}\n{counts[row, column]:,} of {totals[row, 0]:,}",
            color="white" if share[row, column] > 0.7 else INK,
            ha="center",
            va="center",
            fontsize=12,
        )
    axes.set(
        title=f"{title}, threshold 0.5",
        xlabel="Called",
        ylabel="Truth",
        xticks=(0, 1),
        yticks=(0, 1),
        xticklabels=names,
        yticklabels=names,
    )
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _panels(history) -> list[tuple[str, list]]:
    """Panels of a training history that have data, with their series."""
    wanted = (
        ("Loss", (("loss", "training"), ("val_loss", "validation"))),
        ("AUC", (("auc", "training"), ("val_auc", "validation"))),
        ("Learning rate", (("learning_rate", "learning rate"),)),
    )
    panels = []
    for title, keys in wanted:
        series = [(name, *_series(history, key)) for key, name in keys]
        if any(x for _, x, _ in series):
            panels.append((title, series))
    return panels


def _series(history, key):
    pairs = [
        (row.get("epoch", i), row[key])
        for i, row in enumerate(history, start=1)
        if isinstance(row.get(key), numbers.Real) and math.isfinite(row[key])
    ]
    return [x for x, _ in pairs], [y for _, y in pairs]


def _draw_training(all_axes, history):
    looks = {
        "training": {"color": GREY, "linestyle": "--", "marker": "o"},
        "validation": {"color": REAL, "linestyle": "-", "marker": "s"},
        "learning rate": {"color": INK, "linestyle": "-", "marker": "o"},
    }
    panels = _panels(history)
    if not panels:
        all_axes[0].set_axis_off()
        _note(all_axes[0], "No training history")
    for axes, (title, series) in zip(all_axes, panels, strict=False):
        for name, x, y in series:
            if x:
                every = max(len(x) // 20, 1)
                axes.plot(x, y, label=name, markevery=every, **looks[name])
        axes.set(ylabel=title, xlabel="Epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        epochs = sorted({epoch for _, x, _ in series for epoch in x})
        if len(epochs) == 1:
            axes.xaxis.set_major_locator(FixedLocator(epochs))
        axes.margins(y=0.12)
        if title == "Learning rate":
            axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:.2e}"))
        else:
            axes.legend(loc="best")


def _draw_examples(all_axes, examples):
    all_axes = list(all_axes)
    for axes, example in zip(all_axes, examples, strict=False):
        right = (example.score >= 0.5) == (example.label == 1)
        color = RIGHT if right else WRONG
        axes.imshow(example.image)
        axes.set(xticks=(), yticks=(), anchor="S")
        axes.spines[:].set(
            visible=True, color=color, linewidth=3, linestyle="-" if right else "--"
        )
        axes.set_title(example.caption, loc="center", fontsize=11)
        verdict = "✓ right" if right else "✗ wrong"
        axes.set_xlabel(f"P(fake) {example.score:.2f}\n{verdict}", color=color)
    for axes in all_axes[len(examples) :]:
        axes.set_axis_off()
    if not examples:
        _note(all_axes[0], "No examples")


def _both_classes(axes, predictions) -> bool:
    """Whether both classes are there; if not, says so in the plot."""
    present = set(predictions.label.tolist())
    if len(present) == 2:
        return True
    missing = {(): "no frames", (0,): "no fakes", (1,): "no reals"}[tuple(present)]
    _note(axes, f"There are {missing} here:\nthe classes cannot be compared")
    return False


def _note(axes, text):
    box = {"facecolor": "white", "edgecolor": "none"}
    style = {"ha": "center", "va": "center", "color": INK, "bbox": box}
    axes.text(0.5, 0.5, text, transform=axes.transAxes, **style)
