"""EfficientNet-B4 alone: SFCL-HCMF without its frequency branches."""

from sfcl_tf.models.baselines.classifier import as_detector, pooled
from sfcl_tf.models.efficientnet import SpatialBranch


def efficientnet_b4(config, *, weights=None):
    """Builds EfficientNet-B4 with one logit.

    Args:
        config: A `sfcl_tf.config.ModelConfig`; 380 px is what B4 was made for.
        weights: Path of Keras's `efficientnetb4_notop.h5`, or `None`.

    Returns:
        A `keras.Model` from `{"image", "sida"}` to a logit `(B, 1)`.

    Reference:
        Tan and Le, 2019, arXiv:1905.11946; Rossler et al., 2019, and Yan et al.
        (DeepfakeBench), 2023, use it so.
    """
    branch = SpatialBranch(
        "efficientnet_b4", config.image_size, weights, config.bn_momentum
    )
    return as_detector(
        config,
        lambda image: pooled(branch.deep(branch.shallow(image)), config.dropout),
        "efficientnet_b4",
        branch.parts,
    )
