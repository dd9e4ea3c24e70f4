"""A picture of what training sees: crops, augmented and not, and their spectra."""

import itertools
import textwrap
from pathlib import Path

import matplotlib
import numpy as np
import tensorflow as tf
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from sfcl_tf import ops
from sfcl_tf.records.record import parse_record
from sfcl_tf.system.errors import DataError
from sfcl_tf.system.output import atomic_write

# Okabe and Ito's palette: apart for every common kind of colour vision.
COLORS = {"real": "#0072B2", "fake": "#D55E00"}
CURVES = ("#222222", "#E69F00", "#009E73", "#CC79A7", "#56B4E9")
STYLE = {
    "axes.edgecolor": "#767676",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 8,
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "text.parse_math": False,  # a video may be named "a$b"
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
}
LINE = 34  # characters of a caption's line
FLOOR = 0.02  # of the spectrum's scale, in grey levels: below is rounding


def contact_sheet(
    pipeline, split: str, path: Path | str, *, rows: int = 6, versions: int = 4
) -> Path:
    """Writes a PNG of crops as stored and as training sees them; see `draw_sheet`.

    Args:
        pipeline: A `sfcl_tf.inputs.pipeline.InputPipeline`.
        split: Of which split.
        path: The file to write.
        rows: Most examples shown.
        versions: Epochs shown, at most 4.

    Returns:
        The path.

    Raises:
        DataError: If the split has no records.
    """
    figure = draw_sheet(pipeline, split, rows=rows, versions=versions)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:] or "png", dpi=110)
    return path


@matplotlib.rc_context(STYLE)
def draw_sheet(pipeline, split: str, *, rows: int = 6, versions: int = 4) -> Figure:
    """Draws a row an example, of each method in turn and one a video.

    The crop as stored comes first, then the very crops that training makes of it in
    its first epochs, with what was done to them. Below each stands the mean |DCT| of
    its luma by 8x8 band, and beside them the same as curves.

    Args:
        pipeline: A `sfcl_tf.inputs.pipeline.InputPipeline`.
        split: Of which split; another than `train` is augmented as that would be.
        rows: Most examples shown.
        versions: Epochs shown, at most 4.

    Raises:
        DataError: If the split has no records.
    """
    examples = [
        _example(pipeline, video, min(versions, len(CURVES) - 1))
        for video in _one_a_method(pipeline.manifest.split(split), rows)
    ]
    if not examples:
        raise DataError(
            f"Expected records in the split `{split}` of {pipeline.manifest.card}. "
            "Received: none. Prepare more videos, or show another split."
        )
    return _draw(examples, f"{pipeline.manifest.card}, {split}")


def _one_a_method(videos, rows):
    """Takes videos of each method in turn, reals first."""
    videos = sorted(videos, key=lambda video: (video["label"], video["method"]))
    groups = [list(g) for _, g in itertools.groupby(videos, lambda v: v["method"])]
    turns = itertools.zip_longest(*groups)
    return [v for v in itertools.chain.from_iterable(turns) if v][:rows]


def _example(pipeline, video, versions):
    """Returns a video and the crops of its middle record, with their captions."""
    shard = tf.data.TFRecordDataset(str(pipeline.manifest.folder / video["shard"]))
    (serialized,) = shard.skip(video["records"] // 2).take(1)
    record = parse_record(serialized)
    crop = pipeline.crop(record).numpy()
    crops = [("as stored", f"{len(crop)} px", crop)]
    for epoch in range(versions):
        crop, drawn = pipeline.training_crop(record, 0, tf.constant(epoch, tf.int64))
        crops.append((f"epoch {epoch + 1}", _describe(drawn), crop.numpy()))
    return video, int(record["frame_index"]), crops


def _describe(drawn):
    """Names the ops that were applied, with their value."""
    words = []
    for name, (applied, arguments) in drawn.items():
        if applied:
            values = arguments[0].numpy().ravel() if arguments else []
            # Unbroken between name and value.
            words.append("\xa0".join([name, *map(_format, values)]))
    return "\n".join(textwrap.wrap("  ".join(words), LINE)) or "as stored"


def _format(value):
    return f"{value:.2f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"


def _spectrum(crop):
    """Returns the mean |DCT| of a crop's luma by zigzag position, `(64,)`."""
    bands = np.abs(ops.block_dct(crop, channels="y"))  # (h, w, 1, 64)
    return np.maximum(bands.mean((0, 1, 2)), FLOOR)


def _draw(examples, title):
    """Draws a block an example; lengths are in inches."""
    columns = len(examples[0][2])
    width, block, top, bottom = 1.75 * columns + 3.8, 4.0, 0.45, 0.85
    height = block * len(examples) + top + bottom
    figure = Figure(figsize=(width, height))
    figure.text(0.3 / width, 1 - 0.3 / height, title, fontsize=12, weight="bold")
    spectra = [[_spectrum(crop) for *_, crop in crops] for *_, crops in examples]
    norm = LogNorm(FLOOR, np.max(spectra))
    for row, (video, frame, crops) in enumerate(examples):
        start = height - top - row * block
        grid = figure.add_gridspec(
            2,
            columns + 2,
            left=0.3 / width,
            right=1 - 0.2 / width,
            top=(start - 0.55) / height,
            bottom=(start - block + 0.3) / height,
            height_ratios=(1.5, 0.9),
            width_ratios=(*[1] * columns, 0.05, 1.8),
            hspace=0.62,
            wspace=0.14,
        )
        label = "fake" if video["label"] else "real"
        method = "" if video["method"] == label else f", {video['method']}"
        figure.text(
            0.3 / width,
            (start - 0.2) / height,
            f"{label}{method}: {video['video_id']}, frame {frame}",
            fontsize=9,
            weight="bold",
            color=COLORS[label],
        )
        for column, (name, caption, crop) in enumerate(crops):
            axes = figure.add_subplot(grid[0, column])
            _draw_crop(axes, crop, name, caption, COLORS[label])
            axes = figure.add_subplot(grid[1, column])
            bands = _draw_bands(axes, spectra[row][column], norm)
        axes = figure.add_subplot(grid[:, -1])
        _draw_curves(axes, [name for name, *_ in crops], spectra[row], norm)
    bar = figure.colorbar(
        bands,
        cax=figure.add_axes((0.3 / width, 0.5 / height, 5 / width, 0.12 / height)),
        orientation="horizontal",
        format="{x:g}",
    )
    bar.set_label("mean |DCT| of luma by 8x8 band, lowest top left, in grey levels")
    return figure


def _draw_crop(axes, crop, name, caption, color):
    axes.imshow(crop)
    axes.set_title(name)
    axes.set_xlabel(caption, fontsize=6.5)
    axes.set(xticks=(), yticks=())
    axes.spines[:].set(visible=True, color=color, linewidth=2)


def _draw_bands(axes, spectrum, norm):
    natural = np.empty(64)
    natural[ops.ZIGZAG] = spectrum
    axes.set(xticks=(), yticks=())
    axes.spines[:].set_visible(False)
    return axes.imshow(natural.reshape(8, 8), norm=norm, cmap="magma")


def _draw_curves(axes, names, spectra, norm):
    for name, spectrum, color in zip(names, spectra, CURVES, strict=False):
        axes.semilogy(spectrum, label=name, color=color, linewidth=1.2)
    axes.set(
        title="mean |DCT| of luma by band in zigzag order",
        ylim=(norm.vmin, norm.vmax),
        xlim=(0, 63),
        xticks=(0, 16, 32, 48, 63),
    )
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(color="#DDDDDD", linewidth=0.6)
    axes.legend()
