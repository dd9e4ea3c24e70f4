"""Which layers of a model are what, as the model itself tells."""

import dataclasses

import keras

from sfcl_tf.layers import Logit


@dataclasses.dataclass(frozen=True)
class Parts:
    """Names of a model's layers.

    Attributes:
        last_map: Gives the last spatial map `(B, h, w, C)`.
        tap: Gives the map at 1/8 of the image that the frequency branch may join.
        backbone: Those with weights that initial weights are given for, and that
            `train.backbone_rate` and `train.freeze_epochs` act on.
        float32: Those, or parts of them, that are not computed in 8 bits.
    """

    last_map: str | None = None
    tap: str | None = None
    backbone: tuple[str, ...] = ()
    float32: tuple[str, ...] = ()


def logit(parts: Parts) -> Logit:
    """Returns the layer that a model of these parts ends in."""
    return Logit(dataclasses.asdict(parts), name="logit")


def parts(model: keras.Model) -> Parts:
    """Returns what a model says of itself.

    Of a model that ends in a plain `Dense`, as files of earlier versions do, it is
    told by the names that its layers had then.
    """
    last = next((layer for layer in model.layers if layer.name == "logit"), None)
    if not isinstance(last, Logit):
        return _by_names(model)
    values = last.parts
    lists = {name: tuple(values.get(name, ())) for name in ("backbone", "float32")}
    return Parts(**{**values, **lists})


_FLOAT32 = (
    "block_dct standardize_dct sbcm compress_sida standardize_sida gate "
    "imagenet_scale scale"
)
STANDARDIZED = ("standardize_dct", "standardize_sida")
"""The `Standardize` layers of models of earlier versions."""


def _by_names(model):
    maps = [layer.name for layer in model.layers if _is_map(layer)]
    weighted = [layer.name for layer in model.layers if layer.weights]
    backbone = [
        name
        for name in weighted
        # Keras's names in EfficientNet; Xception was all backbone.
        if name.startswith(("stem_", "block", "top_"))
        or (model.name == "xception" and name != "logit")
    ]
    third = [n for n in maps if n.startswith("block3") and n.endswith("_add")]
    end = "top_activation" if "top_activation" in maps else None
    return Parts(
        last_map=end or (maps[-1] if maps else None),
        tap=third[-1] if third else None,
        backbone=tuple(backbone),
        float32=tuple(_FLOAT32.split()),
    )


def _is_map(layer):
    return len(getattr(layer.output, "shape", ())) == 4
