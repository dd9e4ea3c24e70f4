"""Figures of what a score means, and for whom it holds."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from sfcl_tf.evaluation import metrics
from sfcl_tf.evaluation.calibrate import Calibration
from sfcl_tf.evaluation.plots import FAKE, GREY, INK, REAL, STYLE
from sfcl_tf.evaluation.predictions import Predictions
from sfcl_tf.system.html import number

_styled = matplotlib.rc_context(STYLE)
_GROUPS = {
    "methods": "method",
    "compressions": "compression",
    "resolutions": "frame",
    "face_sizes": "face",
}


@_styled
def plot_reliability(predictions: Predictions, calibration: Calibration) -> Figure:
    """Returns the share of fakes against the score, raw and calibrated, by frame.

    Frames weigh as if there were as many fakes as reals.
    """
    figure = Figure(figsize=(5.6, 5.6))
    above, below = figure.subplots(2, 1, height_ratios=(4, 1), sharex=True)
    above.plot((0, 1), (0, 1), color=GREY, linewidth=1, linestyle=":", label="perfect")
    shown = [("raw", predictions.score, GREY, "--", "o")]
    if calibration.calibrated:
        score = calibration.score(predictions.logit)
        shown.append(("calibrated", score, REAL, "-", "s"))
    label = predictions.label
    for name, score, color, dash, marker in shown:
        _, share, mean = metrics.reliability(label, score, balanced=True)
        count, _, _ = metrics.reliability(label, score)
        balanced, plain = (
            error(label, score)
            for error in (metrics.balanced_ece, metrics.calibration_error)
        )
        above.plot(
            mean,
            share,
            color=color,
            linestyle=dash,
            marker=marker,
            label=f"{name}: balanced ECE {number(balanced)}, plain {number(plain)}",
        )
        edges = np.linspace(0, 1, len(count) + 1)
        below.stairs(count, edges, color=color, linestyle=dash)
    for threshold, color in (
        (calibration.frame.real_to, REAL),
        (calibration.frame.fake_from, FAKE),
    ):
        if calibration.calibrated:
            below.axvline(threshold, color=color, linewidth=1.2, linestyle="-.")
    above.set(
        title="Does a score of 0.8 mean 80 %?",
        ylabel="Share of fakes, classes balanced",
        xlim=(-0.01, 1.01),
        ylim=(-0.02, 1.02),
    )
    above.legend(loc="lower right", frameon=True, framealpha=0.9, edgecolor="none")
    below.set(xlabel="Score, P(fake)", ylabel="Frames")
    below.set_yscale("symlog", linthresh=1)
    below.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))
    return figure


@_styled
def plot_groups(summary: dict) -> Figure:
    """Returns the AUC of each group, by frame and by video, with its intervals.

    Args:
        summary: As `summarize` gives it.
    """
    rows = [("all", "", summary)]
    for kind, word in _GROUPS.items():
        rows += [(name, word, each) for name, each in summary.get(kind, {}).items()]
    figure = Figure(figsize=(7.2, 1.4 + 0.42 * len(rows)))
    axes = figure.subplots()
    axes.axvline(0.5, color=GREY, linewidth=1, linestyle=":")
    looks = (("frame", INK, "o", -0.14), ("video", FAKE, "s", 0.14))
    for level, color, marker, shift in looks:
        for position, (_, _, figures) in enumerate(rows):
            row = figures[level]
            if row["auc"] is None:
                axes.text(
                    0.5, position + shift, " one class only", va="center", color=GREY
                )
                continue
            interval = row.get("intervals", {}).get("auc")
            _point(axes, row["auc"], interval, position + shift, marker, color)
        axes.plot([], [], marker=marker, color=color, label=f"by {level}")
    axes.set(
        ylim=(-0.5, len(rows) - 0.5),  # also where no group has an AUC
        title="AUC with 95 % intervals by video",
        xlabel="AUC",
        yticks=range(len(rows)),
        yticklabels=[
            f"{word}: {name}" if word not in ("", "method") else name
            for name, word, _ in rows
        ],
    )
    axes.invert_yaxis()
    axes.margins(x=0.05)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


@_styled
def plot_differences(comparisons: dict[str, dict], one: str, two: str) -> Figure:
    """Returns how much better one detector is than another, with intervals.

    Args:
        comparisons: What `compare` gave, by data set.
        one: Name of the first detector; to the right of zero it is better.
        two: Name of the other.
    """
    figure = Figure(figsize=(7.2, 1.8 + 0.5 * len(comparisons)))
    axes = figure.subplots()
    axes.axvline(0, color=GREY, linewidth=1, linestyle=":")
    for level, color, marker, shift in (
        ("frame", INK, "o", -0.12),
        ("video", FAKE, "s", 0.12),
    ):
        for position, comparison in enumerate(comparisons.values()):
            if comparison[level]["difference"] is None:
                continue
            value, interval = (
                comparison[level]["difference"],
                comparison[level]["interval"],
            )
            _point(axes, value, interval, position + shift, marker, color)
        axes.plot([], [], marker=marker, color=color, label=f"by {level}")
    axes.set(
        title=f"AUC of {one} less that of {two}",
        xlabel="Difference in AUC, 95 % interval by video",
        yticks=range(len(comparisons)),
        yticklabels=list(comparisons),
    )
    axes.invert_yaxis()
    axes.margins(x=0.08, y=0.2)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _point(axes, value, interval, position, marker, color):
    """Draws a figure with its interval; hollow, where there are too few videos."""
    if interval:
        axes.plot(interval, [position] * 2, color=color, linewidth=1.6)
        axes.plot(value, position, marker, color=color)
        return
    axes.plot(value, position, marker, color=color, markerfacecolor="none")
    axes.annotate(
        "too few videos",
        (value, position),
        xytext=(-7, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize="small",
        color=GREY,
    )
