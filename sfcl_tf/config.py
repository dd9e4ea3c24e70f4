"""The configuration: frozen, locked against typos, TOML in and out."""

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from sfcl_tf.errors import UsageError


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """What is built. The defaults are the paper's."""

    name: Literal["sfcl_hcmf"] = "sfcl_hcmf"
    preset: Literal["paper", "recommended", "tiny"] = "paper"
    image_size: int = 380
    spatial: Literal["efficientnet_b4", "efficientnet_b0"] = "efficientnet_b4"
    spatial_weights: str = "imagenet"  # or "none", or a path
    frequency_weights: str = "none"  # or "imagenet", or a path
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
    real_repeat: int | Literal["auto"] = 1  # the card may say otherwise
    shuffle_buffer: int = 1024  # examples
    parallel_calls: int = 0  # 0: as many as tf.data sees fit


@dataclasses.dataclass(frozen=True)
class AugmentConfig:
    """What is varied in training."""

    flip: float = 0.5  # probability of a horizontal flip


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
    clip_norm: float = 0.0  # 0 is off
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    seed: int = 0


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


# Expected cost: `paper` 50 M parameters; `tiny` 5 M, minutes on two CPU cores.
PRESETS: dict[str, dict[str, Any]] = {
    "paper": {"model.preset": "paper"},
    "recommended": {
        "model.preset": "recommended",
        "train.learning_rate": 2e-4,
        "train.schedule": "cosine",
        "train.warmup": 0.05,
        "train.ema": 0.999,
        "train.clip_norm": 1.0,
    },
    "tiny": {
        "model.preset": "tiny",
        "model.image_size": 128,
        "model.spatial": "efficientnet_b0",
        "model.spatial_weights": "none",
        "model.cnn_f_width": 0.125,
        "model.cnn_f_middle": 2,
        "model.hcma_dim": 128,
        # A short run must be evaluated on the statistics it has seen.
        "model.bn_momentum": 0.9,
        "model.dropout": 0.2,
        "train.batch_size": 16,
        "train.schedule": "cosine",
        "train.warmup": 0.05,
    },
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
    "data.shuffle_buffer": (1, 10**9),
    "data.parallel_calls": (0, 4096),
    "augment.flip": (0, 1),
    "train.epochs": (1, 10**9),
    "train.batch_size": (1, 10**9),
    "train.learning_rate": (0, 1e3),
    "train.warmup": (0, 1),
    "train.weight_decay": (0, 1),
    "train.ema": (0, 0.999999),
    "train.clip_norm": (0, 1e9),
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

    Later ones win. A key that does not exist is an error.

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
    loaded = _flatten(_read_toml(file)) if file else {}
    preset = loaded.get("model.preset", preset)
    if preset not in PRESETS:
        raise UsageError(
            f"Expected a preset of {', '.join(PRESETS)}. Received: {preset!r}."
        )
    values: dict[str, Any] = {**PRESETS[preset], **(card or {}), **loaded}
    for override in overrides:
        key, value = _split(override) if isinstance(override, str) else override
        values[key] = value
    return _from_flat(values)


def read_config(path: Path | str) -> Config:
    """Reads the merged `config.toml` of a run."""
    return _from_flat(_flatten(_read_toml(path)))


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
    return flat


def _split(override: str) -> tuple[str, Any]:
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
        if key not in known:
            close = difflib.get_close_matches(key, known, n=3, cutoff=0.5)
            hint = f" Did you mean {' or '.join(close)}?" if close else ""
            raise UsageError(
                f"Expected a key such as train.epochs. Received: {key!r}, which does "
                f"not exist.{hint}"
            )
        section, name = key.split(".", 1)
        value = _coerce(key, value, known[key])
        low, high = _BOUNDS.get(key, (value, value))
        if isinstance(value, int | float) and not low <= value <= high:
            raise UsageError(f"Expected {key} in {low:g}..{high:g}. Received: {value}.")
        sections.setdefault(section, {})[name] = value
    config = Config(
        **{
            section.name: section.type(**sections.get(section.name, {}))
            for section in dataclasses.fields(Config)
        }
    )
    _check_model(config.model)
    return config


def _check_model(model: ModelConfig) -> None:
    """Tells what would otherwise fail when the model is built, hours later."""
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
        return tuple(_coerce(key, item, args[0]) for item in value)
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
    if origin is tuple:
        return f"a list of {_describe(args[0])}"
    return {int: "an integer", float: "a number", bool: "true or false"}.get(
        hint, "a string"
    )
