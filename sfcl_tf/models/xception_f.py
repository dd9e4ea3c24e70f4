"""CNN-F: Xception from its third block on, fed with DCT features."""

import keras

from sfcl_tf.models.weight_files import read_weights


class FrequencyBranch:
    """Xception with its first three units replaced by one block of ours.

    Keras's own graph is used from block 4 on, under names of ours, and can be made
    narrower and shallower. Block 3 is ours: it takes the DCT features, and has no
    ReLU in front, which would delete every negative coefficient.

    Args:
        width: Factor on the number of filters, in (0, 1]. 1 is Xception.
        middle: Number of the eight middle blocks kept.
        weights: Path of Keras's `xception_..._notop.h5`, or `None`. Copied into
            blocks 4 to 14; needs `width=1`.
        momentum: Momentum of every batch normalisation.

    Raises:
        ValueError: If `weights` is given with another width.

    Reference:
        Chollet, 2017, arXiv:1610.02357; Qiao et al., Sec. 3.2.2; docs/fidelity.md,
        point 14.
    """

    def __init__(self, width=1.0, middle=8, weights=None, momentum=0.99):
        if weights is not None and width != 1:
            raise ValueError(
                "Expected width=1 with Xception weights: they fit no other. "
                f"Received: width={width}."
            )
        self._width = width
        self._momentum = momentum
        xception = keras.applications.Xception(
            include_top=False, weights=None, input_shape=(299, 299, 3)
        )
        if weights is not None:
            read_weights(xception, weights)
        # Any size: the graph is convolutional, and its input is cut off anyway.
        self.network = keras.models.clone_model(
            xception,
            input_tensors=keras.Input((None, None, 3)),
            clone_function=self._clone(xception),
        )
        if weights is not None:
            self.network.set_weights(xception.get_weights())
        cuts = [f"cnn_f_block{n}_sepconv1_act" for n in range(4, 14)]
        starts = [self.network.get_layer(name).input for name in cuts]
        ends = [*starts[1:], self.network.output]
        segments = [
            keras.Model(start, end) for start, end in zip(starts, ends, strict=True)
        ]
        self._segments = [*segments[: 1 + middle], segments[-1]]

    def _filters(self, count):
        return max(8, round(count * self._width / 8) * 8)

    def _clone(self, xception):
        def clone(layer):
            config = layer.get_config()
            config["name"] = f"cnn_f_{names[layer.name]}"
            if "filters" in config:
                config["filters"] = self._filters(config["filters"])
            if "momentum" in config:
                config["momentum"] = self._momentum
            return type(layer).from_config(config)

        names = _stable_names(xception)
        return clone

    def __call__(self, features):
        """DCT features `(B, h, w, N)` to the last map `(B, h/8, w/8, 2048 width)`."""
        x = self._block3(features)
        for segment in self._segments:
            x = segment.call(x)
        return x

    def _block3(self, x):
        filters = self._filters(256)

        def separable(x, index):
            x = keras.layers.SeparableConv2D(
                filters,
                3,
                padding="same",
                use_bias=False,
                name=f"cnn_f_block3_sepconv{index}",
            )(x)
            return self._norm(x, f"cnn_f_block3_sepconv{index}_bn")

        residual = keras.layers.Conv2D(
            filters, 1, 2, padding="same", use_bias=False, name="cnn_f_block3_residual"
        )(x)
        residual = self._norm(residual, "cnn_f_block3_residual_bn")
        x = separable(x, 1)
        x = keras.layers.Activation("relu", name="cnn_f_block3_sepconv2_act")(x)
        x = separable(x, 2)
        x = keras.layers.MaxPooling2D(3, 2, padding="same", name="cnn_f_block3_pool")(x)
        return keras.layers.Add(name="cnn_f_block3_add")([x, residual])

    def _norm(self, x, name):
        return keras.layers.BatchNormalization(momentum=self._momentum, name=name)(x)


def _stable_names(xception):
    """Names for Keras's auto-numbered layers, from the block they stand in."""
    names, block = {}, "block1"
    kinds = {
        keras.layers.Conv2D: "residual",
        keras.layers.BatchNormalization: "residual_bn",
        keras.layers.Add: "add",
    }
    for layer in xception.layers:
        if layer.name.startswith("block"):
            block = layer.name.split("_")[0]
            names[layer.name] = layer.name
        else:
            kind = kinds.get(type(layer), "input")
            names[layer.name] = f"{block}_{kind}"
    return names
