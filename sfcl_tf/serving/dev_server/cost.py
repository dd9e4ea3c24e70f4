"""What a call costs, in faces of usual size, told before it is computed."""

import io
import math
import struct
import warnings
from collections.abc import Mapping

import numpy as np
from PIL import Image

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_SCAN = b"\xff\xda"
# As benchmarks/serving.py measures them for a face of 256x256 pixels: decoding and
# SIDA by million pixels, explaining with its gradient.
_OF_A_MEGAPIXEL = 2.0
_OF_AN_EXPLANATION = 3.0
# A scan of a progressive JPEG takes some of the time of the only one of a plain one.
_OF_A_SCAN = 0.25


def cost(signature: str, inputs: Mapping[str, np.ndarray]) -> int:
    """Returns what a call costs, at least 1.

    Faces through the network count one each, pictures by their pixels and a JPEG's by
    its scans, as their headers tell. A picture that will be refused costs next to
    nothing.

    Args:
        signature: Its name.
        inputs: Arrays by name, the first axis that of the batch.
    """
    rows = max((len(value) for value in inputs.values() if value.ndim), default=1)
    boxes, encoded, crops = (inputs.get(n) for n in ("boxes", "image_bytes", "crops"))
    faces = float(rows)
    if boxes is not None and boxes.ndim > 1:
        faces *= boxes.shape[1]
    if signature == "explain":
        faces *= _OF_AN_EXPLANATION
    pixels = 0.0
    if encoded is not None and encoded.dtype == object:
        pixels = sum(map(_pixels, encoded.flat))
    elif crops is not None and crops.ndim == 4:
        pixels = math.prod(crops.shape[:3])
    return max(math.ceil(faces + _OF_A_MEGAPIXEL * pixels / 1e6), 1)


def _pixels(encoded: bytes) -> float:
    """Pixels to decode; those of a JPEG of many scans count several times."""
    if encoded.startswith(_PNG) and len(encoded) >= 24:
        return math.prod(struct.unpack(">II", encoded[16:24]))
    if not encoded.startswith(_JPEG):
        return 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(encoded), formats=["JPEG"]) as image:
                pixels = math.prod(image.size)
    except Exception:  # the graph tells what is wrong with it
        return 0
    return pixels * (1 + _OF_A_SCAN * (encoded.count(_SCAN) - 1))
