"""Pictures of what was found: scores over time, and what one of them rests on."""

import io
import math
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from sfcl_tf import ops
from sfcl_tf.detect.explain import Explanation, spread
from sfcl_tf.detect.results import Result, Track
from sfcl_tf.evaluation.plots import FAKE, GREY, INK, METHODS, REAL, STYLE
from sfcl_tf.evaluation.reference import Reference

_styled = matplotlib.rc_context(STYLE)
# From clear to opaque: the face stays visible where there is nothing to see.
_HEAT = LinearSegmentedColormap.from_list(
    "heat",
    [
        (0.0, (0.9, 0.4, 0.0, 0.0)),
        (0.5, (0.95, 0.5, 0.0, 0.35)),
        (1.0, (1, 0.9, 0.2, 0.6)),
    ],
)
# Blue for real, orange for fake, clear where there is neither.
_SIGNED = LinearSegmentedColormap.from_list(
    "signed",
    [
        (0.0, (0.0, 0.35, 0.8, 0.75)),
        (0.5, (0.5, 0.5, 0.5, 0.0)),
        (1.0, (1.0, 0.45, 0.0, 0.75)),
    ],
)
_EVIDENCE = LinearSegmentedColormap.from_list("evidence", [REAL, "#f7f7f7", FAKE])
_CHANNELS = ("Y (luma)", "Cb", "Cr")
_SEGMENTS = ("between columns", "between rows", "within blocks")
# Tracks that are drawn in colours of their own; further ones are grey.
_COLOURED = len(METHODS)
_GAP = 1.5  # times the usual step: where a line is broken


@_styled
def timeline_figure(result: Result, size: tuple[float, float] = (10, 3.2)) -> Figure:
    """Returns the scores of each track over the clip.

    Args:
        result: Of a file with at least one track.
        size: In inches.
    """
    figure = Figure(figsize=size)
    axes = figure.subplots()
    timed = all(math.isfinite(m.time) for t in result.tracks for m in t.moments)
    low, high = result.open_range
    ranges = (
        ("fake", result.fake_from, high, 1.02, FAKE),
        ("real", result.real_to, -0.02, low, REAL),
    )
    for name, threshold, bottom, top, color in ranges:
        if threshold is None:
            continue
        axes.axhspan(bottom, top, color=color, alpha=0.10, linewidth=0)
        axes.annotate(
            name,
            (1.005, (max(bottom, 0) + min(top, 1)) / 2),
            xycoords=("axes fraction", "data"),
            va="center",
            color=GREY,
        )
    # In order of appearance, so that a track keeps its colour.
    for track in sorted(result.tracks, key=lambda track: track.number):
        x, y = _curve(track, timed)
        coloured = track.number < _COLOURED
        color = METHODS[track.number] if coloured else GREY
        label = f"face {track.number + 1}: {track.score:.3f}" if coloured else None
        axes.plot(x, y, color=color, label=label, linewidth=1.5, zorder=2)
        flagged = [(_position(m, timed), m.score) for m in track.moments if m.flags]
        axes.scatter(
            [_position(m, timed) for m in track.moments],
            [m.score for m in track.moments],
            s=14,
            color=color,
            zorder=3,
        )
        if flagged:
            axes.scatter(
                *zip(*flagged, strict=True),
                s=14,
                color="white",
                linewidth=1,
                edgecolor=color,
                zorder=4,
            )
    x_low, x_high = axes.get_xlim()
    axes.set(
        ylim=(-0.02, 1.02),
        xlim=(x_low, x_high),
        ylabel="P(fake)",
        xlabel="Time in s" if timed else "Picture",
    )
    if len(result.tracks) > 1 or any(m.flags for m in result.tracks[0].moments):
        handles, labels = axes.get_legend_handles_labels()
        if any(m.flags for t in result.tracks for m in t.moments):
            handles.append(axes.scatter([], [], s=14, color="white", edgecolor=INK))
            labels.append("unlike the training faces")
        axes.legend(
            handles, labels, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=4
        )
    return figure


def _position(moment, timed):
    return moment.time if timed else moment.frame_index


def _curve(track: Track, timed):
    """Returns x and y of a track's line, broken where the face was away."""
    x = np.array([_position(m, timed) for m in track.moments], float)
    y = np.array([m.score for m in track.moments])
    if len(x) < 3:
        return x, y
    steps = np.diff(x)
    gaps = np.flatnonzero(steps > _GAP * np.median(steps)) + 1
    return np.insert(x, gaps, np.nan), np.insert(y, gaps, np.nan)


