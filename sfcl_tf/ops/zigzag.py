"""JPEG's zigzag order of the 64 coefficients of a block."""

import numpy as np


def _zigzag(size: int) -> np.ndarray:
    def order(index):
        row, column = divmod(index, size)
        diagonal = row + column
        return diagonal, row if diagonal % 2 else column

    return np.array(sorted(range(size * size), key=order))


ZIGZAG = _zigzag(8)
"""`(64,)` int: natural (row-major) index of each zigzag position: 0, 1, 8, 16, ..."""
ZIGZAG.setflags(write=False)
