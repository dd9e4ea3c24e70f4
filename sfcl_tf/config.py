"""The configuration: frozen, locked against typos, TOML in and out."""

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from sfcl_tf.data.region import CONTEXT
from sfcl_tf.errors import UsageError
from sfcl_tf.models.registry import BACKBONES, DETECTORS
from sfcl_tf.presets import MADE_FOR, PRESETS


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

    dataset: str = ""  # a card's name, or a path; see sfcl_tf.data.cards.load_card
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


# Keys that files of earlier versions have, and why they mean nothing any more.
RETIRED = {
    "data.shuffle_buffer": "each epoch is shuffled as a whole",
    "train.class_weight": "each batch is half real and half fake",
}

# Inclusive bounds of the numbers that have some.
_BOUNDS: dict[str, tuple[float, float]] = {
    "model.image_size": (32, 4096),
    "model.cnn_f_width": (0.01, 1),
    "model.cnn_f_middle": (0, 8),
    "model.dropout": (0, 0.99),
    "model.bn_momentum": (0, 0.9999),
    "data.frames": (1, 10**6),
    "data.margin": (1, 1.6),
    "data.real_repeat": (1, 10**6),
    "data.parallel_calls": (0, 4096),
    **{
        f"augment.{field.name}": (0, 1)
        for field in dataclasses.fields(AugmentConfig)
        if field.type is float
    },
    "augment.jitter_shift": (-0.3, 0.3),
    "augment.scale_factor": (0.5, 1.6),
    "augment.brightness_shift": (-255, 255),
    "augment.contrast_factor": (0, 10),
    "augment.saturation_factor": (0, 10),
    "augment.blur_sigma": (0.1, 10),
    "augment.noise_sigma": (0, 255),
    "augment.grey_block_count": (1, 256),
    "augment.resize_factor": (0.1, 1),
    "augment.jpeg_quality": (1, 100),
    "train.epochs": (1, 10**9),
    "train.batch_size": (1, 10**9),
    "train.learning_rate": (0, 1e3),
    "train.warmup": (0, 1),
    "train.weight_decay": (0, 1),
    "train.ema": (0, 0.999999),
    "train.clip_norm": (0, 1e9),
    "train.label_smoothing": (0, 0.9),
    "train.backbone_rate": (0, 1e3),
    "train.freeze_epochs": (0, 10**9),
    "train.seed": (0, 2**31 - 1),
    "train.checkpoint_steps": (1, 10**9),
    "evaluate.batch_size": (1, 10**9),
    "export.version": (1, 10**18),
    "export.verify_frames": (1, 10**9),
}


def load_config(
    *,
    preset: str = "paper",
    card: Mapping[str, Any] | None = None,
    file: Path | str | None = None,
    overrides: Iterable[str | tuple[str, Any]] = (),
) -> Config:
    """Merges defaults, preset, the card's values, a TOML file and overrides.

    Later ones win. A baseline (`model.name`) brings the size of image that it was
    made for, after the preset. A key that does not exist is an error.

    Args:
        preset: A key of `PRESETS`.
        card: `{"section.key": value}` that a data set's card recommends.
        file: TOML with sections as in `Config`. A preset named in it under
            `model.preset` is applied first.
        overrides: `"section.key=value"` strings, or pairs with a typed value.

    Raises:
        UsageError: For an unknown preset, section or key, a value of the wrong
            type, or a file that is missing or not TOML.

    Example:
        >>> load_config(preset="tiny", overrides=["train.epochs=3"]).train.epochs
        3
    """
    sections = _read_toml(file) if file else {}
    sections.pop("search", None)  # read by sfcl_tf.tuning.space
    loaded = _flatten(sections)
    preset = loaded.get("model.preset", preset)
    if preset not in PRESETS:
        raise UsageError(
            f"Expected a preset of {', '.join(PRESETS)}. Received: {preset!r}."
        )
    given = loaded | dict(map(_pair, overrides))
    made_for = MADE_FOR.get(given.get("model.name"), {}).get(preset, {})
    return _from_flat({**PRESETS[preset], **made_for, **(card or {}), **given})


def read_config(path: Path | str) -> Config:
    """Reads the merged `config.toml` of a run."""
    return _from_flat(_flatten(_read_toml(path)))


def override(config: Config, overrides: Iterable[str | tuple[str, Any]]) -> Config:
    """Returns a configuration with some values changed, as `--set` gives them."""
    values = _flatten(dataclasses.asdict(config))
    return _from_flat(values | dict(map(_pair, overrides)))


def to_toml(config: Config) -> str:
    """Returns the configuration as TOML; `load_config(file=...)` reads it back."""
    import tomli_w

    return tomli_w.dumps(dataclasses.asdict(config))


def _read_toml(path) -> dict:
    path = Path(path)
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(
            f"Expected a readable TOML file. Received: {path} ({error.strerror})."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"Expected TOML in {path}. Received: {error}.") from error


def _flatten(sections: Mapping[str, Any]) -> dict[str, Any]:
    flat = {}
    for section, entries in sections.items():
        if not isinstance(entries, Mapping):
            raise UsageError(
                f"Expected `{section}` in a section such as [train]. Received it "
                "at the top of the file."
            )
        flat |= {f"{section}.{key}": value for key, value in entries.items()}
    return {key: value for key, value in flat.items() if key not in RETIRED}


