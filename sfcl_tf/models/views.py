"""A trained model with what its logit is made of as further outputs."""

import keras

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
    outputs = {}
    if hcma.gate is not None:
        outputs["gate"] = hcma.gate(hcma.input[2])
    if hcma.tokens == "spatial":
        outputs["map"], embedding = hcma.map_and_embedding(hcma.input)
        # Dropout, between the two, is for training alone.
        outputs["map_logit"] = model.get_layer("logit")(embedding)
    return outputs
