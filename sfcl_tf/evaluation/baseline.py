"""The EfficientNet-B4 that a result is to be read beside, where there is one."""

import dataclasses
from pathlib import Path
from typing import Any

from sfcl_tf.config import Config, load_config, read_config
from sfcl_tf.config.presets import MADE_FOR
from sfcl_tf.evaluation.predictions import Predictions
from sfcl_tf.evaluation.predictor import Predictor
from sfcl_tf.evaluation.stored import stored
from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.runs import files
from sfcl_tf.runs.format import read_environment
from sfcl_tf.runs.selection import Selection, log_evaluation
from sfcl_tf.system.errors import SfclError

BASELINE = "efficientnet_b4"

# Which records there are is compared by their digests; B4 reads no DCT. The others
# change the order, the speed or the noise of a training, not the experiment.
_ANOTHER_MATTER = {
    "data": "dataset methods frames faces boxes detector dct_channels parallel_calls",
    "augment": "",
    "train": "seed deterministic precision checkpoint_steps histograms",
}
_OF_MODEL = ("image_size", "spatial_weights")


@dataclasses.dataclass(frozen=True)
class Baseline:
    """A finished run of the baseline on the same training records.

    Attributes:
        run: Its directory.
        differences: Where its training differs, such as `train.epochs 1 instead of
            20`; empty if the two are to be compared.
    """

    run: Path
    differences: tuple[str, ...]


def find_baseline(run_dir: Path, pipeline: InputPipeline) -> Baseline | None:
    """Returns the baseline trained as a run was, or the one that comes closest.

    It lies beside `run_dir`, was trained on the same records (by `env.json`), and
    is another model than the run's own. Of those without differences it is the
    newest; where each has some, the one with the fewest.
    """
    if pipeline.config.model.name == BASELINE or not (records := _records(run_dir)):
        return None
    candidates = []
    for path in Path(run_dir).resolve().parent.glob("*/model.keras"):
        config = _baseline_config(path.parent)
        if config and _records(path.parent) == records:
            differences = _differences(pipeline.config, config)
            candidates.append(
                (-len(differences), path.stat().st_mtime, path, differences)
            )
    if not candidates:
        return None
    *_, path, differences = max(candidates)
    return Baseline(path.parent, differences)


def baseline_predictions(
    baseline: Path, run_dir: Path, pipeline: InputPipeline, split: str, name: str
) -> Predictions:
    """Returns the baseline's scores of a split, its own if it has been evaluated.

    Otherwise it is scored, and `predictions_<name>_<baseline>.csv` is written into
    `run_dir`.
    """
    manifest, config = pipeline.manifest, read_config(baseline / files.CONFIG)
    selection = Selection.of(manifest, split, tuple(map(str, pipeline.degradations)))
    its_name = selection.name(Selection.own(config.data, manifest, split))
    beside = f"{name}_{BASELINE}"
    for scores in (
        stored(baseline, its_name, manifest, split, data=config.data),
        stored(run_dir, beside, manifest, split, run=baseline.name),
    ):
        if scores is not None:
            return scores
    from sfcl_tf.models import load_model

    predictions = Predictor(load_model(baseline)).predictions(
        InputPipeline(manifest, config, pipeline.degradations).evaluation(split),
        name=manifest.card,
        split=split,
    )
    predictions.write_csv(run_dir / files.predictions(beside))
    log_evaluation(run_dir, beside, selection, manifest, run=baseline.name)
    return predictions


def _differences(own: Config, other: Config) -> tuple[str, ...]:
    """Names what would make two trainings two experiments."""
    wanted = _compared(own) | _of_preset(own)
    actual = _compared(other)
    return tuple(
        f"{key} {_format_value(actual[key])} instead of {_format_value(value)}"
        for key, value in wanted.items()
        if actual[key] != value
    )


def _compared(config: Config) -> dict[str, Any]:
    model = {f"model.{key}": getattr(config.model, key) for key in _OF_MODEL}
    return model | {
        f"{section}.{key}": value
        for section, others in _ANOTHER_MATTER.items()
        for key, value in dataclasses.asdict(getattr(config, section)).items()
        if key not in others.split()
    }


def _of_preset(own: Config) -> dict[str, Any]:
    """What the baseline has of its preset where the run's model was made for less.

    Xception takes 299 pixels where B4 takes 380: both are as their preset wants.
    """
    made_for = MADE_FOR.get(own.model.name, {}).get(own.model.preset, {})
    preset = _compared(load_config(preset=own.model.preset))
    return {
        key: preset[key]
        for key, value in made_for.items()
        if _compared(own)[key] == value
    }


def _format_value(value) -> str:
    return str(list(value) if isinstance(value, tuple) else value)


def _baseline_config(run_dir):
    try:
        config = read_config(run_dir / files.CONFIG)
    except SfclError:
        return None
    return config if config.model.name == BASELINE else None


def _records(run_dir):
    values = read_environment(run_dir)
    identity = [values.get(key) for key in ("dataset", "fingerprint", "records")]
    return identity if all(identity) else None
