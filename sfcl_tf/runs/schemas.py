"""What the JSON files of a run may hold, a schema each.

What is not named may be anything: files of other versions have more, or less.
"""

from typing import Any

from sfcl_tf.system.errors import ModelError
from sfcl_tf.system.json_files import JsonFile

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_OBJECT = {"type": "object"}
_FLOAT = {"type": "number", "minimum": -1e300, "maximum": 1e300}
_NUMBER = _FLOAT | {"type": ["number", "null"]}
_COUNT = {"type": "integer", "minimum": 0, "maximum": 10**15}
_SHARE = _NUMBER | {"minimum": 0, "maximum": 1}
_BOTH = {"type": "array", "items": _FLOAT, "minItems": 2, "maxItems": 2}


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def _objects(values: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values}


_FIGURES = _object(
    dict.fromkeys(("n", "n_real", "n_fake", "videos_real", "videos_fake"), _COUNT)
    | dict.fromkeys(("auc", "ap", "eer", "acc", "balanced_acc"), _SHARE)
    | dict.fromkeys(("ece", "balanced_ece", "tpr_at_fpr_1", "tpr_at_fpr_5"), _SHARE)
    | {"log_loss": _NUMBER}
    | {"intervals": _objects(_BOTH)}
)
_LEVELS = _object({"frame": _FIGURES, "video": _FIGURES})
_GROUPS = ("methods", "compressions", "resolutions", "face_sizes")
_SUMMARY = _object(
    {"frame": _FIGURES, "video": _FIGURES} | dict.fromkeys(_GROUPS, _objects(_LEVELS))
)

_DIFFERENCE = {
    "one": _NUMBER,
    "two": _NUMBER,
    "difference": _NUMBER,
    "interval": _BOTH | {"type": ["array", "null"]},
}
_THRESHOLDS = _object(
    {
        "real_to": _FLOAT,
        "fake_from": _FLOAT,
        "pictures": _COUNT,
        "among": {"type": "array", "items": _BOTH},
    }
)
_CALIBRATION = _object(
    {
        "slope": _FLOAT,
        "temperature": _FLOAT,
        "bias": _FLOAT,
        "real_to": _FLOAT,
        "fake_from": _FLOAT,
        "levels": {"type": "array", "items": _THRESHOLDS},
        "calibrated": {"type": "boolean"},
        "reason": _TEXT,
        "prior": _NUMBER,
        "date": _TEXT,
    }
)
_BOTH_LEVELS = ("frame", "video")
_SHARES = _object(
    dict.fromkeys(("uncertain", "error", "ece", "balanced_ece"), _NUMBER)
    | dict.fromkeys(("reals_called_fake", "fakes_called_real"), _NUMBER)
) | {"dependentRequired": {"reals_called_fake": ["fakes_called_real"]}}
_BASELINE = {
    **_object(
        {
            "run": _TEXT,
            "model": _TEXT,
            "n": _COUNT,
            "differences": _TEXTS,
            "frame": _object(_DIFFERENCE, *_DIFFERENCE),
            "video": _object(_DIFFERENCE, *_DIFFERENCE),
        },
        "run",
        "model",
    ),
    "if": {"required": ["differences"]},
    "else": {"required": ["n", "frame", "video"]},
}

RESULTS = JsonFile(
    "the figures of a run",
    _object(
        {
            "summary": _SUMMARY,
            "dataset": _TEXT,
            "split": _TEXT,
            "selected_epoch": _COUNT,
            "selection": _TEXT,
            "trained_epochs": _COUNT,
            "calibration": _CALIBRATION,
            "verdicts": _object(dict.fromkeys(_BOTH_LEVELS, _SHARES), *_BOTH_LEVELS),
            "data": _object({"title": _TEXT}),
            "coverage": _object(
                {
                    "videos": _COUNT,
                    "frames_wanted": _COUNT,
                    "frames_with_face": _COUNT,
                    "without_records": {"type": ["object", "array"]},
                }
            ),
            "export": _object(
                {"path": _TEXT, "max_abs_difference": _NUMBER, "frames": _COUNT}
            ),
            "baseline": _BASELINE,
        }
    ),
    "Remove it, and write it anew by `sfcl evaluate RUN`.",
    finite=False,
)

HISTORY = JsonFile(
    "the figures of an epoch",
    {
        "type": "object",
        "properties": {"epoch": _COUNT | {"minimum": 1}},
        "required": ["epoch"],
        "additionalProperties": _NUMBER,
    },
    "Repair or remove that line: the model does not depend on it.",
)

ENVIRONMENT = JsonFile(
    "the versions and data of a run",
    _object(
        {
            "run_format": {"type": "integer"},
            "sfcl_tf": _TEXT,
            "dataset": _TEXT,
            "fingerprint": _TEXT,
            "records": _objects(_TEXT),
            "data_errors": _TEXTS,
            "resumed": {"type": "array", "items": _OBJECT},
            "packages": _objects(_TEXT),
        }
    ),
    "Remove it: what the run was made with is not told then.",
    ModelError,
)

_PROGRESS = {
    "step": _COUNT,
    "epoch": _COUNT,
    "best_epoch": _COUNT,
    "best_auc": _NUMBER,
    "best_loss": _NUMBER,
}

STATE = JsonFile(
    "the state of a training",
    _object(
        {
            "name": {"type": "string", "pattern": r"^step-\d{8,}$"},
            "progress": _object(_PROGRESS, *_PROGRESS)
            | {"additionalProperties": False},
            "config": _object({"train.epochs": _COUNT}),
        },
        "name",
        "progress",
        "config",
    ),
    "Start the run anew under another --name.",
    ModelError,
)

_QUALITY = ("size", "sharpness", "brightness", "detail")
_CURVES = {"type": "array", "items": {"type": "array", "items": _FLOAT}}
_REFERENCE = {
    "faces": _COUNT,
    "videos": {"type": "array", "items": _COUNT, "minItems": 2, "maxItems": 2},
    "low": _objects(_FLOAT) | {"required": list(_QUALITY)},
    "high": _objects(_FLOAT) | {"required": list(_QUALITY)},
    "crf": _NUMBER,
    "mean": _CURVES,
    "error": _CURVES,
}

REFERENCE = JsonFile(
    "what training faces look like",
    _object(_REFERENCE, *_REFERENCE),
    "Remove it, and run `sfcl calibrate RUN` to write it anew.",
    ModelError,
)

CALIBRATION = JsonFile(
    "a calibration",
    _CALIBRATION,
    "Remove it, and run `sfcl calibrate RUN` to write it anew.",
    ModelError,
    finite=False,  # told with the field's name, where they are
)

ENGINE = JsonFile(
    "what `sfcl export` made",
    _object(
        {"precision": {"enum": ["float32", "bf16", "int8"]}, "model_sha256": _TEXT},
        "precision",
    ),
    "Export the engine anew.",
    ModelError,
)

EVALUATION = JsonFile(
    "what was looked at",
    _object(
        {
            "name": _TEXT,
            "dataset": _TEXT,
            "split": _TEXT,
            "frames": _COUNT,
            "records": _TEXT,
            "run": _TEXT,
        },
        "dataset",
        "split",
        "frames",
        "records",
    ),
    "Remove that line.",
)
