import keras
from keras import ops


@keras.saving.register_keras_serializable(package="sfcl_tf")
class SBCM(keras.layers.Layer):
    """Spectral Band Convolution Module: 3-D convolutions along the bands.

    Each stage is a convolution with kernel `(k, 1, 1)`, batch normalisation and
    ReLU; the bands of one block meet each other, blocks do not. With the default
    strides 64 bands become 16, 6 and 3.

    Args:
        filters: Filters of each stage.
        kernels: Kernel lengths along the bands, one a stage.
        strides: Band strides, one a stage. All 1 with a last stage of 3 filters is
            the paper's other reading, in which the 64 bands are kept.
        momentum: Momentum of the batch normalisations.
        **kwargs: Passed to `keras.layers.Layer`.

    Call arguments:
        bands: `(B, h, w, C, K)` standardised DCT coefficients.
        training: Whether batch statistics are used.

    Returns:
        `(B, h, w, N)`: flattened filter-major (`filter * bands + band`) where
        bands are strided over, band-major (`band * filters + filter`) where all
        strides are 1. N is 192 by default.

    Raises:
        ValueError: If the three lists differ in length or the input is not 5-D.

    Reference:
        Qiao et al., Sec. 3.2.2, Eq. 9; docs/fidelity.md, point 13.
    """

    def __init__(
        self,
        filters=(16, 32, 64),
        kernels=(7, 5, 3),
        strides=(4, 3, 2),
        momentum: float = 0.99,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not len(filters) == len(kernels) == len(strides):
            raise ValueError(
                "Expected `filters`, `kernels` and `strides` of one length. Received: "
                f"filters={filters}, kernels={kernels}, strides={strides}."
            )
        self.filters = tuple(filters)
        self.kernels = tuple(kernels)
        self.strides = tuple(strides)
        self.momentum = momentum
        self.convs = [
            keras.layers.Conv3D(
                count,
                (kernel, 1, 1),
                (stride, 1, 1),
                padding="same",
                use_bias=False,  # the batch normalisation has one
                data_format="channels_last",
                dtype=self.dtype_policy,
                name=f"conv{index}",
            )
            for index, (count, kernel, stride) in enumerate(
                zip(filters, kernels, strides, strict=True), 1
            )
        ]
        self.norms = [
            keras.layers.BatchNormalization(
                momentum=momentum, dtype=self.dtype_policy, name=f"norm{index}"
            )
            for index in range(1, len(filters) + 1)
        ]

    def build(self, input_shape):
        if len(input_shape) != 5:
            raise ValueError(
                f"Expected (B, h, w, C, K). Received: shape={tuple(input_shape)}."
            )
        batch, h, w, channels, bands = input_shape
        shape = (batch, bands, h, w, channels)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            conv.build(shape)
            shape = conv.compute_output_shape(shape)
            norm.build(shape)

    def call(self, bands, training=None):
        x = ops.transpose(bands, (0, 4, 1, 2, 3))  # (B, K, h, w, C)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = ops.relu(norm(conv(x), training=training))
        _, out_bands, h, w, filters = x.shape
        band_major = all(stride == 1 for stride in self.strides)
        x = ops.transpose(x, (0, 2, 3, 1, 4) if band_major else (0, 2, 3, 4, 1))
        return ops.reshape(x, (-1, h, w, out_bands * filters))

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernels": self.kernels,
            "strides": self.strides,
            "momentum": self.momentum,
        }
