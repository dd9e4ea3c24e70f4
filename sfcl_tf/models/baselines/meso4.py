"""Meso4: a very small network, whose authors published its weights."""

import keras

from sfcl_tf.layers.precision import full_precision
from sfcl_tf.models.baselines.classifier import as_detector
from sfcl_tf.models.parts import Parts
from sfcl_tf.models.weight_files import read_weights

# Filters, kernel and pooling of the four convolutions.
_BLOCKS = ((8, 3, 2), (8, 5, 2), (16, 5, 2), (16, 5, 4))


def meso4(config, *, weights=None):
    """Builds Meso4 with one logit.

    Args:
        config: A `sfcl_tf.config.ModelConfig` of 256 px.
        weights: Path of a published `Meso4_*.h5`, or `None`. Those give P(real):
            the last layer's sign is turned.

    Returns:
        A `keras.Model` from `{"image", "sida"}` to a logit `(B, 1)`.

    Reference:
        Afchar et al., 2018, arXiv:1809.00888, Sec. 2.2.
    """
    parts = Parts(last_map=f"pool{len(_BLOCKS)}", float32=("scale",))
    model = as_detector(config, lambda image: _features(config, image), "meso4", parts)
    if weights is not None:
        read_weights(model, weights)
        logit = model.get_layer("logit")
        logit.set_weights([-value for value in logit.get_weights()])
    return model


def _features(config, image):
    layers = keras.layers
    x = layers.Rescaling(1 / 255, dtype=full_precision(), name="scale")(image)
    for number, (filters, kernel, pool) in enumerate(_BLOCKS, start=1):
        x = layers.Conv2D(
            filters, kernel, padding="same", activation="relu", name=f"conv{number}"
        )(x)
        x = layers.BatchNormalization(
            momentum=config.bn_momentum, name=f"norm{number}"
        )(x)
        x = layers.MaxPooling2D(pool, padding="same", name=f"pool{number}")(x)
    x = layers.Dropout(config.dropout, name="dropout1")(layers.Flatten()(x))
    x = layers.LeakyReLU(0.1, name="activation")(layers.Dense(16, name="dense")(x))
    return layers.Dropout(config.dropout, name="dropout2")(x)
