"""A trained model with what its logit is made of as further outputs."""

import keras
import numpy as np

from sfcl_tf.models.parts import parts


def last_map(model: keras.Model) -> str:
    """Returns the name of the layer that gives the last spatial map.

    Raises:
        ValueError: If none does.
    """
    name = parts(model).last_map
    if name is None:
        raise ValueError(
            "Expected a model with a layer of output (B, h, w, C). Received: "
            f"{model.name}, which has none."
        )
    return name


def with_views(model: keras.Model) -> keras.Model:
    """Returns the same network with named outputs, sharing its weights.

    Args:
        model: A model of `sfcl_tf.models.build_model`, or of the same signature.

    Returns:
        A `keras.Model` from `{"image", "sida"}` to a dict:

        - `logit`: `(B, 1)`.
        - `embedding`: `(B, D)`, what the last layer reads; gated where there is a gate.
        - `map`: `(B, h, w, C)`: HCMA's fused map where its tokens are positions, each
          contribution at the position that it comes from; the embedding is its gated
          mean. Else the last spatial map.
        - `map_logit`: `(B, 1)`, the logit computed from `map` on: the same but for
          rounding, and its gradients go by way of the map.
        - `attention`: `(B, H, H)`: FAAE's alpha, the mean over channels times H, so
          that 1 is an even share of a row; if the model has FAAE.
        - `bands`: `(B, h, w, C, 64)` standardised DCT coefficients, if the model has
          them.
        - `gate`: `(B, D)` in (0, 1), if HCMA has a gate.

    Reference:
        docs/fidelity.md, points 7, 16, 18 and 19.
    """
    outputs = {
        "logit": model.output,
        "map_logit": model.output,
        "embedding": model.get_layer("logit").input,
        "map": model.get_layer(last_map(model)).output,
    }
    names = {layer.name for layer in model.layers}
    if "standardize_dct" in names:
        outputs["bands"] = model.get_layer("standardize_dct").output
    if "faae" in names:
        faae = model.get_layer("faae")
        alpha = faae.attention(*faae.input)
        outputs["attention"] = alpha.shape[-1] * keras.ops.mean(alpha, axis=1)
    if "hcma" in names:
        outputs |= _fused(model)
    return keras.Model(model.input, outputs, name=model.name)


def _fused(model):
    """Goes through HCMA by way of its map, so that gradients do too."""
    hcma = model.get_layer("hcma")
    spatial, frequency, *statistics = hcma.input
    found = {"gate": hcma.gate(statistics[0])} if hcma.gate is not None else {}
    if hcma.tokens != "spatial":
        return found
    height, width = spatial.shape[1:3]
    residual, attended = hcma.source_tokens(hcma.input)
    attended = keras.ops.reshape(attended, (-1, *frequency.shape[1:3], hcma.dim))
    rows, columns = (
        _overlap(new, old)
        for new, old in zip((height, width), frequency.shape[1:3], strict=True)
    )
    attended = keras.ops.einsum("ih,bhwc->biwc", rows, attended)
    attended = keras.ops.einsum("jw,biwc->bijc", columns, attended)
    grid = keras.ops.reshape(residual, (-1, height, width, hcma.dim)) + attended
    tokens = keras.ops.reshape(grid, (-1, height * width, hcma.dim))
    embedding = hcma.embedding(tokens, statistics)
    logit = model.get_layer("logit")(embedding)  # dropout is for training alone
    return found | {"map": grid, "map_logit": logit}


def _overlap(new: int, old: int) -> np.ndarray:
    """Returns `(new, old)` weights that resample by area: they keep the mean."""
    start, place = np.arange(new)[:, None] * old, np.arange(old) * new
    shared = np.minimum(start + old, place + new) - np.maximum(start, place)
    return (np.maximum(shared, 0) / old).astype("float32")
