"""Models by name, and how they are saved and loaded."""

from pathlib import Path

from sfcl_tf.config import DataConfig
from sfcl_tf.errors import ModelError, UsageError


def build_model(config, *, download: bool = False):
    """Builds a model with its initial weights.

    Args:
        config: A `sfcl_tf.config.Config`, or a `ModelConfig`, which leaves
            `data.dct_channels` at its default.
        download: Whether absent ImageNet weights may be fetched.

    Returns:
        A `keras.Model`, `{"image", "sida"}` to a logit `(B, 1)`.

    Raises:
        UsageError: If the model's name is unknown or its parts do not fit.
        ModelError: If a weights file is absent or does not fit.

    Example:
        >>> from sfcl_tf.config import load_config
        >>> build_model(load_config(preset="tiny")).output_shape
        (None, 1)
    """
    from sfcl_tf.models.sfcl_hcmf import sfcl_hcmf
    from sfcl_tf.models.weights import resolve_weights

    data = getattr(config, "data", DataConfig())
    config = getattr(config, "model", config)
    spatial = resolve_weights(config.spatial_weights, config.spatial, download=download)
    frequency = resolve_weights(config.frequency_weights, "xception", download=download)
    try:
        return sfcl_hcmf(
            config,
            dct_channels=data.dct_channels,
            spatial_weights=spatial,
            frequency_weights=frequency,
        )
    except (OSError, ValueError) as error:
        if spatial or frequency:
            given = " and ".join(str(path) for path in (spatial, frequency) if path)
            raise ModelError(
                f"Expected weights that fit {config.spatial} (`_notop.h5`) and, for "
                f"the frequency branch, Xception. Received: {given}, of which one "
                f"does not: {error}"
            ) from error
        raise UsageError(f"This model cannot be built: {error}") from error


def load_model(path):
    """Loads a `model.keras` in Keras's safe mode, without compiling it.

    Args:
        path: A `.keras` file or a run directory that holds `model.keras`.

    Raises:
        ModelError: If the file is absent or not a model of this package.
    """
    import keras

    import sfcl_tf.layers
    import sfcl_tf.models.efficientnet  # noqa: F401  registers its layer

    path = Path(path)
    if path.is_dir():
        path = path / "model.keras"
    if not path.is_file():
        raise ModelError(
            f"Expected a trained model at {path}. Received: no such file. "
            "Train one (`python train.py --dataset demo --preset tiny`) or give the "
            "directory of a finished run."
        )
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, OSError, KeyError) as error:
        raise ModelError(
            f"Expected a model saved by this package at {path}. Received: {error}"
        ) from error
