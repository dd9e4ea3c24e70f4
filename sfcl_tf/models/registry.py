"""Which models there are, told without building one.

A spatial backbone of SFCL-HCMF is an entry of `BACKBONES`, a detector one of
`DETECTORS`, and published ImageNet weights one of `IMAGENET`. Choices of the
configuration and of the command line come from here, so nothing here imports Keras.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class ImageNet:
    """Published ImageNet weights of a network, without its classifier.

    Attributes:
        file: Name of the file.
        digest: Its MD5 or SHA-256 in hex, as `keras.applications` tells it.
        url: Folder that it is published in, with a slash at the end.
    """

    file: str
    digest: str
    url: str = "https://storage.googleapis.com/keras-applications/"


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A spatial backbone of SFCL-HCMF.

    Attributes:
        name: A choice of `model.spatial`; in `IMAGENET` the name of its weights.
        module: Where `SpatialBranch(name, image_size, weights, momentum)` is: its
            `shallow` takes an image to the map at 1/8 of its size, its `deep` takes
            that to the last map, and its `parts` names its layers.
        weights: What it starts from, beside the path of a file.
    """

    name: str
    module: str
    weights: tuple[str, ...] = ("imagenet", "none")


@dataclasses.dataclass(frozen=True)
class Detector:
    """A network from a dict of inputs to a logit.

    Attributes:
        name: A choice of `model.name`, the name of the function in `module` that
            builds it, and in `IMAGENET` that of its weights.
        module: Where that function is.
        inputs: What it takes, of `sfcl_tf.inputs.preprocess.INPUTS`; `image` is among
            them.
        reads: Those of the inputs that are of use to it.
        weights: What it starts from, beside the path of a file.
        image_size: Side of the image that it was made for in pixels, by preset; that
            of the preset where absent.
        only_size: The one side that fits, where others do not.
    """

    name: str
    module: str
    inputs: tuple[str, ...] = ("image", "sida")
    reads: tuple[str, ...] = ("image",)
    weights: tuple[str, ...] = ("imagenet", "none")
    image_size: Mapping[str, int] = dataclasses.field(default_factory=dict)
    only_size: int | None = None

    def made_for(self, preset: str) -> dict[str, Any]:
        """Returns what it changes in a preset, as `{"section.key": value}`."""
        size = self.only_size or self.image_size.get(preset)
        made_for: dict[str, Any] = {"model.image_size": size} if size else {}
        if "imagenet" not in self.weights:
            made_for["model.spatial_weights"] = "none"
        return made_for


def _by_name(*entries):
    return {entry.name: entry for entry in entries}


IMAGENET: dict[str, ImageNet] = {
    "efficientnet_b0": ImageNet(
        "efficientnetb0_notop.h5", "50bc09e76180e00e4465e1a485ddc09d"
    ),
    "efficientnet_b4": ImageNet(
        "efficientnetb4_notop.h5", "ebc24e6d6c33eaebbd558eafbeedf1ba"
    ),
    "xception": ImageNet(
        "xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "b0042744bf5b25fce3cb969f33bebb97",
        "https://storage.googleapis.com/tensorflow/keras-applications/xception/",
    ),
    "convnext_tiny": ImageNet(
        "convnext_tiny_notop.h5",
        "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
        "https://storage.googleapis.com/tensorflow/keras-applications/convnext/",
    ),
}

BACKBONES: dict[str, Backbone] = _by_name(
    Backbone("efficientnet_b4", "sfcl_tf.models.efficientnet"),
    Backbone("efficientnet_b0", "sfcl_tf.models.efficientnet"),
    Backbone("convnext_tiny", "sfcl_tf.models.convnext"),
)

# The first is the paper's; the others are baselines.
DETECTORS: dict[str, Detector] = _by_name(
    Detector("sfcl_hcmf", "sfcl_tf.models.sfcl_hcmf", reads=("image", "sida")),
    Detector("efficientnet_b4", "sfcl_tf.models.baselines.efficientnet_b4"),
    Detector(
        "xception",
        "sfcl_tf.models.baselines.xception",
        image_size={"paper": 299, "recommended": 299},
    ),
    Detector(
        "meso4",
        "sfcl_tf.models.baselines.meso4",
        weights=("none",),
        only_size=256,  # of its dense layer
    ),
    Detector(
        "convnext_tiny",
        "sfcl_tf.models.baselines.convnext_tiny",
        image_size={"paper": 224, "recommended": 224},
    ),
)


def modules() -> list[str]:
    """Returns the modules of all models, in which their own layers are registered."""
    entries: list[Backbone | Detector] = [*BACKBONES.values(), *DETECTORS.values()]
    return list(dict.fromkeys(entry.module for entry in entries))