def _pair(override: str | tuple[str, Any]) -> tuple[str, Any]:
    if not isinstance(override, str):
        return override
    key, separator, text = override.partition("=")
    if not separator:
        raise UsageError(f"Expected `--set section.key=value`. Received: {override!r}.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    return key.strip(), value


def _from_flat(values: Mapping[str, Any]) -> Config:
    known = {
        f"{section.name}.{field.name}": hint
        for section in dataclasses.fields(Config)
        for field, hint in _typed_fields(section.type)
    }
    sections: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        if key in RETIRED:
            raise UsageError(
                f"Expected no {key}: {RETIRED[key]}. Received: {value!r}. Leave it out."
            )
        if key not in known:
            close = difflib.get_close_matches(key, known, n=3, cutoff=0.5)
            hint = f" Did you mean {' or '.join(close)}?" if close else ""
            raise UsageError(
                f"Expected a key such as train.epochs. Received: {key!r}, which does "
                f"not exist.{hint}"
            )
        section, name = key.split(".", 1)
        value = _coerce(key, value, known[key])
        _check_bounds(key, value)
        sections.setdefault(section, {})[name] = value
    config = Config(
        **{
            section.name: section.type(**sections.get(section.name, {}))
            for section in dataclasses.fields(Config)
        }
    )
    _check_model(config.model)
    _check_augment(config.augment, config.data.margin)
    return config


def _check_bounds(key: str, value: Any) -> None:
    if key not in _BOUNDS or isinstance(value, str):
        return
    low, high = _BOUNDS[key]
    values = value if isinstance(value, tuple) else (value,)
    if not all(low <= item <= high for item in values):
        raise UsageError(f"Expected {key} in {low:g}..{high:g}. Received: {value}.")


def _check_model(model: ModelConfig) -> None:
    """Tells what would otherwise fail when the model is built, hours later."""
    only = DETECTORS[model.name].only_size
    if only and model.image_size != only:
        raise UsageError(
            f"Expected model.image_size={only} for {model.name}, which fits no other. "
            f"Received: {model.image_size}."
        )
    if model.hcma_dim < 1 or model.hcma_heads < 1 or model.hcma_dim % model.hcma_heads:
        raise UsageError(
            "Expected model.hcma_heads to divide model.hcma_dim. Received: "
            f"{model.hcma_heads} and {model.hcma_dim}."
        )
    stages = (model.sbcm_filters, model.sbcm_kernels, model.sbcm_strides)
    if (
        len({len(stage) for stage in stages}) > 1
        or min(min(stage, default=0) for stage in stages) < 1
    ):
        raise UsageError(
            "Expected model.sbcm_filters, .sbcm_kernels and .sbcm_strides of one "
            f"length and positive. Received: {', '.join(map(str, stages))}."
        )


def _check_augment(augment: AugmentConfig, margin: float) -> None:
    """Tells of ranges that are empty, or larger than what records store."""
    for name, value in dataclasses.asdict(augment).items():
        if isinstance(value, tuple) and value[0] > value[1]:
            raise UsageError(
                f"Expected augment.{name} as [low, high]. Received: {list(value)}. "
                "Swap the two."
            )
    shift = max(map(abs, augment.jitter_shift)) if augment.jitter else 0.0
    factor = max(1.0, augment.scale_factor[1]) if augment.scale else 1.0
    if shift == 0 and factor == 1:
        return
    side = margin * factor + 2 * shift
    if side > CONTEXT + 1e-6:
        raise UsageError(
            f"Expected jitter and scale within the {CONTEXT:g} sides of the face box "
            "that records store. Received: data.margin x augment.scale_factor + 2 x "
            f"augment.jitter_shift = {margin:g} x {factor:g} + 2 x {shift:g} = "
            f"{side:g}. Narrow the ranges, or lower data.margin."
        )


def _typed_fields(section):
    hints = typing.get_type_hints(section)
    return [(field, hints[field.name]) for field in dataclasses.fields(section)]


def _coerce(key: str, value: Any, hint: Any) -> Any:
    """Returns the value in the field's type, or tells which types it may have."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal and value in args:
        return value
    if origin in (typing.Union, types.UnionType):
        for option in args:
            try:
                return _coerce(key, value, option)
            except UsageError:
                continue
    if origin is tuple and isinstance(value, list | tuple):
        if args[-1] is Ellipsis:
            return tuple(_coerce(key, item, args[0]) for item in value)
        if len(value) == len(args):
            return tuple(map(_coerce, [key] * len(args), value, args))
    if hint is float and type(value) in (int, float):
        return float(value)
    if hint in (int, bool, str) and type(value) is hint:
        return value
    raise UsageError(f"Expected {key} to be {_describe(hint)}. Received: {value!r}.")


def _describe(hint) -> str:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return " or ".join(repr(arg) for arg in args)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_describe(arg) for arg in args)
    if origin is tuple and args[-1] is Ellipsis:
        return f"a list of {_describe(args[0])}"
    if origin is tuple:
        return f"a list [low, high], each {_describe(args[0])}"
    return {int: "an integer", float: "a number", bool: "true or false"}.get(
        hint, "a string"
    )
