"""What a score rests on: where in the face, which bands, and its spectrum."""

import dataclasses

import cv2
import numpy as np

from sfcl_tf.detect.models import ScoringModel
from sfcl_tf.detect.samples import DetectedFace
from sfcl_tf.evaluation.spectra import sida_curve


@dataclasses.dataclass(frozen=True)
class Explanation:
    """What the score of a face rests on.

    Attributes:
        crop: `(side, side, 3)` uint8 RGB: what the model saw, before resizing.
        logit: Its raw output; NaN if the model cannot be asked.
        score: P(fake), calibrated; likewise.
        heatmap: `(h, w)`, 0 and above: Grad-CAM on the fused map, where evidence of a
            fake is seen; `None` if the model cannot be asked.
        attention: `(H, H)`: FAAE's alpha, 1 for an even share of a row; `None` in a
            model without.
        bands: `(C, 64)`: what each DCT band of each channel, in zigzag order, adds to
            the logit to first order; `None` in a model without.
        blocks: `(h, w)`: what each 8x8 block of the resized crop adds; likewise.
        curve: `(192,)`: SIDA's means of Y, see `sfcl_tf.evaluation.spectra`.
    """

    crop: np.ndarray
    logit: float
    score: float
    heatmap: np.ndarray | None
    attention: np.ndarray | None
    bands: np.ndarray | None
    blocks: np.ndarray | None
    curve: np.ndarray


def explain(model: ScoringModel, face: DetectedFace) -> Explanation:
    """Explains what a model says of a face.

    Raises:
        ModelError: If a server does not answer.
    """
    crop = model.crop(face)
    outputs = model.explain(crop)
    return Explanation(
        crop,
        float(outputs.get("logit", np.nan)),
        float(outputs.get("score", np.nan)),
        outputs.get("heatmap"),
        outputs.get("attention"),
        outputs.get("bands"),
        outputs.get("blocks"),
        sida_curve(crop),
    )


def spread(values: np.ndarray, side: int) -> np.ndarray:
    """Returns a map in the size of a crop, `(side, side)`, bilinearly."""
    return cv2.resize(
        values.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR
    )


def energy_share(heatmap: np.ndarray, mask: np.ndarray) -> float:
    """Returns the share of a heat map's energy that lies inside a mask.

    Args:
        heatmap: `(h, w)`, 0 and above.
        mask: `(side, side)` bool.

    Returns:
        In 0..1; NaN of a map that is 0 everywhere.
    """
    energy = np.square(spread(heatmap, len(mask)))
    whole = energy.sum()
    return float(energy[mask].sum() / whole) if whole > 0 else float("nan")
