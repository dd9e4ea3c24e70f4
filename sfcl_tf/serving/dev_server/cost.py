"""What a call costs, in faces of usual size, told before it is computed."""

import io
import math
import struct
import warnings
from collections.abc import Mapping

import numpy as np
from PIL import Image

from sfcl_tf.media.container import MAX_SCANS
from sfcl_tf.serving.decode import MAX_PIXELS

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_SCAN = b"\xff\xda"
# In faces of 256x256 pixels, by million pixels, as benchmarks/serving.py measures them
# with the smallest model: DCT and SIDA of a crop, decoding, each scan after the first.
_PREPARED = 4.5
_DECODED = {"png": 1.2, "jpeg": 0.35}
_SCANNED = 0.04
_EXPLAINED = 2.0  # times of a score
_MARGIN = 1.3  # that a crop is larger than its box


def cost(signature: str, inputs: Mapping[str, np.ndarray]) -> int:
    """Returns what a call costs, at least 1.

    Faces count by their pixels, pictures by what it takes to decode them, as their
    headers tell. A picture that will be refused costs next to nothing.

    Args:
        signature: Its name.
        inputs: Arrays by name, the first axis that of the batch.
    """
    boxes, encoded, crops = (inputs.get(n) for n in ("boxes", "image_bytes", "crops"))
    decoding = pixels = 0.0
    count = max((len(value) for value in inputs.values() if value.ndim), default=1)
    if encoded is not None and encoded.dtype == object:
        pictures = [_picture(each) for each in encoded.flat]
        decoding = sum(each[1] for each in pictures)
        pixels = float(sum(each[0] for each in pictures))
        if boxes is not None and boxes.ndim == 3 and len(boxes) == len(pictures):
            count = boxes.shape[0] * boxes.shape[1]
            sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0) * _MARGIN
            areas = np.nan_to_num(sides.astype(float).prod(-1))
            whole = np.array([each[0] for each in pictures], float)
            pixels = float(np.minimum(areas, whole[:, None]).sum())
    elif crops is not None and crops.ndim == 4:
        pixels = float(math.prod(crops.shape[:3]))
    faces = count + _PREPARED * pixels / 1e6
    if signature == "explain":
        faces *= _EXPLAINED
    return max(math.ceil(faces + decoding), 1)


def _picture(encoded: bytes) -> tuple[int, float]:
    """Pixels of an encoded picture, and what decoding it costs."""
    if encoded.startswith(_PNG) and len(encoded) >= 24:
        pixels = math.prod(struct.unpack(">II", encoded[16:24]))
        if pixels > MAX_PIXELS:
            return 0, 0.0
        return pixels, _DECODED["png"] * pixels / 1e6
    if not encoded.startswith(_JPEG):
        return 0, 0.0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(encoded), formats=["JPEG"]) as image:
                pixels = math.prod(image.size)
    except Exception:  # the graph tells what is wrong with it
        return 0, 0.0
    scans = encoded.count(_SCAN)
    if pixels > MAX_PIXELS or scans > MAX_SCANS:
        return 0, 0.0
    return pixels, (_DECODED["jpeg"] + _SCANNED * (scans - 1)) * pixels / 1e6
