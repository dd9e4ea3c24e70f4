"""A `.keras` file, looked at before Keras builds what it tells.

Keras's safe mode refuses code that a file carries. What remains is checked here: what
is built is of the classes below, as large as the file has weights for, and of nothing
but the file.
"""

import io
import json
import math
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfcl_tf.models.weight_files import EXPANSION, check_hdf5
from sfcl_tf.system.errors import ModelError
from sfcl_tf.system.plain_text import in_a_line

if TYPE_CHECKING:
    import keras

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_MEMBERS = {_CONFIG, _WEIGHTS, "metadata.json"}
_MOST_CONFIG = 8 << 20
"""Bytes of `config.json`; those of the largest model here are 0.6 MB."""

_MOST_NESTED = 64
_UNSAVED = 1 << 20
"""Numbers that a model may have beside those of its file."""

_LAYERS = (
    "activations attention convolutional core.dense core.einsum_dense core.embedding "
    "core.identity core.input_layer core.masking merging normalization pooling "
    "preprocessing.image_preprocessing preprocessing.normalization "
    "preprocessing.rescaling regularization reshaping rnn"
)
_OTHERS = (
    "activations constraints dtype_policies initializers models.functional "
    "models.model models.sequential ops random.seed_generator regularizers"
)
# Left out: Lambda, TFSMLayer, TorchModuleWrapper and the like, which run what they are
# given; lookup layers, which read vocabularies; whatever fetches files.
_KERAS = tuple(f"keras.src.layers.{name}" for name in _LAYERS.split()) + tuple(
    f"keras.src.{name}" for name in _OTHERS.split()
)
"""Keras's modules whose classes compute, and do nothing else."""

_VALUES = {
    "__bytes__",
    "__ellipsis__",
    "__keras_tensor__",
    "__numpy__",
    "__slice__",
    "__tensor__",
}
"""Names under which Keras files what is no object."""


def read_model(path: Path) -> "keras.Model":
    """Loads a `.keras` file that is not trusted.

    That the file stays the same meanwhile is for the caller to see to.

    Args:
        path: The file. What its classes are registered by has been imported.

    Raises:
        ModelError: For whatever a damaged or hostile file makes Keras raise, and for
            what a model of this package has no need of.
    """
    import keras

    try:
        _check(path)
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        raise ModelError(
            f"Expected a model saved by this package at {path}. Received: "
            f"{in_a_line(error)} If the file is damaged, take another copy of it, or "
            "train anew."
        ) from error


def _check(path):
    if path.suffix != ".keras":
        raise ValueError(f"a name that ends in {path.suffix!r} instead of .keras.")
    with zipfile.ZipFile(path) as archive:
        _check_members(archive, path.stat().st_size)
        weights = io.BytesIO(archive.read(_WEIGHTS))
        numbers = check_hdf5(weights, weights.getbuffer().nbytes)
        config = json.loads(archive.read(_CONFIG))
    if not isinstance(config, dict):
        raise ValueError("a configuration that is no object.")
    # Keras leaves this out as well where it does not compile.
    config["compile_config"] = None
    for entry in _entries(config):
        _check_class(entry)
    # Keras keeps, a thread, which weights are still to be made: these never are.
    with ThreadPoolExecutor(1, thread_name_prefix="measure") as beside:
        needed = beside.submit(_size, config).result()
    if needed > numbers + _UNSAVED:
        raise ValueError(f"{numbers} weights for a model of {needed}.")


def _size(config):
    """Returns how many numbers a model has, without memory for any."""
    import keras

    with keras.StatelessScope(initialize_variables=False):
        model = keras.saving.deserialize_keras_object(config, safe_mode=True)
    return sum(math.prod(variable.shape) for variable in model.variables)


def _check_members(archive, size):
    members = archive.infolist()
    names = [member.filename for member in members]
    if not {_CONFIG, _WEIGHTS} <= set(names) <= _MEMBERS or len(names) > len(_MEMBERS):
        raise ValueError(f"an archive of {', '.join(names[:8])}.")
    unpacked = sum(member.file_size for member in members)
    if unpacked > EXPANSION * size:
        raise ValueError(f"{unpacked} bytes packed into {size}.")
    if archive.getinfo(_CONFIG).file_size > _MOST_CONFIG:
        raise ValueError(f"a configuration of more than {_MOST_CONFIG} bytes.")


def _entries(config: Any) -> Iterator[dict[str, Any]]:
    """Yields each object of a configuration that names a class."""
    waiting = [(config, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > _MOST_NESTED:
            raise ValueError(f"a configuration nested over {_MOST_NESTED} deep.")
        if isinstance(value, dict):
            if "class_name" in value:
                yield value
            waiting += [(inner, depth + 1) for inner in value.values()]
        elif isinstance(value, list):
            waiting += [(inner, depth + 1) for inner in value]


def _check_class(entry):
    """Refuses an object that is of no known class, in the order Keras looks."""
    import keras

    name, module = entry["class_name"], entry.get("module")
    registered = entry.get("registered_name", name)
    if name in _VALUES:
        return
    if name == "function":
        name = registered = entry.get("config")
        if module == "builtins":
            module = "keras.activations"
    # Registered by what was imported: this package, and who adds to it.
    if registered and keras.saving.get_registered_object(registered) is not None:
        return
    found = getattr(sys.modules.get(module or ""), name, None)
    origin = getattr(found, "__module__", None) or ""
    if not str(module).startswith("keras") or not _is_known(origin):
        raise ValueError(
            f"the class {module}.{name}, which no model of this package has. A layer "
            "of your own must be registered with Keras by what is imported."
        )


def _is_known(origin):
    return any(origin == known or origin.startswith(f"{known}.") for known in _KERAS)
