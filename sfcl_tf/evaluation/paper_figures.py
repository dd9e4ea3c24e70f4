"""The paper's Figures 1 and 7, of the user's own data."""

import dataclasses
from typing import NamedTuple

import matplotlib
import numpy as np
import scipy.fft
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from sfcl_tf import ops
from sfcl_tf.data.pipeline import InputPipeline
from sfcl_tf.errors import DataError
from sfcl_tf.evaluation.plots import GREY, STYLE

# As in the paper's Figure 7, where red is authentic: not the colours of other plots.
_RED, _BLUE, _GREEN = "#C8202F", "#0072B2", "#009E73"
_SEGMENTS = ("between blocks, row", "between blocks, column", "within a block")
_FLOOR = 1e-2  # of a coefficient's size, in grey levels, for its logarithm
_styled = matplotlib.rc_context(STYLE)


class SidaMeans(NamedTuple):
    """Mean absolute differences of luma over the faces of one class.

    Attributes:
        mean: `(3, 64)` row, column and intra by band; each video counts once. The
            64th of intra, which does not exist, is NaN.
        error: `(3, 64)` standard error of the mean over videos; NaN for one video.
        videos: How many.
        frames: How many, over all videos.
    """

    mean: np.ndarray
    error: np.ndarray
    videos: int
    frames: int


def pair_of_faces(pipeline: InputPipeline, split: str) -> list[np.ndarray]:
    """Returns the first real and the first fake crop of a split.

    Returns:
        Two arrays `(side, side, 3)` uint8 RGB.

    Raises:
        DataError: If the split has one class alone.
    """
    crops = []
    for label, word in enumerate(("real", "fake")):
        videos = [v for v in pipeline.manifest.split(split) if v["label"] == label]
        if not videos:
            raise _one_class(split, word)
        alone = dataclasses.replace(pipeline.manifest, videos=(videos[0],))
        first = dataclasses.replace(pipeline, manifest=alone).crops(split).take(1)
        crops += [crop.numpy() for crop, _, _ in first]
    return crops


def full_spectrum(crop: np.ndarray) -> np.ndarray:
    """Returns `log10` of the sizes of a crop's DCT coefficients as one block.

    Args:
        crop: `(H, W, 3)` RGB in 0..255.

    Returns:
        `(H, W)` of luma, the lowest frequencies first.
    """
    luma = np.asarray(ops.rgb_to_ycbcr(crop.astype("float32")))[..., 0] - 128
    return _log(scipy.fft.dctn(luma, norm="ortho"))


def block_spectrum(crop: np.ndarray) -> np.ndarray:
    """Returns `log10` of the sizes of a crop's block DCT, each block in its place.

    Args:
        crop: `(H, W, 3)` RGB in 0..255.

    Returns:
        `(8 h, 8 w)` of luma: in each 8x8 block, the lowest frequencies first.
    """
    bands = np.asarray(ops.block_dct(crop, channels="y"))[:, :, 0]  # (h, w, 64)
    h, w, _ = bands.shape
    natural = np.empty_like(bands)
    natural[..., np.asarray(ops.ZIGZAG)] = bands
    blocks = natural.reshape(h, w, 8, 8).transpose(0, 2, 1, 3)
    return _log(blocks.reshape(8 * h, 8 * w))


def _log(coefficients):
    return np.log10(np.maximum(np.abs(coefficients), _FLOOR))


@_styled
def figure1(real: np.ndarray, fake: np.ndarray) -> Figure:
    """Draws spectra of whole faces beside those of their 8x8 blocks.

    Args:
        real: `(H, W, 3)` uint8 RGB.
        fake: Likewise, of any other size.

    Reference:
        Qiao et al., Fig. 1.
    """
    # Compressed: pictures keep their aspect, and the bars stay beside them.
    figure = Figure(figsize=(11.6, 7), layout="compressed")
    kinds = (
        ("Full-image DCT", full_spectrum, "Frequency"),
        ("Block-wise DCT", block_spectrum, "Frequency in 8x8 blocks"),
    )
    all_axes = figure.subplots(2, 3)
    for axes, crop, word in zip(
        all_axes[:, 0], (real, fake), ("Real", "Fake"), strict=True
    ):
        axes.imshow(crop)
        axes.set(title=f"{word} face", xlabel="Pixels, across", ylabel="Pixels, down")
    for column, (title, spectrum, unit) in enumerate(kinds, 1):
        maps = [spectrum(crop) for crop in (real, fake)]
        # One scale for both, and few outliers do not stretch it.
        low, high = np.percentile(np.concatenate([m.ravel() for m in maps]), (1, 99.8))
        pairs = zip(all_axes[:, column], maps, ("real", "fake"), strict=True)
        for number, (axes, values, word) in enumerate(pairs):
            letter = "abcd"[2 * (column - 1) + number]
            image = axes.imshow(
                values, cmap="inferno", vmin=low, vmax=high, interpolation="nearest"
            )
            axes.set(
                title=f"({letter}) {title}, {word}",
                xlabel=f"{unit}, across",
                ylabel=f"{unit}, down",
            )
        bar = figure.colorbar(image, ax=list(all_axes[:, column]), shrink=0.7)
        bar.set_label("log10 of the coefficient's size")
    return figure


