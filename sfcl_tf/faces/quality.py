"""What a face looks like: size, sharpness, light, detail.

Measured alike on training data and on what a detector is pointed at, so that it can
say where the one is unlike the other.
"""

import dataclasses

import cv2
import numpy as np
import scipy.fft

# Sharpness is that of a face of this side: it tells of the picture, not of the size.
_SIDE = 128
# Bands whose row and column add up to 7 or more: 36 of 64.
_FINE = np.add.outer(np.arange(8), np.arange(8)) >= 7


@dataclasses.dataclass(frozen=True)
class Quality:
    """Measures of a face in a frame.

    Attributes:
        size: Longer side of its box in pixels.
        sharpness: Standard deviation of the Laplacian of its luma, in grey levels,
            at a side of 128 pixels at most: low where the face is out of focus, moved
            or enlarged.
        brightness: Mean luma, 0..255.
        detail: Mean magnitude of the upper half of its 8x8 DCT bands, in grey levels,
            at native resolution: low where a codec took them away.
    """

    size: float
    sharpness: float
    brightness: float
    detail: float


MEASURES = tuple(field.name for field in dataclasses.fields(Quality))


def measure(face: np.ndarray) -> Quality:
    """Measures a face.

    Args:
        face: `(H, W, 3)` uint8 RGB of its box, at native resolution, at least 8x8.

    Raises:
        ValueError: If it is smaller.
    """
    height, width = face.shape[:2]
    if min(height, width) < 8:
        raise ValueError(
            f"Expected a face of at least 8x8 pixels. Received: {width}x{height}."
        )
    luma = cv2.cvtColor(np.ascontiguousarray(face), cv2.COLOR_RGB2GRAY)
    scaled = luma
    if max(height, width) > _SIDE:
        scale = _SIDE / max(height, width)
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        scaled = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    edges = cv2.Laplacian(scaled.astype(np.float32), cv2.CV_32F)
    return Quality(
        float(max(height, width)),
        float(edges.std()),
        float(luma.mean()),
        float(np.abs(_blocks(luma)[..., _FINE]).mean()),
    )


def _blocks(luma):
    """Returns the DCT of 8x8 blocks, `(h, w, 8, 8)`."""
    h, w = luma.shape[0] // 8, luma.shape[1] // 8
    blocks = luma[: 8 * h, : 8 * w].reshape(h, 8, w, 8).transpose(0, 2, 1, 3)
    return scipy.fft.dctn(blocks.astype(np.float32), axes=(2, 3), norm="ortho")
