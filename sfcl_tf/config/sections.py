"""What a configuration is made of, and its defaults."""

import dataclasses
from typing import Annotated, Literal, NamedTuple

from sfcl_tf.models.registry import BACKBONES, DETECTORS


class Within(NamedTuple):
    """Inclusive bounds of a number, or of each in a list."""

    low: float
    high: float


Count = Annotated[int, Within(1, 10**9)]
Range = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """What is built. The defaults are the paper's."""

    # The others are baselines; what is told of branches below is not theirs.
    name: Literal[*DETECTORS] = "sfcl_hcmf"  # type: ignore[valid-type]
    preset: Literal["paper", "recommended", "tiny"] = "paper"
    image_size: Annotated[int, Within(32, 4096)] = 380
    spatial: Literal[*BACKBONES] = "efficientnet_b4"  # type: ignore[valid-type]
    spatial_weights: str = "imagenet"  # or "none", or a path
    # Or "imagenet", "auto" for that where the file is there, or a path.
    frequency_weights: str = "none"
    sbcm: bool = True
    sida: bool = True
    faae: bool = True
    hcma: bool = True
    sbcm_reading: Literal["strided", "bands"] = "strided"
    sbcm_filters: tuple[int, ...] = (16, 32, 64)
    sbcm_kernels: tuple[int, ...] = (7, 5, 3)
    sbcm_strides: tuple[int, ...] = (4, 3, 2)
    cnn_f_width: Annotated[float, Within(0.01, 1)] = 1.0
    cnn_f_middle: Annotated[int, Within(0, 8)] = 8
    faae_zero_gamma: bool = True
    hcma_tokens: Literal["spatial", "pooled"] = "spatial"
    hcma_dim: int = 1024
    hcma_heads: int = 8
    dropout: Annotated[float, Within(0, 0.99)] = 0.5
    bn_momentum: Annotated[float, Within(0, 0.9999)] = 0.99

    @property
    def reads_sida(self) -> bool:
        """Whether SIDA's descriptor is of use to the model."""
        return "sida" in DETECTORS[self.name].reads and self.sida


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """What is read, and how."""

    dataset: str = ""  # a card's name, or a path; see sfcl_tf.catalog.cards.load_card
    methods: tuple[str, ...] = ()  # of manipulation; the card's where empty
    # Of each video, evenly spaced over what decodes.
    frames: Annotated[int, Within(1, 10**6)] = 270
    faces: Literal["largest", "all", "full"] = "largest"
    detector: Literal["hog", "yunet"] = "hog"  # of faces; see sfcl_tf.faces.finder
    boxes: str = ""  # a JSON of face boxes instead of a detector
    # Side of the crop, in sides of the face's square box.
    margin: Annotated[float, Within(1, 1.6)] = 1.3
    snap_to_grid: bool = True  # crop on the codec's 8-pixel grid
    dct_channels: Literal["ycbcr", "y"] = "ycbcr"  # "y": DCT and SIDA of luma alone
    # How often a real counts in the length of an epoch, of which half is real anyway.
    # auto: fakes to reals as found. The card may say otherwise.
    real_repeat: Annotated[int | Literal["auto"], Within(1, 10**6)] = 1
    parallel_calls: Annotated[int, Within(0, 4096)] = 0  # 0: as tf.data sees fit


@dataclasses.dataclass(frozen=True)
class AugmentConfig:
    """What is varied in training: each op's probability, and range where it has one.

    They are applied in this order, which is that of a picture's life: framing, light,
    lens, sensor, editing, codec. A value is drawn evenly from its range. All happens
    before resizing, DCT and SIDA.
    """

    jitter: float = 0.0  # the face box is moved
    # Each way, in sides of the box.
    jitter_shift: Annotated[Range, Within(-0.3, 0.3)] = (-0.08, 0.08)
    scale: float = 0.0  # the face box is made smaller or larger
    scale_factor: Annotated[Range, Within(0.5, 1.6)] = (0.9, 1.1)
    flip: float = 0.5  # mirrored left to right
    brightness: float = 0.0
    brightness_shift: Annotated[Range, Within(-255, 255)] = (-32.0, 32.0)  # grey levels
    contrast: float = 0.0
    contrast_factor: Annotated[Range, Within(0, 10)] = (0.7, 1.3)  # about the mean luma
    saturation: float = 0.0
    # About each pixel's luma.
    saturation_factor: Annotated[Range, Within(0, 10)] = (0.5, 1.5)
    blur: float = 0.0
    blur_sigma: Annotated[Range, Within(0.1, 10)] = (0.5, 2.0)  # pixels
    noise: float = 0.0
    noise_sigma: Annotated[Range, Within(0, 255)] = (1.0, 8.0)  # grey levels of 255
    grey_block: float = 0.0
    # Squares of 8x8 pixels.
    grey_block_count: Annotated[tuple[int, int], Within(1, 256)] = (1, 32)
    resize: float = 0.0  # down, and up again
    resize_factor: Annotated[Range, Within(0.1, 1)] = (0.5, 0.95)
    chroma_420: float = 0.0  # chroma at half resolution, as most video has it
    jpeg: float = 0.0
    jpeg_quality: Annotated[tuple[int, int], Within(1, 100)] = (40, 95)  # libjpeg's


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """How the weights are found."""

    epochs: Count = 20
    batch_size: Count = 20  # global, whatever the number of replicas
    learning_rate: Annotated[float, Within(0, 1e3)] = 1e-3
    schedule: Literal["constant", "cosine"] = "constant"
    warmup: Annotated[float, Within(0, 1)] = 0.0  # share of all steps
    weight_decay: Annotated[float, Within(0, 1)] = 1e-8
    # Momentum of the weights' moving average; 0 is off.
    ema: Annotated[float, Within(0, 0.999999)] = 0.0
    # Of all gradients together; 0 is off.
    clip_norm: Annotated[float, Within(0, 1e9)] = 0.0
    label_smoothing: Annotated[float, Within(0, 0.9)] = 0.0
    # The pretrained backbone's share of the learning rate.
    backbone_rate: Annotated[float, Within(0, 1e3)] = 1.0
    # Epochs at the start in which it does not learn.
    freeze_epochs: Annotated[int, Within(0, 10**9)] = 0
    sync_bn: bool = False  # batch statistics over all replicas
    # auto: mixed_bfloat16 where the GPU computes in it, else float32.
    precision: Literal["float32", "mixed_bfloat16", "auto"] = "float32"
    deterministic: bool = False  # the same bits for the same seed; slower
    seed: Annotated[int, Within(0, 2**31 - 1)] = 0
    checkpoint_steps: Count = 1000  # between checkpoints, beside those of each epoch
    histograms: bool = False  # of the weights, for TensorBoard


@dataclasses.dataclass(frozen=True)
class EvaluateConfig:
    """How it is measured."""

    batch_size: Count = 32


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """What is written for serving."""

    # Number of the SavedModel's directory.
    version: Annotated[int, Within(1, 10**18)] = 1
    verify_frames: Count = 1024  # test frames on which it is held against Keras


@dataclasses.dataclass(frozen=True)
class Config:
    """The whole configuration of a run."""

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    augment: AugmentConfig = AugmentConfig()
    train: TrainConfig = TrainConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    export: ExportConfig = ExportConfig()
