"""Scoring a split, and writing down what came out."""

import json
from pathlib import Path

import numpy as np

from sfcl_tf.evaluation import plots, plots_groups
from sfcl_tf.evaluation.baseline import BASELINE, baseline_predictions, find_baseline
from sfcl_tf.evaluation.calibrate import Calibration, judge
from sfcl_tf.evaluation.compare import compare
from sfcl_tf.evaluation.predictions import Predictions
from sfcl_tf.evaluation.predictor import Predictor
from sfcl_tf.evaluation.summary import summarize, write_results
from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.runs import files
from sfcl_tf.runs.schemas import RESULTS
from sfcl_tf.runs.selection import Selection, log_evaluation

_EXAMPLES = 6
# Of the run, not of its scores: what `train` and `export` found out.
_FACTS = ("selected_epoch", "selection", "trained_epochs", "export")


def evaluate(
    predictor: Predictor,
    pipeline: InputPipeline,
    run_dir: Path,
    *,
    split: str = "test",
    facts: dict | None = None,
    history: list[dict] | None = None,
    on_batch=None,
) -> tuple[Predictions, dict]:
    """Scores a split once, and writes predictions, figures and plots.

    What is written is named by what is scored, and nothing else is touched: see
    `score` and `write_figures`.

    Args:
        predictor: The model's forward pass.
        pipeline: The data.
        run_dir: The run directory.
        split: Which split.
        facts: How the weights were chosen, for `results.json`.
        history: Rows of `metrics.jsonl`, for the training curves.
        on_batch: Called with the number of frames scored so far.

    Returns:
        The predictions, and what the results file holds.
    """
    predictions = score(predictor, pipeline, run_dir, split, on_batch)
    results = write_figures(
        predictions, pipeline, run_dir, split, facts=facts, history=history
    )
    return predictions, results


def score(
    predictor: Predictor,
    pipeline: InputPipeline,
    run_dir: Path,
    split: str,
    on_batch=None,
) -> Predictions:
    """Scores a split, writes `predictions_<name>.csv` and notes it.

    `<name>` is `Selection.name`: the split alone for the whole of the run's own data.
    """
    manifest = pipeline.manifest
    predictions = predictor.predictions(
        pipeline.evaluation(split), name=manifest.card, split=split, on_batch=on_batch
    )
    name = result_name(pipeline, split)
    predictions.write_csv(run_dir / files.predictions(name))
    log_evaluation(run_dir, name, selection_of(pipeline, split), manifest)
    return predictions


def write_figures(
    predictions: Predictions,
    pipeline: InputPipeline,
    run_dir: Path,
    split: str,
    *,
    facts: dict | None = None,
    history: list[dict] | None = None,
) -> dict:
    """Writes what predictions of a split are worth, in figures and plots.

    `results_<name>.json` and `plots_<name>/` are written; for the whole of the run's
    own test split `results.json` and `plots/` instead, which keeps what it says of the
    chosen epoch and the export. Verdicts are by the run's calibration as it is.

    Args:
        predictions: As `score` gives them.
        pipeline: Their data.
        run_dir: The run directory.
        split: Their split.
        facts: How the weights were chosen.
        history: Rows of `metrics.jsonl`; drawn beside the run's own test split.

    Returns:
        What the results file holds.
    """
    manifest = pipeline.manifest
    name = result_name(pipeline, split)
    own_test = name == files.OWN_TEST
    path = run_dir / files.results(name)
    results = {
        "dataset": manifest.card,
        "split": split,
        "data": selection_of(pipeline, split).facts(),
        **(_facts(path) if own_test else {}),
        **(facts or {}),
        **describe(predictions, Calibration.read(run_dir)),
        "coverage": manifest.coverage(split),
    }
    if baseline := find_baseline(run_dir, pipeline):
        results["baseline"] = {"run": baseline.run.name, "model": BASELINE}
        if baseline.differences:
            results["baseline"]["differences"] = list(baseline.differences)
        else:
            theirs = baseline_predictions(baseline.run, run_dir, pipeline, split, name)
            results["baseline"] |= compare(predictions, theirs)
    write_results(path, results)
    draw(
        predictions,
        results,
        (history or []) if own_test else [],
        run_dir / files.plots(name),
        _examples(predictions, pipeline),
    )
    return results


def _facts(path):
    """What `results.json` says of the run, whatever scores it tells of."""
    if not path.is_file():
        return {}
    earlier = RESULTS.read(path)
    return {key: earlier[key] for key in _FACTS if key in earlier}


def describe(predictions: Predictions, calibration: Calibration) -> dict:
    """Returns the figures of predictions, raw and calibrated, ready for JSON."""
    return {
        "summary": summarize(predictions),
        "calibration": json.loads(calibration.to_json()),
        "verdicts": judge(predictions, calibration),
    }


def result_name(pipeline: InputPipeline, split: str) -> str:
    """Returns what the files of a split's scores are called; see `Selection.name`."""
    manifest = pipeline.manifest
    own = Selection.own(pipeline.config.data, manifest, split)
    return selection_of(pipeline, split).name(own)


def selection_of(pipeline: InputPipeline, split: str) -> Selection:
    """Returns what scoring a pipeline's split scores."""
    return Selection.of(
        pipeline.manifest, split, tuple(map(str, pipeline.degradations))
    )


def draw(predictions, results, history, folder: Path, examples=()) -> None:
    """Draws what results can show into a folder, as PNG and SVG."""
    folder.mkdir(exist_ok=True)
    summary = results["summary"]
    calibration = Calibration.from_dict(results["calibration"])
    figures = {
        "roc": plots.plot_roc(predictions, summary),
        "scores": plots.plot_scores(predictions),
        "confusion": plots.plot_confusion(predictions),
        "reliability": plots_groups.plot_reliability(predictions, calibration),
        "groups": plots_groups.plot_groups(summary),
    }
    if examples:
        figures["examples"] = plots.plot_examples(examples)
        figures["overview"] = plots.overview(predictions, history, examples)
    if history:
        figures["training"] = plots.plot_training(history)
    for name, figure in figures.items():
        plots.save(figure, folder / name)


def _examples(predictions: Predictions, pipeline: InputPipeline):
    """Picks, of each method, the frame of median score: neither best nor worst."""
    chosen = {}
    for method in sorted(set(predictions.method.tolist()), key=_real_first):
        rows = np.flatnonzero(predictions.method == method)
        order = rows[np.argsort(predictions.score[rows], kind="stable")]
        chosen[int(order[len(order) // 2])] = method
    chosen = dict(list(chosen.items())[:_EXAMPLES])
    crops = {}
    for row, (crop, _, _) in enumerate(pipeline.crops(predictions.split[0])):
        if row in chosen:
            crops[row] = crop.numpy()
        if len(crops) == len(chosen):
            break
    return [
        plots.Example(
            crops[row],
            method,
            int(predictions.label[row]),
            float(predictions.score[row]),
        )
        for row, method in chosen.items()
    ]


def _real_first(method):
    return method != "real", method
