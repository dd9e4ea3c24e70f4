"""Models by name, and how they are saved and loaded."""

import dataclasses
import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from sfcl_tf.models.registry import DETECTORS, modules
from sfcl_tf.models.weights import resolve_weights
from sfcl_tf.system.errors import ModelError, UsageError

if TYPE_CHECKING:
    import keras


def build_model(config, *, download: bool = False) -> "keras.Model":
    """Builds a model with its initial weights.

    Args:
        config: A `sfcl_tf.config.Config`, or a `ModelConfig`, which leaves
            `data.dct_channels` at its default, "ycbcr".
        download: Whether absent ImageNet weights may be fetched.

    Returns:
        A `keras.Model` from a dict of the `inputs` that `sfcl_tf.models.registry` tells
        to a logit `(B, 1)`.

    Raises:
        UsageError: If the model's name is unknown or its parts do not fit.
        ModelError: If a weights file is absent or does not fit.

    Example:
        >>> from sfcl_tf.config import load_config
        >>> build_model(load_config(preset="tiny")).output_shape
        (None, 1)
    """
    data = getattr(config, "data", None)
    dct_channels = data.dct_channels if data else "ycbcr"
    config = getattr(config, "model", config)
    if config.name not in DETECTORS:
        raise UsageError(
            f"Expected a model of {', '.join(DETECTORS)}. Received: {config.name!r}."
        )
    networks = pretrained(config)
    paths = [
        resolve_weights(choice, network, download=download)
        for choice, network in networks
    ]
    try:
        return _build(config, dct_channels, *paths)
    except (OSError, ValueError) as error:
        if any(paths):
            given = " and ".join(str(path) for path in paths if path)
            fitting = ", then ".join(network for _, network in networks)
            raise ModelError(
                f"Expected weights that fit {fitting}. Received: {given}: {error}"
            ) from error
        raise UsageError(f"This model cannot be built: {error}") from error


def _build(config, dct_channels, spatial, frequency=None):
    if config.name == "sfcl_hcmf":
        from sfcl_tf.models.sfcl_hcmf import sfcl_hcmf

        return sfcl_hcmf(
            config,
            dct_channels=dct_channels,
            spatial_weights=spatial,
            frequency_weights=frequency,
        )
    baseline = importlib.import_module(DETECTORS[config.name].module)
    return getattr(baseline, config.name)(config, weights=spatial)


def pretrained(config) -> list[tuple[str, str]]:
    """Returns which weights a `ModelConfig` asks for, and for which network.

    Returns:
        Pairs for `sfcl_tf.models.weights.resolve_weights`.
    """
    if config.name != "sfcl_hcmf":
        return [(config.spatial_weights, config.name)]
    frequency = config.frequency_weights
    if frequency == "auto" and config.cnn_f_width != 1:
        frequency = "none"  # Xception's fit no other width
    return [(config.spatial_weights, config.spatial), (frequency, "xception")]


def with_resolved_weights(config, *, download: bool = False):
    """Returns a `ModelConfig` that says which initial weights there are.

    So a run's configuration tells what it began with, and it can be begun again.

    Args:
        config: A `sfcl_tf.config.ModelConfig`.
        download: Whether absent ImageNet weights may be fetched.

    Raises:
        ModelError: If a file that is asked for is absent or damaged.
    """
    resolved = [
        resolve_weights(choice, network, download=download)
        for choice, network in pretrained(config)
    ]
    if config.frequency_weights != "auto":
        return config
    settled = "imagenet" if len(resolved) > 1 and resolved[1] else "none"
    return dataclasses.replace(config, frequency_weights=settled)


def backbone(model) -> list:
    """Returns the layers of a model that ImageNet weights may be given for.

    Args:
        model: A model of `build_model`.

    Returns:
        The layers with weights of its spatial branch, or of a baseline's network;
        none where nobody published such weights.
    """
    from sfcl_tf.models.parts import parts

    names = set(parts(model).backbone)
    return [layer for layer in model.layers if layer.name in names]


def load_weights(model, path) -> None:
    """Loads weights that a model of the same configuration saved.

    Args:
        model: A model of `build_model`.
        path: A `.weights.h5` file.

    Raises:
        ModelError: If it holds those of another model, or is damaged.
    """
    from sfcl_tf.models.weight_files import read_weights

    try:
        read_weights(model, path)
    except ValueError as error:
        if not _load_plain(model, path):
            raise ModelError(
                f"Expected weights of {model.name} at {path}. Received: {error} Give "
                "those of a model of the same configuration."
            ) from error


def _load_plain(model, path):
    """Loads weights of a model of before; returns whether they are of one.

    Keras files weights under the class of their layer, and the logit's was `Dense`.
    """
    import keras

    from sfcl_tf.layers import Logit
    from sfcl_tf.models.weight_files import read_weights

    def plain(layer):
        if not isinstance(layer, keras.layers.Layer):
            return layer  # an operation, which has no weights
        config = layer.get_config()
        kind = type(layer)
        if isinstance(layer, Logit):
            kind = keras.layers.Dense
            del config["parts"]
        return kind.from_config(config)

    before = keras.models.clone_model(model, clone_function=plain)
    try:
        read_weights(before, path)
    except ValueError:
        return False
    model.set_weights(before.get_weights())
    return True


def load_model(path: str | Path) -> "keras.Model":
    """Loads a `model.keras` in Keras's safe mode, without compiling it.

    Args:
        path: A `.keras` file or a run directory that holds `model.keras`.

    Raises:
        ModelError: If the file is absent or not a model of this package, whatever
            else it is; see `sfcl_tf.models.model_file`.
    """
    import sfcl_tf.layers  # noqa: F401  registers them
    from sfcl_tf.models.model_file import read_model

    for module in modules():  # registers the layers of one network alone
        importlib.import_module(module)

    path = Path(path)
    if path.is_dir():
        path = path / "model.keras"
    if not path.is_file():
        raise ModelError(
            f"Expected a trained model at {path}. Received: no such file. "
            "Train one (`python train.py --dataset demo --preset tiny`) or give the "
            "directory of a finished run."
        )
    return read_model(path)
