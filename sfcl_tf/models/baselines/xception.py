"""Xception on pixels, the strongest of FaceForensics++'s own baselines."""

import keras

from sfcl_tf.layers.precision import full_precision
from sfcl_tf.models.baselines.classifier import as_detector, pooled
from sfcl_tf.models.efficientnet import set_momentum
from sfcl_tf.models.parts import Parts
from sfcl_tf.models.weight_files import read_weights


def xception(config, *, weights=None):
    """Builds Xception with one logit.

    Args:
        config: A `sfcl_tf.config.ModelConfig`; 299 px is what Xception was made for.
        weights: Path of Keras's `xception_..._notop.h5`, or `None`.

    Returns:
        A `keras.Model` from `{"image", "sida"}` to a logit `(B, 1)`.

    Reference:
        Chollet, 2017, arXiv:1610.02357; Rossler et al., 2019, arXiv:1901.08971.
    """
    size = config.image_size
    network = keras.applications.Xception(
        include_top=False, weights=None, input_shape=(size, size, 3)
    )
    if weights is not None:
        read_weights(network, weights)
    set_momentum(network, config.bn_momentum)
    # -1..1, as Keras's weights expect.
    scale = keras.layers.Rescaling(
        1 / 127.5, offset=-1.0, dtype=full_precision(), name="scale"
    )
    return as_detector(
        config,
        lambda image: pooled(network.call(scale(image)), config.dropout),
        "xception",
        Parts(
            last_map=network.layers[-1].name,
            backbone=tuple(layer.name for layer in network.layers if layer.weights),
            float32=("scale",),
        ),
    )
