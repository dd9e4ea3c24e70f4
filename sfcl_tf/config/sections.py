"""What a configuration is made of, and its defaults."""

import dataclasses
from typing import Literal

from sfcl_tf.models.registry import BACKBONES, DETECTORS


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """What is built. The defaults are the paper's."""

    # The others are baselines; what is told of branches below is not theirs.
    name: Literal[*DETECTORS] = "sfcl_hcmf"
    preset: Literal["paper", "recommended", "tiny"] = "paper"
    image_size: int = 380
    spatial: Literal[*BACKBONES] = "efficientnet_b4"
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
    cnn_f_width: float = 1.0
    cnn_f_middle: int = 8
    faae_zero_gamma: bool = True
    hcma_tokens: Literal["spatial", "pooled"] = "spatial"
    hcma_dim: int = 1024
    hcma_heads: int = 8
    dropout: float = 0.5
    bn_momentum: float = 0.99

    @property
    def reads_sida(self) -> bool:
        """Whether SIDA's descriptor is of use to the model."""
        return "sida" in DETECTORS[self.name].reads and self.sida


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """What is read, and how."""

    dataset: str = ""  # a card's name, or a path; see sfcl_tf.catalog.cards.load_card
    methods: tuple[str, ...] = ()  # of manipulation; the card's where empty
    frames: int = 270  # per video, evenly spaced over what decodes
    faces: Literal["largest", "all", "full"] = "largest"
    boxes: str = ""  # a JSON of face boxes instead of a detector
    margin: float = 1.3  # side of the crop, in sides of the face's square box
    snap_to_grid: bool = True  # crop on the codec's 8-pixel grid
    dct_channels: Literal["ycbcr", "y"] = "ycbcr"  # "y": DCT and SIDA of luma alone
    # How often a real counts in the length of an epoch, of which half is real anyway.
    # auto: fakes to reals as found. The card may say otherwise.
    real_repeat: int | Literal["auto"] = 1
    parallel_calls: int = 0  # 0: as many as tf.data sees fit


@dataclasses.dataclass(frozen=True)
class AugmentConfig:
    """What is varied in training: each op's probability, and range where it has one.

    They are applied in this order, which is that of a picture's life: framing, light,
    lens, sensor, editing, codec. A value is drawn evenly from its range. All happens
    before resizing, DCT and SIDA.
    """

    jitter: float = 0.0  # the face box is moved
    jitter_shift: tuple[float, float] = (-0.08, 0.08)  # each way, in sides of the box
    scale: float = 0.0  # the face box is made smaller or larger
    scale_factor: tuple[float, float] = (0.9, 1.1)
    flip: float = 0.5  # mirrored left to right
    brightness: float = 0.0
    brightness_shift: tuple[float, float] = (-32.0, 32.0)  # grey levels of 255
    contrast: float = 0.0
    contrast_factor: tuple[float, float] = (0.7, 1.3)  # about the mean luma
    saturation: float = 0.0
    saturation_factor: tuple[float, float] = (0.5, 1.5)  # about each pixel's luma
    blur: float = 0.0
    blur_sigma: tuple[float, float] = (0.5, 2.0)  # pixels
    noise: float = 0.0
    noise_sigma: tuple[float, float] = (1.0, 8.0)  # grey levels of 255
    grey_block: float = 0.0
    grey_block_count: tuple[int, int] = (1, 32)  # squares of 8x8 pixels
    resize: float = 0.0  # down, and up again
    resize_factor: tuple[float, float] = (0.5, 0.95)
    chroma_420: float = 0.0  # chroma at half resolution, as most video has it
    jpeg: float = 0.0
    jpeg_quality: tuple[int, int] = (40, 95)  # libjpeg's


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """How the weights are found."""

    epochs: int = 20
    batch_size: int = 20  # global, whatever the number of replicas
    learning_rate: float = 1e-3
    schedule: Literal["constant", "cosine"] = "constant"
    warmup: float = 0.0  # share of all steps
    weight_decay: float = 1e-8
    ema: float = 0.0  # momentum of the weights' moving average; 0 is off
    clip_norm: float = 0.0  # of all gradients together; 0 is off
    label_smoothing: float = 0.0
    backbone_rate: float = 1.0  # the pretrained backbone's share of the learning rate
    freeze_epochs: int = 0  # epochs at the start in which it does not learn
    sync_bn: bool = False  # batch statistics over all replicas
    # auto: mixed_bfloat16 where the GPU computes in it, else float32.
    precision: Literal["float32", "mixed_bfloat16", "auto"] = "float32"
    deterministic: bool = False  # the same bits for the same seed; slower
    seed: int = 0
    checkpoint_steps: int = 1000  # between checkpoints, beside those of each epoch
    histograms: bool = False  # of the weights, for TensorBoard


@dataclasses.dataclass(frozen=True)
class EvaluateConfig:
    """How it is measured."""

    batch_size: int = 32


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """What is written for serving."""

    version: int = 1  # number of the SavedModel's directory
    verify_frames: int = 1024  # test frames on which it is held against Keras


@dataclasses.dataclass(frozen=True)
class Config:
    """The whole configuration of a run."""

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    augment: AugmentConfig = AugmentConfig()
    train: TrainConfig = TrainConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    export: ExportConfig = ExportConfig()
