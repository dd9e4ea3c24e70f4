"""Colour conversion as JPEG does it."""

import numpy as np
from keras import ops

# Rows give Y, Cb, Cr from R, G, B (ITU-T T.871, Sec. 7; BT.601 luma weights).
YCBCR_FROM_RGB = np.array(
    [
        [0.299, 0.587, 0.114],
        [-0.299 / 1.772, -0.587 / 1.772, 0.886 / 1.772],
        [0.701 / 1.402, -0.587 / 1.402, -0.114 / 1.402],
    ]
)
YCBCR_FROM_RGB.setflags(write=False)


def rgb_to_ycbcr(image):
    """Converts RGB to full-range YCbCr (JFIF); nothing is clipped or rounded.

    Args:
        image: `(..., 3)` array or tensor, RGB in 0..255, any real dtype.

    Returns:
        `(..., 3)` float32 tensor: Y in 0..255, Cb and Cr in 0..255 centred on 128.

    Example:
        >>> import numpy as np
        >>> np.asarray(rgb_to_ycbcr(np.array([255, 255, 255]))).round(3)
        array([255., 128., 128.], dtype=float32)

    Reference:
        ITU-T T.871 (JFIF), Sec. 7; docs/fidelity.md, point 1.
    """
    image = ops.cast(image, "float32")
    centred = ops.matmul(image - 128.0, YCBCR_FROM_RGB.T.astype("float32"))
    return centred + 128.0
