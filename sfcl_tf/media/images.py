"""Still images of any kind, as upright 8-bit RGB."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from sfcl_tf.media.picture import Picture
from sfcl_tf.media.video import MAX_PIXELS, VideoFacts
from sfcl_tf.system.errors import DataError

STILL = ("BMP", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""Pillow's names of what is read. It knows more, and runs Ghostscript for some."""

# Modes of 16 and 32 bits, which Pillow clips instead of scaling.
_DEEP = {"I;16": 257, "I;16L": 257, "I;16B": 257, "I": 257}


def read_image(path: Path) -> tuple[VideoFacts, Picture]:
    """Reads an image; greyscale, palette, CMYK, 16 bits and EXIF rotation are undone.

    Its size is known from the header, and bounded, before anything is decoded.

    Returns:
        Its facts, with one frame; and the picture.

    Raises:
        DataError: If it is no readable image, is cut off, or is too large.
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
                mode, kind = image.mode, image.format or "unknown"
                rgb = _rgb(ImageOps.exif_transpose(image))
    except DataError:
        raise
    except Exception as error:  # damaged files raise whatever a decoder meets
        raise DataError(
            f"Expected a readable image. Received: {path} ({error})."
        ) from error
    height, width = rgb.shape[:2]
    facts = VideoFacts(1, width, height, f"{kind.lower()}-{mode.lower()}", float("nan"))
    return facts, Picture(rgb)


def _rgb(image: Image.Image) -> np.ndarray:
    if image.mode in _DEEP:
        grey = np.asarray(image).astype(np.int64) // _DEEP[image.mode]
        grey = np.clip(grey, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=-1)
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA"):
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image)
    return np.array(image.convert("RGB"))
