"""Which values of a configuration are possible, alone and together."""

import dataclasses
from typing import Any

from sfcl_tf.config.sections import AugmentConfig, ModelConfig, Within
from sfcl_tf.models.registry import DETECTORS
from sfcl_tf.system.errors import UsageError

CONTEXT = 1.6
"""Side of the region that records store, in sides of the face's square box."""


def check_bounds(key: str, value: Any, within: Within) -> None:
    """Raises where a number, or one of a list, is out of its bounds.

    Raises:
        UsageError: It tells them.
    """
    low, high = within
    values = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(item, str) or low <= item <= high for item in values):
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
    """Tells of what is no probability, and of ranges that are empty or too wide."""
    for name, value in dataclasses.asdict(augment).items():
        if isinstance(value, float):
            check_bounds(f"augment.{name}", value, Within(0, 1))
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
