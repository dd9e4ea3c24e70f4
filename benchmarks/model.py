"""The model's forward pass and training step, and the same for its backbone.

`python benchmarks/model.py tiny` or `... paper`.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from timing import interleaved, report

from sfcl_tf.config import load_config
from sfcl_tf.models import build_model
from sfcl_tf.models.efficientnet import SpatialBranch

BATCH = {"tiny": 16, "paper": 4}


def backbone(config):
    """Returns the spatial branch with a classifier: the usual baseline."""
    size = config.model.image_size
    image = keras.Input((size, size, 3), name="image")
    branch = SpatialBranch(config.model.spatial, size)
    x = branch.deep(branch.shallow(image))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model({"image": image}, keras.layers.Dense(1)(x))


def steps(model, inputs, labels):
    """Returns a traced forward pass and a traced training step."""
    optimizer = keras.optimizers.Adam(1e-4)
    optimizer.build(model.trainable_variables)
    forward = tf.function(lambda: model(inputs, training=False))

    @tf.function
    def train():
        with tf.GradientTape() as tape:
            logit = model(inputs, training=True)
            loss = tf.reduce_mean(
                keras.losses.binary_crossentropy(labels, logit, from_logits=True)
            )
        weights = model.trainable_variables
        found = tape.gradient(loss, [weight.value for weight in weights])
        optimizer.apply(found, weights)
        return loss

    return lambda: forward().numpy(), lambda: train().numpy()


def main(preset):
    """Prints both models' times per image."""
    config = load_config(preset=preset, overrides=["model.spatial_weights=none"])
    batch, size = BATCH[preset], config.model.image_size
    rng = np.random.default_rng(0)
    inputs = {
        "image": tf.constant(rng.uniform(0, 255, (batch, size, size, 3)), tf.float32),
        "sida": tf.constant(rng.uniform(0, 10, (batch, 2304)), tf.float32),
    }
    labels = tf.constant(rng.integers(0, 2, (batch, 1)), tf.float32)
    ours = steps(build_model(config), inputs, labels)
    theirs = steps(backbone(config), {"image": inputs["image"]}, labels)
    name = f"{config.model.spatial} alone"
    for index, title in enumerate(("forward pass", "training step")):
        times = interleaved({"SFCL-HCMF": ours[index], name: theirs[index]}, rounds=5)
        report(
            f"{preset} preset, {size} px, batch {batch}, {title}",
            times,
            "SFCL-HCMF",
            batch,
        )


if __name__ == "__main__":
    main(sys.argv[1])
