"""A trained model with what its logit is made of as further outputs."""

import keras


def last_map(model: keras.Model) -> str:
    """Returns the name of the layer that gives the last spatial map.

    That is the end of EfficientNet where there is one, else the last layer of the
    graph whose output is `(B, h, w, C)`.

    Raises:
        ValueError: If no layer gives a map.
    """
    names = [layer.name for layer in model.layers if len(_shape(layer)) == 4]
    if not names:
        raise ValueError(
            "Expected a model with a layer of output (B, h, w, C). Received: "
            f"{model.name}, which has none."
        )
    return "top_activation" if "top_activation" in names else names[-1]


def with_views(model: keras.Model) -> keras.Model:
    """Returns the same network with named outputs, sharing its weights.

    Args:
        model: A model of `sfcl_tf.models.build_model`, or of the same signature.

    Returns:
        A `keras.Model` from `{"image", "sida"}` to a dict:

        - `logit`: `(B, 1)`.
        - `embedding`: `(B, D)`, what the last layer reads; gated where there is a gate.
        - `map`: `(B, h, w, C)`, the last spatial map.
        - `bands`: `(B, h, w, C, 64)` standardised DCT coefficients, if the model has
          them.
        - `gate`: `(B, D)` in (0, 1), if HCMA has a gate.

    Reference:
        docs/fidelity.md, points 7, 18 and 19.
    """
    outputs = {
        "logit": model.output,
        "embedding": model.get_layer("logit").input,
        "map": model.get_layer(last_map(model)).output,
    }
    names = {layer.name for layer in model.layers}
    if "standardize_dct" in names:
        outputs["bands"] = model.get_layer("standardize_dct").output
    gate = getattr(model.get_layer("hcma"), "gate", None) if "hcma" in names else None
    if gate is not None:
        outputs["gate"] = gate(model.get_layer("standardize_sida").output)
    return keras.Model(model.input, outputs, name=model.name)


def _shape(layer):
    return getattr(layer.output, "shape", ())
