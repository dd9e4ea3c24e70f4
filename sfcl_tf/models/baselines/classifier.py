"""What the baselines share: the inputs before, and the logit after, a network."""

import keras

from sfcl_tf.models.parts import logit
from sfcl_tf.ops import SIDA_SIZE


def as_detector(config, network, name, parts):
    """Builds a model of the common signature around a network of the image.

    Args:
        config: A `sfcl_tf.config.ModelConfig`.
        network: Called with the image `(B, S, S, 3)`, RGB in 0..255; gives features
            `(B, N)`.
        name: The model's name.
        parts: The network's `Parts`.

    Returns:
        A `keras.Model` of `{"image", "sida"}`, of which the second is not read, to
        one full-precision logit `(B, 1)`; sigmoid of it is P(fake).
    """
    size = config.image_size
    image = keras.Input((size, size, 3), name="image")
    sida = keras.Input((SIDA_SIZE,), name="sida")
    output = logit(parts)(network(image))
    model = keras.Model({"image": image, "sida": sida}, output)
    # As in `sfcl_hcmf`: in a clone each layer has one output, and it is ours.
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    clone.name = name
    return clone


def pooled(features, dropout):
    """Averages a map `(B, h, w, N)` to `(B, N)`, with dropout after it."""
    features = keras.layers.GlobalAveragePooling2D(name="pool")(features)
    return keras.layers.Dropout(dropout, name="dropout")(features)
