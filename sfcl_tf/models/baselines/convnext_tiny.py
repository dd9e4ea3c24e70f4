"""ConvNeXt-Tiny alone, a younger network of the size of EfficientNet-B4."""

from sfcl_tf.models.baselines.classifier import as_detector, pooled
from sfcl_tf.models.convnext import SpatialBranch


def convnext_tiny(config, *, weights=None):
    """Builds ConvNeXt-Tiny with one logit.

    Args:
        config: A `sfcl_tf.config.ModelConfig`; 224 px is what its weights were
            trained on.
        weights: Path of Keras's `convnext_tiny_notop.h5`, or `None`.

    Returns:
        A `keras.Model` from `{"image", "sida"}` to a logit `(B, 1)`.

    Reference:
        Liu et al., 2022, arXiv:2201.03545.
    """
    branch = SpatialBranch("convnext_tiny", config.image_size, weights)
    return as_detector(
        config,
        lambda image: pooled(branch.deep(branch.shallow(image)), config.dropout),
        "convnext_tiny",
        branch.parts,
    )
