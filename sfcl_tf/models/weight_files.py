"""Files of weights, looked at before Keras reads them.

HDF5 can refer to other files, and can tell of a terabyte of zeros in a kilobyte. So a
file is walked through first, which reads no weight.
"""

import math
import os
import warnings
from typing import IO

import h5py

from sfcl_tf.system.plain_text import in_a_line

EXPANSION = 100
"""Most bytes in memory for each of a file, as Keras has it for archives."""

_SMALL = 1 << 20
_MOST_OBJECTS = 100_000
# Deflate, shuffle, Fletcher's checksum, LZF: what h5py has without plug-ins.
_FILTERS = {1, 2, 3, 32000}


def read_weights(model, path: str | os.PathLike) -> None:
    """Loads weights into a Keras model from a file that is not trusted.

    Args:
        model: A `keras.Model`.
        path: An `.h5` file.

    Raises:
        ValueError: Whatever a damaged or foreign file makes Keras raise, told in a
            line.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - may be a text
            check_hdf5(file, os.fstat(file.fileno()).st_size)
        # Keras warns of each layer that it finds nothing for, before it raises.
        with warnings.catch_warnings(action="ignore"):
            model.load_weights(path)
    except Exception as error:
        raise ValueError(in_a_line(error)) from error


def check_hdf5(file: IO[bytes], size: int) -> int:
    """Refuses an HDF5 file that leads out of itself, or is larger than it looks.

    Args:
        file: Open for reading.
        size: Its bytes.

    Returns:
        How many numbers it holds.

    Raises:
        ValueError: For a link other than a hard one, data in other files, numbers
            that are none, a filter that is a plug-in, or sizes out of all proportion.
    """
    numbers = held = 0
    with h5py.File(file, "r") as opened:
        waiting: list[h5py.Group] = [opened]
        seen = set()
        while waiting:
            group = waiting.pop()
            for name in group:
                link = group.get(name, getlink=True)
                if not isinstance(link, h5py.HardLink):
                    raise ValueError(
                        f"Expected data in the file itself. Received: {name!r}, a "
                        f"{type(link).__name__}."
                    )
                found = group[name]
                address = h5py.h5o.get_info(found.id).addr
                if address in seen:
                    continue
                seen.add(address)
                if len(seen) > _MOST_OBJECTS:
                    raise ValueError(
                        f"Expected at most {_MOST_OBJECTS} objects. Received: more."
                    )
                if isinstance(found, h5py.Group):
                    waiting.append(found)
                    continue
                _check_dataset(name, found)
                numbers += math.prod(found.shape)
                held += math.prod(found.shape) * found.dtype.itemsize
                if held > EXPANSION * size + _SMALL:
                    raise ValueError(
                        f"Expected at most {EXPANSION} bytes in memory for each of "
                        f"{size} in the file. Received: {name!r} of the shape "
                        f"{found.shape}."
                    )
    return numbers


def _check_dataset(name, found):
    if not isinstance(found, h5py.Dataset) or found.shape is None:
        raise ValueError(f"Expected groups and arrays. Received: {name!r}.")
    if found.external or found.is_virtual:
        raise ValueError(
            f"Expected data in the file itself. Received: {name!r}, which is read "
            "from another one."
        )
    if found.dtype.hasobject:
        raise ValueError(f"Expected numbers. Received: {name!r} of {found.dtype}.")
    made = found.id.get_create_plist()
    filters = {made.get_filter(n)[0] for n in range(made.get_nfilters())}
    if unknown := sorted(filters - _FILTERS):
        raise ValueError(
            f"Expected numbers as they are, or deflated. Received: {name!r}, with the "
            f"filters {unknown}."
        )
