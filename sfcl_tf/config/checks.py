"""Which values of a configuration are possible, alone and together."""

import dataclasses
from typing import Any

from sfcl_tf.config.sections import AugmentConfig, ModelConfig
from sfcl_tf.models.registry import DETECTORS
from sfcl_tf.system.errors import UsageError

CONTEXT = 1.6
"""Side of the region that records store, in sides of the face's square box."""

# Inclusive bounds of the numbers that have some.
BOUNDS: dict[str, tuple[float, float]] = {
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


def check_bounds(key: str, value: Any) -> None:
    """Raises where a number is out of its bounds.

    Raises:
        UsageError: It tells them.
    """
    if key not in BOUNDS or isinstance(value, str):
        return
    low, high = BOUNDS[key]
    values = value if isinstance(value, tuple) else (value,)
    if not all(low <= item <= high for item in values):
        raise UsageError(f"Expected {key} in {low:g}..{high:g}. Received: {value}.")


def check_model(model: ModelConfig) -> None:
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


def check_augment(augment: AugmentConfig, margin: float) -> None:
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
