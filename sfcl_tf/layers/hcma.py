import keras
import numpy as np
from keras import ops

from sfcl_tf.layers.precision import full_precision

TOKENS = ("spatial", "pooled")


@keras.saving.register_keras_serializable(package="sfcl_tf")
class HCMA(keras.layers.Layer):
    """Hybrid Cross-Modal Attention fusion of deep spatial and frequency maps.

    Positions are tokens: the spatial map asks (Q), the frequency map answers
    (K, V). With S' and F' the maps projected to `dim`,

        A_res = MHA(S', F', F') + BN(Conv1D_1x1(S')),
        fused = mean over tokens of A_res * sigmoid(W_g D + b_g).

    A sample attends only to itself: its output does not depend on its batch.

    Args:
        dim: Width of the embedding. Defaults to 1024.
        heads: Attention heads; divides `dim`. Defaults to 8.
        tokens: `"spatial"`, or `"pooled"` for the literal reading, in which each
            map is averaged to one token first (the softmax then has one entry).
        momentum: Momentum of the batch normalisation.
        **kwargs: Passed to `keras.layers.Layer`.

    Call arguments:
        inputs: `[spatial, frequency]` or `[spatial, frequency, statistics]`:
            `(B, H, W, C)`, `(B, H', W', C')` and standardised SIDA `(B, D)`. Without
            statistics there is no gate.
        training: Whether batch statistics are used.

    Returns:
        `(B, dim)` fused embedding.

    Raises:
        ValueError: For an unknown `tokens` or a `dim` that `heads` does not divide.

    Reference:
        Qiao et al., Sec. 3.3.2, Eqs. 14-17; docs/fidelity.md, points 18-19.
    """

    def __init__(
        self,
        dim: int = 1024,
        heads: int = 8,
        tokens: str = "spatial",
        momentum: float = 0.99,
        **kwargs,
    ):
        super().__init__(**kwargs)
        # The parts cast for themselves: the gate reads its input in full precision.
        self.autocast = False
        if tokens not in TOKENS:
            raise ValueError(
                f"Expected `tokens` in {TOKENS}. Received: tokens={tokens!r}."
            )
        if dim % heads:
            raise ValueError(
                f"Expected `heads` to divide `dim`. Received: dim={dim}, heads={heads}."
            )
        self.dim = dim
        self.heads = heads
        self.tokens = tokens
        self.momentum = momentum

    def build(self, input_shape):
        spatial, frequency, *statistics = input_shape
        sequence = (spatial[0], None, self.dim)
        self.project_spatial = self._dense("project_spatial", spatial)
        self.project_frequency = self._dense("project_frequency", frequency)
        self.attention = keras.layers.MultiHeadAttention(
            self.heads,
            self.dim // self.heads,
            flash_attention=False,
            dtype=full_precision(),  # its softmax inherits the dtype
            name="attention",
        )
        self.attention.build(sequence, sequence, sequence)
        self.residual = keras.layers.Conv1D(
            self.dim,
            1,
            use_bias=False,  # the batch normalisation has one
            data_format="channels_last",
            dtype=self.dtype_policy,
            name="residual",
        )
        self.residual.build(sequence)
        self.norm = keras.layers.BatchNormalization(
            momentum=self.momentum, dtype=self.dtype_policy, name="norm"
        )
        self.norm.build(sequence)
        if statistics:
            self.gate = keras.layers.Dense(
                self.dim, activation="sigmoid", dtype=full_precision(), name="gate"
            )
            self.gate.build(statistics[0])
        else:
            self.gate = None

    def _dense(self, name, shape):
        layer = keras.layers.Dense(self.dim, dtype=self.dtype_policy, name=name)
        layer.build((shape[0], None, shape[-1]))
        return layer

    def _to_tokens(self, x):
        _, height, width, channels = x.shape
        x = ops.reshape(x, (-1, height * width, channels))
        if self.tokens == "pooled":
            x = ops.mean(x, axis=1, keepdims=True)
        return x  # (B, tokens, C)

    def _parts(self, inputs, training=None, *, by_source=False):
        """Returns the two terms of A_res: the residual and what is attended to.

        Both are `(B, T, dim)` by position of the spatial map, which asked. With
        `by_source` the second is `(B, T', dim)`, by position of the frequency map,
        where the answer was found; the means over positions are the same.
        """
        spatial, frequency, *_ = inputs
        spatial = self.project_spatial(self._to_tokens(spatial))  # (B, T, dim)
        frequency = self.project_frequency(self._to_tokens(frequency))
        if by_source:
            attended = self._attended_by_source(spatial, frequency)
        else:
            attended = self.attention(spatial, frequency, training=training)
        residual = self.norm(self.residual(spatial), training=training)
        return residual, ops.cast(attended, self.compute_dtype)

    def _attended_by_source(self, spatial, frequency):
        _, alpha = self.attention(spatial, frequency, return_attention_scores=True)
        # Each position's share of the attention, over an even one: (B, T', heads, 1).
        # (In a graph that is built, Keras tells a wrong shape of alpha.)
        share = frequency.shape[1] * ops.mean(alpha, axis=2)
        share = ops.transpose(share, (0, 2, 1))[..., None]
        values = self.attention.value_dense(frequency)  # (B, T', heads, dim / heads)
        return self.attention.output_dense(share * values)

    def _embedding(self, tokens, statistics):
        fused = ops.mean(tokens, axis=1)
        if statistics:
            fused = fused * ops.cast(self.gate(statistics[0]), self.compute_dtype)
        return fused

    def call(self, inputs, training=None):
        residual, attended = self._parts(inputs, training)
        return self._embedding(attended + residual, inputs[2:])

    def map_and_embedding(self, inputs):
        """Returns A_res as a map, and the embedding computed from it.

        Attention brings what the frequency map holds at one position to all others.
        In the map each contribution stands where it comes from, so that it shows
        where something was found. For inference, and for tokens that are positions.

        Returns:
            `(B, H, W, dim)`, and `(B, dim)` as `call` gives it but for rounding.
        """
        height, width = inputs[0].shape[1:3]
        source = inputs[1].shape[1:3]
        residual, attended = self._parts(inputs, training=False, by_source=True)
        attended = ops.reshape(attended, (-1, *source, self.dim))
        rows, columns = _overlap(height, source[0]), _overlap(width, source[1])
        attended = ops.einsum("ih,bhwc->biwc", rows, attended)
        attended = ops.einsum("jw,biwc->bijc", columns, attended)
        grid = ops.reshape(residual, (-1, height, width, self.dim)) + attended
        tokens = ops.reshape(grid, (-1, height * width, self.dim))
        return grid, self._embedding(tokens, inputs[2:])

    def compute_output_shape(self, input_shape):
        return (input_shape[0][0], self.dim)

    def get_config(self):
        return {
            **super().get_config(),
            "dim": self.dim,
            "heads": self.heads,
            "tokens": self.tokens,
            "momentum": self.momentum,
        }


def _overlap(new: int, old: int) -> np.ndarray:
    """Returns `(new, old)` weights that resample by area: they keep the mean."""
    start, position = np.arange(new)[:, None] * old, np.arange(old) * new
    shared = np.minimum(start + old, position + new) - np.maximum(start, position)
    return (np.maximum(shared, 0) / old).astype("float32")
