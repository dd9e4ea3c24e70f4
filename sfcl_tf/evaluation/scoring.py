"""Scoring a split, and writing down what came out."""

import dataclasses
import json
import time
from pathlib import Path

import numpy as np

from sfcl_tf.data.cards import card_name, card_names
from sfcl_tf.data.pipeline import InputPipeline
from sfcl_tf.evaluation import plots, plots_groups
from sfcl_tf.evaluation.baseline import (
    BASELINE,
    baseline_predictions,
    find_baseline,
)
from sfcl_tf.evaluation.calibrate import Calibration, calibrate, judge
from sfcl_tf.evaluation.compare import compare
from sfcl_tf.evaluation.predictions import Predictions
from sfcl_tf.evaluation.predictor import Predictor
from sfcl_tf.evaluation.summary import summarize, write_results

_EXAMPLES = 6


def evaluate(
    predictor: Predictor,
    pipeline: InputPipeline,
    run_dir: Path,
    *,
    split: str = "test",
    selection: dict | None = None,
    history: list[dict] | None = None,
    drawn: bool = True,
    on_batch=None,
) -> tuple[Predictions, dict]:
    """Scores a split once, and writes predictions, figures and plots.

    `predictions_<name>.csv`, `results_<name>.json` and `plots_<name>/` are written.
    `<name>` is the split for the data the run was trained on, else data set, split
    and frames per video. The run's own test split gives `results.json` and `plots/`
    instead. The run's validation split calibrates it: `calibration.json`. Every call
    is noted in `evaluations.jsonl`.

    Args:
        predictor: The model's forward pass.
        pipeline: The data.
        run_dir: The run directory.
        split: Which split.
        selection: How the weights were chosen, for `results.json`.
        history: Rows of `metrics.jsonl`, for the training curves.
        drawn: Whether to draw plots.
        on_batch: Called with the number of frames scored so far.

    Returns:
        The predictions, and what `results.json` holds.
    """
    card = pipeline.manifest.card
    name = result_name(pipeline, split)
    own = name == split
    note_evaluation(run_dir, pipeline, split)
    predictions = predictor.predictions(
        pipeline.evaluation(split), name=card, split=split, on_batch=on_batch
    )
    predictions.write_csv(run_dir / f"predictions_{name}.csv")
    if own and split == "val":
        calibrate(predictions).write(run_dir)
    results = {
        "dataset": card,
        "split": split,
        **(selection or {}),
        **describe(predictions, Calibration.read(run_dir)),
        "coverage": pipeline.manifest.coverage(split),
    }
    baseline = find_baseline(run_dir, pipeline)
    if baseline:
        theirs = baseline_predictions(baseline, run_dir, pipeline, split, name)
        results["baseline"] = {
            "run": baseline.name,
            "model": BASELINE,
            **compare(predictions, theirs),
        }
    test = own and split == "test"
    write_results(
        run_dir / ("results.json" if test else f"results_{name}.json"), results
    )
    folder = run_dir / ("plots" if test else f"plots_{name}")
    draw(predictions, results, history or [], folder, _examples(predictions, pipeline))
    return predictions, results


def describe(predictions: Predictions, calibration: Calibration) -> dict:
    """Returns the figures of predictions, raw and calibrated, ready for JSON."""
    return {
        "summary": summarize(predictions),
        "calibration": dataclasses.asdict(calibration),
        "verdicts": judge(predictions, calibration),
    }


def note_evaluation(run_dir: Path, pipeline: InputPipeline, split: str) -> None:
    """Adds a line to `evaluations.jsonl`: what was looked at, and when."""
    manifest = pipeline.manifest
    line = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "dataset": manifest.card,
        "split": split,
        "fingerprint": manifest.fingerprint,
        "records": manifest.digest(split),
        "frames": manifest.frames,
    }
    with (run_dir / "evaluations.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def result_name(pipeline: InputPipeline, split: str) -> str:
    """Returns what the files of a split's figures are called.

    The split, for the data that the run was trained on; else the data set, of one's
    own with its fingerprint, the split and the frames per video.
    """
    manifest, data = pipeline.manifest, pipeline.config.data
    if (manifest.card, manifest.frames) == (card_name(data.dataset), data.frames):
        return split
    known = manifest.card in card_names()
    word = manifest.card if known else manifest.folder.name
    return f"{word}_{split}_{manifest.frames}"


def draw(predictions, results, history, folder: Path, examples=()) -> None:
    """Draws what results can show into a folder, as PNG and SVG."""
    folder.mkdir(exist_ok=True)
    summary = results["summary"]
    calibration = Calibration(**results["calibration"])
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
