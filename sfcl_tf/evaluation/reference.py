"""What the training data looked like, kept with the model.

A score says little of a face unlike those that the model was trained on. So a run
keeps how large, sharp, bright and detailed its training faces were, and their mean
spectra, for `sfcl detect` to hold what it is shown against.
"""

import dataclasses
import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from sfcl_tf.evaluation.spectra import BANDS, sida_curves
from sfcl_tf.faces.quality import Quality, measure
from sfcl_tf.runs import files
from sfcl_tf.runs.schemas import REFERENCE
from sfcl_tf.system.errors import ModelError
from sfcl_tf.system.output import write_text

LOW, HIGH = 0.01, 0.99
"""Quantiles of each measure that are kept."""


@dataclasses.dataclass(frozen=True)
class Reference:
    """What is kept of the training faces.

    Attributes:
        faces: How many were measured.
        videos: Of how many videos, real and fake.
        low: The first percentile of each measure of `sfcl_tf.faces.quality`.
        high: The last percentile.
        crf: The highest rate factor among them; `None` where none is known.
        mean: `(2, 192)` mean SIDA curves of real and of fake; see `spectra`.
        error: `(2, 192)` standard errors of these, by video.
    """

    faces: int
    videos: tuple[int, int]
    low: Quality
    high: Quality
    crf: float | None
    mean: np.ndarray
    error: np.ndarray

    def write(self, run_dir: str | Path) -> None:
        """Writes `reference.json` beside the model."""
        values = dataclasses.asdict(self)
        for name in ("mean", "error"):
            values[name] = [[float(f"{x:.6g}") for x in row] for row in values[name]]
        write_text(Path(run_dir) / files.REFERENCE, json.dumps(values))

    @classmethod
    def read(cls, run_dir: str | Path) -> "Reference | None":
        """Reads what `write` wrote; `None` without a file.

        Raises:
            ModelError: If the file is damaged.
        """
        path = Path(run_dir) / files.REFERENCE
        return cls.parse(path.read_bytes(), path) if REFERENCE.is_at(path) else None

    @classmethod
    def parse(cls, content: bytes, path: Path) -> "Reference":
        """Returns what a file's content says.

        Raises:
            ModelError: If it is damaged.
        """
        try:
            values = REFERENCE.parse(content, path)
            for name in ("mean", "error"):
                values[name] = np.array(values[name], float).reshape(2, BANDS)
            for name in ("low", "high"):
                values[name] = Quality(**values[name])
            return cls(**values | {"videos": tuple(values["videos"])})
        except (ValueError, TypeError, KeyError) as error:
            raise ModelError(
                f"Expected what training faces look like in {path}. Received: "
                f"{error}. Remove it, and run `sfcl calibrate RUN` to write it anew."
            ) from error


def measure_training_data(
    crops: Iterable, margin: float, on_crop: Callable[[], None] = lambda: None
) -> Reference:
    """Measures training crops.

    Args:
        crops: `(crop, label, meta)` as `InputPipeline.spread_crops` gives them, at
            least one, whose videos come one after another.
        margin: `data.margin`: the crop's side in sides of the face's box.
        on_crop: Called after each.
    """
    measured, rates = [], []

    def watched():
        for crop, label, meta in crops:
            pixels = crop.numpy()
            inner = _central(pixels, 1 / margin)
            quality = measure(inner)
            size = float(meta["face_size"])
            measured.append(
                dataclasses.astuple(dataclasses.replace(quality, size=size))
            )
            rates.append(float(meta["crf"]))
            yield crop, label, meta

    curves = sida_curves(watched(), on_crop)
    low, high = np.quantile(np.array(measured), (LOW, HIGH), axis=0)
    known = [rate for rate in rates if math.isfinite(rate)]
    return Reference(
        len(measured),
        tuple(curves.count.tolist()),
        Quality(*low.tolist()),
        Quality(*high.tolist()),
        max(known, default=None),
        curves.mean,
        curves.error,
    )


def _central(pixels, share):
    """Returns the central square of a square, of a share of its side."""
    side = round(len(pixels) * share)
    first = (len(pixels) - side) // 2
    return pixels[first : first + side, first : first + side]