@_styled
def face_figure(explanation: Explanation) -> Figure:
    """Returns the crop, and over it heat map, blocks and FAAE's attention."""
    maps: list[tuple[str, np.ndarray | None, Any]] = [
        ("what the model saw", None, None)
    ]
    if explanation.heatmap is not None:
        maps.append(("where it sees a fake (Grad-CAM)", explanation.heatmap, _HEAT))
    if explanation.blocks is not None:
        maps.append(("frequencies: + fake, - real", explanation.blocks, _SIGNED))
    if explanation.attention is not None:
        # Even shares are 1: what is above is attended to.
        above = np.maximum(explanation.attention - 1, 0)
        maps.append(("FAAE's attention to frequency", above, _HEAT))
    figure = Figure(figsize=(3.3 * len(maps), 3.6))
    side = len(explanation.crop)
    for axes, (title, values, colors) in zip(
        np.atleast_1d(figure.subplots(1, len(maps))), maps, strict=True
    ):
        axes.imshow(explanation.crop)
        if values is not None:
            top = float(np.abs(values).max())
            low = -top if colors is _SIGNED else 0
            axes.imshow(spread(values, side), cmap=colors, vmin=low, vmax=top or 1)
            if not top:
                title += ": nowhere"
        axes.set_title(title, fontsize=10, fontweight="normal")
        axes.xaxis.set_major_locator(NullLocator())
        axes.yaxis.set_major_locator(NullLocator())
        axes.spines[:].set_visible(False)
    return figure


@_styled
def bands_figure(bands: np.ndarray) -> Figure:
    """Returns what each DCT band adds to the logit, an 8x8 chart a channel.

    Args:
        bands: `(C, 64)` in zigzag order.
    """
    figure = Figure(figsize=(3.3 * len(bands) + 0.8, 3.7))
    grid = np.atleast_1d(figure.subplots(1, len(bands)))
    top = max(float(np.abs(bands).max()), 1e-9)
    norm = TwoSlopeNorm(0, -top, top)
    for axes, values, name in zip(grid, bands, _CHANNELS, strict=False):
        chart = np.zeros(64)
        chart[np.asarray(ops.ZIGZAG)] = values
        shown = axes.imshow(chart.reshape(8, 8), cmap=_EVIDENCE, norm=norm)
        axes.set_title(f"{name}: {values.sum():+.2g}", fontsize=10, fontweight="normal")
        axes.set(
            xticks=range(0, 8, 7),
            yticks=range(0, 8, 7),
            xlabel="horizontal frequency",
        )
    grid[0].set_ylabel("vertical frequency")
    bar = figure.colorbar(shown, ax=list(grid), shrink=0.75, pad=0.02)
    bar.set_label("added to the logit\n(+ fake, - real)")
    return figure


@_styled
def spectrum_figure(curve: np.ndarray, reference: Reference | None) -> Figure:
    """Returns a face's SIDA curve against the means of the training faces.

    Args:
        curve: `(192,)` SIDA's means of Y.
        reference: The training faces', if they were measured.

    Reference:
        Qiao et al., Figure 7.
    """
    figure = Figure(figsize=(10, 3.4))
    axes = figure.subplots()
    x = np.arange(len(curve))
    shown = curve.astype(float).copy()
    shown[-1] = np.nan  # 64 bands have 63 differences
    drawn = [shown]
    if reference is not None:
        for label, color, name in ((0, REAL, "real"), (1, FAKE, "fake")):
            count = reference.videos[label]
            if not count:
                continue
            mean = reference.mean[label].copy()
            mean[-1] = np.nan
            spread_ = 2 * reference.error[label]
            axes.plot(
                x,
                mean,
                color=color,
                linewidth=1.2,
                label=f"training, {name} ({count} video{'s' * (count != 1)})",
            )
            axes.fill_between(
                x,
                np.maximum(mean - spread_, 0),
                mean + spread_,
                color=color,
                alpha=0.2,
                linewidth=0,
            )
            drawn.append(mean)
    axes.plot(x, shown, color=INK, linewidth=1.4, label="this face")
    for border in (64, 128):
        axes.axvline(border - 0.5, color=GREY, linewidth=0.8, linestyle=":")
    for number, name in enumerate(_SEGMENTS):
        axes.text(
            64 * number + 32,
            1.01,
            name,
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize=9,
        )
    axes.set_yscale("symlog", linthresh=0.1)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set(
        ylabel="Mean |difference|, Y",
        xlabel="64 bands in zigzag order, low to high frequency, three times",
        xlim=(-1, len(curve)),
        ylim=(np.nanmin(drawn) / 2, None),
        xticks=range(0, 193, 32),
    )
    axes.legend(loc="upper right")
    return figure


def encoded(figure: Figure, kind: str = "png", dpi: int = 110) -> bytes:
    """Returns a figure as PNG or JPEG."""
    buffer = io.BytesIO()
    options = {"pil_kwargs": {"quality": 88}} if kind == "jpeg" else {}
    figure.savefig(buffer, format=kind, dpi=dpi, **options)
    return buffer.getvalue()
