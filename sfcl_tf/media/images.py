"""Still images of any kind, as upright 8-bit RGB."""

import warnings
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, ImageOps

from sfcl_tf.media.container import MAX_PIXELS, MAX_SCANS
from sfcl_tf.media.picture import Picture
from sfcl_tf.media.video import VideoFacts
from sfcl_tf.system.errors import DataError

pillow_heif.register_heif_opener()

STILL = ("AVIF", "BMP", "HEIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""Pillow's names of what is read. It knows more, and runs Ghostscript for some."""

# Modes of more than 8 bits, which Pillow clips instead of scaling.
_DEEP = ("I;16", "I;16L", "I;16B", "I")
_BITS_PER_SAMPLE = 258  # TIFF's tag


def read_image(path: Path) -> tuple[VideoFacts, Picture]:
    """Reads an image; greyscale, palette, CMYK, 16 bits and EXIF rotation are undone.

    Its size is known from the header, and bounded, before anything is decoded.

    Returns:
        Its facts, with one frame; and the picture.

    Raises:
        DataError: If it is no readable image, is cut off, is too large, or is a JPEG
            of more than `MAX_SCANS` scans.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata is none of our business
            with Image.open(path, formats=(*STILL, "GIF")) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise DataError(
                        f"Expected an image of at most {MAX_PIXELS} pixels. Received: "
                        f"{path} of {image.width}x{image.height}."
                    )
                if image.format == "JPEG" and _scans(path) > MAX_SCANS:
                    raise DataError(
                        f"Expected a JPEG of at most {MAX_SCANS} scans. Received: "
                        f"{path} of {_scans(path)}."
                    )
                mode, kind = image.mode, image.format or "unknown"
                rgb = _rgb(ImageOps.exif_transpose(image), _white(image))
    except DataError:
        raise
    except Exception as error:  # damaged files raise whatever a decoder meets
        raise DataError(
            f"Expected a readable image. Received: {path} ({error})."
        ) from error
    height, width = rgb.shape[:2]
    facts = VideoFacts(1, width, height, f"{kind.lower()}-{mode.lower()}", float("nan"))
    return facts, Picture(rgb)


def _scans(path: Path) -> int:
    return path.read_bytes().count(b"\xff\xda")


def _rgb(image: Image.Image, white: int | float) -> np.ndarray:
    if image.mode in (*_DEEP, "F"):
        grey = _eight_bits(np.asarray(image), white)
        return np.repeat(grey[..., None], 3, axis=-1)
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA"):
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image)
    return np.array(image.convert("RGB"))


def _white(image: Image.Image) -> int | float:
    """Returns which value of a deep image is white."""
    if image.mode == "F":
        return 1.0
    tags = getattr(image, "tag_v2", {})
    return 2 ** tags.get(_BITS_PER_SAMPLE, (16,))[0] - 1


def _eight_bits(values: np.ndarray, white: int | float) -> np.ndarray:
    """Scales 0 to white to 0 to 255.

    Raises:
        ValueError: If values are outside, so that another one must be white.
    """
    if not (np.isfinite(values).all() and 0 <= values.min() <= values.max() <= white):
        raise ValueError(
            f"values of {values.min():g} to {values.max():g}, where {white:g} should "
            "be white; save it with 8 or 16 bits"
        )
    if isinstance(white, float):
        return np.round(values * (255 / white)).astype(np.uint8)
    return (values.astype(np.int64) * 255 // white).astype(np.uint8)
