"""The model card that travels with an export: what is known, and what is not."""

from collections.abc import Mapping
from typing import Any

from sfcl_tf import __version__
from sfcl_tf.config import Config
from sfcl_tf.evaluation import Calibration

_UNKNOWN = "not measured"
_FIGURES = {
    "auc": "AUC",
    "ap": "AP",
    "eer": "EER",
    "balanced_acc": "balanced accuracy",
    "tpr_at_fpr_5": "TPR at FPR 5 %",
}
_SEVERAL = (2, 4, 16)  # faces


def model_card(
    config: Config,
    calibration: Calibration,
    environment: Mapping[str, Any],
    results: Mapping[str, Any],
) -> str:
    """Returns the card of a trained run, as Markdown.

    The project's `docs/model-card.md` has the headings of a full one; this one has
    what the run itself knows.

    Args:
        config: The run's configuration.
        calibration: Its slope, bias and thresholds.
        environment: `env.json`, or what there is of it.
        results: `results.json` of the run's own test split, or what there is of it.
    """
    model, data, train = config.model, config.data, config.train
    parts = [n for n in ("sbcm", "sida", "faae", "hcma") if getattr(model, n)]
    packages = environment.get("packages", {})
    rows = {
        "Model": f"{model.name}, preset {model.preset}, {model.image_size} px",
        "Parts": ", ".join(parts) if model.name == "sfcl_hcmf" else "a baseline",
        "Initial weights": f"spatial {_kind(model.spatial_weights)}, frequency "
        f"{_kind(model.frequency_weights)}",
        "Trained on": environment.get("dataset", "unknown")
        + f", records {environment.get('fingerprint', 'unknown')}",
        "Frames a video": data.frames,
        "Crop": f"{data.margin:g} sides of the face's square box, "
        + ("on the 8-pixel grid" if data.snap_to_grid else "on no grid"),
        "Training": f"{train.epochs} epochs, batch {train.batch_size}, rate "
        f"{train.learning_rate:g}, seed {train.seed}",
        "Made with": f"sfcl_tf {environment.get('sfcl_tf', __version__)}, "
        f"TensorFlow {packages.get('tensorflow', 'unknown')}, Keras "
        f"{packages.get('keras', 'unknown')}",
    }
    lines = [
        "# Model card",
        "",
        "Gives P(fake) of a face crop. It is evidence, never proof: it holds for data "
        "like those below, and compression, size, light and forgeries unlike those in "
        "training all move it. Not for automatic decisions about a person.",
        "",
        *_table(("", ""), rows.items()),
        "",
        "## Score and verdict",
        "",
        *_describe_calibration(calibration),
        "",
        "## Measured",
        "",
        *_measured(results.get("summary", {})),
        "",
        "Other data sets, manipulations, and groups of people: "
        f"{_UNKNOWN}, unless the run's report says otherwise.",
    ]
    return "\n".join(lines) + "\n"


def _kind(weights):
    """Names weights without telling the path that they came from."""
    return weights if weights in ("imagenet", "none") else "from a file"


def _describe_calibration(calibration):
    if why := calibration.why:
        return [
            f"Not calibrated ({why}): the score is the sigmoid of the logit, and every "
            "verdict is *uncertain*, as nobody knows how often another would be wrong."
        ]
    prior = (
        "its prior is unknown, that of the validation frames"
        if calibration.prior is None
        else f"for a prior of {calibration.prior:g}: it is the probability of a fake "
        "where so large a share of the faces are fakes. For a share p, add log(p / (1 "
        "- p)) to its log-odds"
    )
    rows = [
        (
            level.pictures,
            f"{level.real_to:.4g}",
            *(_among(level, faces) for faces in (1, *_SEVERAL)),
            f"{level.reals or _UNKNOWN} / {level.fakes or _UNKNOWN}",
        )
        for level in calibration.levels
    ]
    several = (f"fake from, {faces} faces" for faces in _SEVERAL)
    return [
        f"score = sigmoid({calibration.slope:.4g} * logit {calibration.bias:+.4g}), "
        f"calibrated on {calibration.frames} validation frames ({calibration.date}), "
        f"{prior}. Calibration error there, raw and calibrated: "
        f"{_error(calibration, 'ece')}; with as many fakes as reals "
        f"{_error(calibration, 'balanced_ece')}.",
        "",
        "A mean over so many pictures of a face, or more, is called real up to the "
        "one threshold, fake from the other on, and uncertain in between; at most 5 % "
        "of the validation split's real and 5 % of its fake faces are called wrongly. "
        "Where several faces are judged, fake begins higher.",
        "",
        *_table(
            ("pictures", "real up to", "fake from", *several, "of real / fake"), rows
        ),
    ]


def _among(level, faces):
    start = level.fake_among(faces)
    return _UNKNOWN if start is None else f"{start:.4g}"


def _error(calibration, name):
    errors = (getattr(calibration, f"{name}_{when}") for when in ("before", "after"))
    return " -> ".join(_UNKNOWN if e is None else f"{e:.3f}" for e in errors)


def _measured(summary):
    """The test split's figures, by frame and by video, with their intervals."""
    levels = [level for level in ("frame", "video") if level in summary]
    if not levels:
        return [f"The test split: {_UNKNOWN}."]
    head = ("Test split", *(f"by {level}" for level in levels))
    counts = ("real / fake", *(_counts(summary[level]) for level in levels))
    rows = [
        (label, *(_figure(summary[level], name) for level in levels))
        for name, label in _FIGURES.items()
    ]
    return _table(head, [counts, *rows])


def _counts(figures):
    return f"{figures.get('n_real', '?')} / {figures.get('n_fake', '?')}"


def _figure(figures, name):
    value = figures.get(name)
    if value is None:
        return _UNKNOWN
    low_high = figures.get("intervals", {}).get(name)
    if not low_high or None in low_high:
        return f"{value:.4f}"
    return f"{value:.4f} ({low_high[0]:.4f} to {low_high[1]:.4f})"


def _table(head, rows):
    lines = [head, ("---",) * len(head), *rows]
    return [f"| {' | '.join(map(str, line))} |" for line in lines]
