"""Presets: what differs from the defaults of `sfcl_tf.config`, by key."""

from typing import Any

from sfcl_tf.models.registry import DETECTORS

# Expected cost: `paper` 50 M parameters; `tiny` 5 M, minutes on two CPU cores.
PRESETS: dict[str, dict[str, Any]] = {
    "paper": {"model.preset": "paper"},
    "recommended": {
        "model.preset": "recommended",
        "model.frequency_weights": "auto",
        "data.frames": 32,  # more frames of a video tell little more
        "train.learning_rate": 2e-4,
        "train.schedule": "cosine",
        "train.warmup": 0.05,
        "train.ema": 0.999,
        "train.clip_norm": 1.0,
        "train.precision": "auto",
        "train.sync_bn": True,  # a GPU's share of 20 is few to take statistics of
        # Reasoned, not yet measured. What tells a fake is faint: 3 crops in 10 get
        # no blur, noise, resize, chroma or JPEG at all, and keep the codec's own
        # traces. Grey blocks stay a test of robustness that training has not seen.
        "augment.jitter": 0.5,  # detectors frame a face this differently
        "augment.scale": 0.5,
        "augment.brightness": 0.2,
        "augment.brightness_shift": (-20.0, 20.0),
        "augment.contrast": 0.2,
        "augment.contrast_factor": (0.8, 1.2),
        "augment.saturation": 0.2,
        "augment.saturation_factor": (0.8, 1.2),
        "augment.blur": 0.1,
        "augment.blur_sigma": (0.5, 1.5),  # soft focus
        "augment.noise": 0.1,
        "augment.noise_sigma": (1.0, 5.0),  # a phone indoors
        "augment.resize": 0.3,  # 1080p shared at 720p, or at 540p
        "augment.resize_factor": (0.5, 0.95),
        "augment.chroma_420": 0.2,  # pictures are often 4:4:4, video is not
        "augment.jpeg": 0.3,
        "augment.jpeg_quality": (60, 95),  # what sites and messengers use
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

MADE_FOR: dict[str, dict[str, dict[str, Any]]] = {
    name: {preset: detector.made_for(preset) for preset in PRESETS}
    for name, detector in DETECTORS.items()
}
"""What a model was made for, by model and preset."""
