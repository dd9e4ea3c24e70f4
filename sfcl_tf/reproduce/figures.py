"""Figures 1 and 7: what the spectra of real and forged faces look like."""

import matplotlib
import numpy as np
import scipy.fft
from matplotlib.figure import Figure

from sfcl_tf import ops
from sfcl_tf.evaluation.plots import GREY, INK, STYLE
from sfcl_tf.evaluation.spectra import Curves

_styled = matplotlib.rc_context(STYLE)
# As in the paper's Figure 7.
REAL, FAKE, DIFFERENCE = "#c0392b", "#2166ac", "#1b7837"
SEGMENTS = ("between columns\n(row)", "between rows\n(col)", "within blocks\n(intra)")


def full_dct(crop: np.ndarray) -> np.ndarray:
    """Returns the log-magnitude of the DCT-II of a crop's luma, as one picture.

    Args:
        crop: `(H, W, 3)` uint8 RGB.

    Returns:
        `(H, W)`: log10(1 + |coefficient|), orthonormal, the mean at the upper left.
    """
    return np.log10(1 + np.abs(scipy.fft.dctn(_luma(crop), norm="ortho")))


def block_dct(crop: np.ndarray) -> np.ndarray:
    """Returns the log-magnitude of each 8x8 block's DCT, in the block's place.

    Args:
        crop: `(H, W, 3)` uint8 RGB; remainders of 8 are dropped.

    Returns:
        `(8 * (H // 8), 8 * (W // 8))`: as for `full_dct`.
    """
    bands = np.asarray(ops.block_dct(crop, channels="y"))[..., 0, :]  # (h, w, 64)
    natural = np.empty_like(bands)
    natural[..., np.asarray(ops.ZIGZAG)] = bands
    h, w = bands.shape[:2]
    blocks = natural.reshape(h, w, 8, 8).transpose(0, 2, 1, 3)
    return np.log10(1 + np.abs(blocks.reshape(8 * h, 8 * w)))


def _luma(crop):
    return np.asarray(ops.rgb_to_ycbcr(crop.astype("float32")))[..., 0] - 128


@_styled
def plot_heat_maps(
    real: np.ndarray, fake: np.ndarray, names: tuple[str, str]
) -> Figure:
    """Returns Figure 1: full-image and block-wise DCT of a real and a fake face.

    Args:
        real: `(H, W, 3)` uint8 RGB.
        fake: The same of a forged one.
        names: What they are called.
    """
    figure = Figure(figsize=(11.5, 6.8))
    grid = figure.subplots(2, 3)
    letters = iter("abcd")
    maps = [(full_dct(crop), block_dct(crop)) for crop in (real, fake)]
    tops = [max(pair[i].max() for pair in maps) for i in (0, 1)]
    for row, (crop, kind, name) in enumerate(
        ((real, "real", names[0]), (fake, "fake", names[1]))
    ):
        face, whole, local = grid[row]
        face.imshow(crop)
        face.set(title=kind, xlabel=name, ylabel="pixels")
        for column, (axes, title) in enumerate(
            ((whole, "full-image DCT"), (local, "DCT of 8x8 blocks"))
        ):
            shown = axes.imshow(
                maps[row][column], cmap="inferno", vmin=0, vmax=tops[column]
            )
            letter = next(letters) if column == 0 else {0: "c", 1: "d"}[row]
            axes.set_title(f"({letter}) {title}, {kind}", fontsize=10)
            axes.set(
                xlabel="horizontal frequency" if column == 0 else "block, band in it",
                ylabel="vertical frequency" if column == 0 else "block, band in it",
            )
            if row == 1:
                bar = figure.colorbar(
                    shown, ax=grid[:, column + 1], shrink=0.6, location="right"
                )
                bar.set_label("log10(1 + |coefficient|)")
    for axes in grid.flat:
        axes.spines[:].set_visible(False)
    return figure


@_styled
def plot_sida(curves: Curves) -> Figure:
    """Returns Figure 7: SIDA's means of Y in three segments, real, fake, difference.

    The bands around the curves are two standard errors of the mean, by video.
    """
    figure = Figure(figsize=(10, 6.2))
    above, below = figure.subplots(2, 1, height_ratios=(2.2, 1), sharex=True)
    x = np.arange(192)
    mean, error = curves.mean.copy(), curves.error
    mean[:, -1] = np.nan  # 64 bands have 63 differences
    names = ("real", "fake")
    for label, color in ((0, REAL), (1, FAKE)):
        above.plot(
            x,
            mean[label],
            color=color,
            linewidth=1.4,
            label=f"{names[label]} ({curves.count[label]} videos)",
        )
        low, high = mean[label] - 2 * error[label], mean[label] + 2 * error[label]
        above.fill_between(
            x, np.maximum(low, 0), high, color=color, alpha=0.2, linewidth=0
        )
    difference = mean[0] - mean[1]
    spread = 2 * np.sqrt(np.square(error).sum(axis=0))
    below.plot(x, difference, color=DIFFERENCE, linewidth=1.4, label="real - fake")
    below.fill_between(
        x,
        difference - spread,
        difference + spread,
        color=DIFFERENCE,
        alpha=0.2,
        linewidth=0,
    )
    below.axhline(0, color=GREY, linewidth=0.8)
    for axes in (above, below):
        axes.set_yscale("symlog", linthresh=0.1)
        axes.yaxis.set_major_formatter("{x:g}")
        for border in (64, 128):
            axes.axvline(border - 0.5, color=GREY, linewidth=0.8, linestyle=":")
        axes.legend(loc="upper right")
    for number, name in enumerate(SEGMENTS):
        above.text(64 * number + 32, 1.01, name, transform=_blended(above), **_CENTRED)
    above.set(ylabel="Mean |difference|, Y", ylim=(np.nanmin(mean) / 2, None))
    above.set_title("SIDA: mean differences of DCT bands", pad=34)
    below.set(
        ylabel="Difference",
        xlabel="Dimension: 64 bands in zigzag order, low to high, three times",
        xlim=(-1, 192),
        xticks=range(0, 193, 32),
    )
    return figure


_CENTRED = {"ha": "center", "va": "bottom", "color": INK, "fontsize": 9}


def _blended(axes):
    return axes.get_xaxis_transform()