def sida_means(
    pipeline: InputPipeline, split: str, most: int = 4000, on_frame=None
) -> tuple[SidaMeans, SidaMeans]:
    """Averages SIDA's means of luma over the real and the fake faces of a split.

    Frames are read as a stream; one sum a video is kept.

    Args:
        pipeline: The data.
        split: Which split.
        most: About how many frames to take at most, evenly over the split.
        on_frame: Called with the number of frames done.

    Returns:
        Of real faces, and of fake ones.

    Raises:
        DataError: If the split has one class alone.
    """
    total = sum(video["records"] for video in pipeline.manifest.split(split))
    sums = ({}, {})  # by class: video -> [sum of its frames' means, their number]
    crops = pipeline.crops(split, every=-(-total // most) or 1)
    for done, (crop, label, meta) in enumerate(crops, 1):
        statistics = np.asarray(ops.sida(crop, channels="y"), "float64")
        means = statistics.reshape(4, 3, 3, 64)[0, :, 0]  # of Y: (map, band)
        entry = sums[int(label)].setdefault(meta["video_id"].numpy(), [0.0, 0])
        entry[0] = entry[0] + means
        entry[1] += 1
        if on_frame:
            on_frame(done)
    for videos, word in zip(sums, ("real", "fake"), strict=True):
        if not videos:
            raise _one_class(split, word)
    return tuple(map(_over_videos, sums))


def _over_videos(sums):
    values = np.stack([total / frames for total, frames in sums.values()])
    values[:, 2, 63] = np.nan
    count = len(values)
    spread = values.std(0, ddof=1) if count > 1 else np.full((3, 64), np.nan)
    frames = sum(frames for _, frames in sums.values())
    return SidaMeans(values.mean(0), spread / np.sqrt(count), count, frames)


@_styled
def figure7(real: SidaMeans, fake: SidaMeans) -> Figure:
    """Draws SIDA's 192 means of luma: real in red, fake in blue, difference in green.

    Args:
        real: As `sida_means` gives it.
        fake: Likewise.

    Reference:
        Qiao et al., Fig. 7.
    """
    figure = Figure(figsize=(11, 6.4))
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    for means, color, word in ((real, _RED, "real"), (fake, _BLUE, "fake")):
        name = f"{word}: {means.frames} frames of {means.videos} videos"
        # The axis is logarithmic: a band ends above 0.
        _draw_segments(upper, means.mean, means.error, color, name, 0.1 * means.mean)
    difference, error = real.mean - fake.mean, np.hypot(real.error, fake.error)
    lower.axhline(0, color=GREY, lw=1)
    _draw_segments(lower, difference, error, _GREEN, "difference, real - fake")
    upper.set(
        yscale="log",
        title="SIDA: mean absolute difference of DCT coefficients, luma",
        ylabel="Mean, grey levels",
    )
    # Linear where the high frequencies are, which are a hundredth of the low ones.
    lower.set_yscale("symlog", linthresh=0.1)
    lower.set(
        xlabel="Dimension: three segments of 64 zigzag bands, low frequency first",
        ylabel="Difference, grey levels",
        xlim=(0, 193),
        xticks=(1, 32, 64, 96, 128, 160, 192),
    )
    for axes, corner in ((upper, "upper right"), (lower, "lower right")):
        for edge in (64.5, 128.5):
            axes.axvline(edge, color=GREY, lw=1, linestyle="--")
        axes.legend(loc=corner, title="Bands: 95 % over videos", alignment="left")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    for number, name in enumerate(_SEGMENTS):
        place = (32.5 + 64 * number, 0.03)
        upper.annotate(
            name,
            place,
            xycoords=upper.get_xaxis_transform(),
            ha="center",
            color=GREY,
        )
    return figure


def _draw_segments(axes, mean, error, color, name, least=-np.inf):
    """Draws `(3, 64)` values and their bands, each segment a line of its own."""
    low, high = np.maximum(mean - 1.96 * error, least), mean + 1.96 * error
    for number in range(3):
        x = np.arange(1, 65) + 64 * number
        label = name if number == 0 else None
        axes.plot(x, mean[number], color=color, label=label)
        axes.fill_between(x, low[number], high[number], color=color, alpha=0.2, lw=0)


def _one_class(split, word):
    return DataError(
        f"Expected real and fake faces in the split {split}. Received: no {word} one. "
        "Choose another --split, or add videos."
    )
