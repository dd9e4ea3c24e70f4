"""Scoring a split, and writing down what came out."""

import json
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from sfcl_tf.data.cards import card_name, card_names
from sfcl_tf.data.pipeline import InputPipeline
from sfcl_tf.evaluation import plots
from sfcl_tf.evaluation.metrics import summarize
from sfcl_tf.evaluation.predictions import Predictions, write_text

_EXAMPLES = 6


class Predictor:
    """A model's forward pass in inference mode, traced once for any batch size.

    Args:
        model: A model of `{image, sida}`.
    """

    def __init__(self, model: keras.Model):
        signature = {
            tensor.name: tf.TensorSpec(tensor.shape, tf.float32)  # tf.data's
            for tensor in model.inputs
        }
        self._forward = tf.function(
            lambda inputs: model(inputs, training=False),
            input_signature=[signature],
            jit_compile=False,
        )

    def __call__(self, inputs) -> np.ndarray:
        """Returns the logits `(B,)` of a batch of `{image, sida}`."""
        return self._forward(inputs).numpy()[:, 0]

    def logits(self, dataset) -> tuple[np.ndarray, np.ndarray]:
        """Returns labels (int64) and logits (float64), `(N,)` each, of a dataset."""
        labels, logits = [], []
        for inputs, label, _ in dataset:
            labels.append(label.numpy()[:, 0])
            logits.append(self(inputs))
        return (
            np.concatenate(labels).astype("int64"),
            np.concatenate(logits).astype("float64"),
        )

    def predictions(
        self, dataset, *, name: str, split: str, on_batch=None
    ) -> Predictions:
        """Scores a dataset of `({image, sida}, label, meta)`.

        Args:
            dataset: As `InputPipeline.evaluation` gives it.
            name: The data set's name.
            split: The split's name.
            on_batch: Called with the number of frames scored so far.
        """
        labels, logits = [], []
        meta: dict[str, list] = {}
        done = 0
        for inputs, label, fields in dataset:
            labels.append(label.numpy()[:, 0])
            logits.append(self(inputs))
            for field, values in fields.items():
                meta.setdefault(field, []).append(values.numpy())
            done += len(labels[-1])
            if on_batch:
                on_batch(done)
        fields = {field: np.concatenate(values) for field, values in meta.items()}
        return Predictions(
            dataset=np.full(done, name),
            split=np.full(done, split),
            method=_text(fields["method"]),
            video_id=_text(fields["video_id"]),
            frame_index=fields["frame_index"],
            time_s=fields["time"],
            track_id=fields["track"],
            label=np.concatenate(labels),
            logit=np.concatenate(logits),
        )


def evaluate(
    predictor: Predictor,
    pipeline: InputPipeline,
    run_dir: Path,
    *,
    split: str = "test",
    selection: dict | None = None,
    history: list[dict] | None = None,
    on_batch=None,
) -> tuple[Predictions, dict]:
    """Scores a split once, and writes predictions, figures and plots.

    `predictions_<name>.csv` and `results_<name>.json` are written. `<name>` is the
    split for the data the run was trained on, else data set, split and frames per
    video. The run's own test split gives `results.json` and `plots/` instead.

    Args:
        predictor: The model's forward pass.
        pipeline: The data.
        run_dir: The run directory.
        split: Which split.
        selection: How the weights were chosen, for `results.json`.
        history: Rows of `metrics.jsonl`, for the training curves.
        on_batch: Called with the number of frames scored so far.

    Returns:
        The predictions, and what `results.json` holds.
    """
    card = pipeline.manifest.card
    predictions = predictor.predictions(
        pipeline.evaluation(split), name=card, split=split, on_batch=on_batch
    )
    name = result_name(pipeline, split)
    own = name == split
    predictions.write_csv(run_dir / f"predictions_{name}.csv")
    results = {
        "dataset": card,
        "split": split,
        **(selection or {}),
        "summary": summarize(predictions),
        "coverage": pipeline.manifest.coverage(split),
    }
    path = "results.json" if own and split == "test" else f"results_{name}.json"
    write_results(run_dir / path, results)
    if own and split == "test":
        _draw(predictions, history or [], pipeline, run_dir / "plots")
    return predictions, results


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


def write_results(path: Path, results: dict) -> None:
    """Writes results as JSON, under a temporary name first."""
    write_text(path, json.dumps(results, indent=2))


def _draw(predictions, history, pipeline, folder):
    folder.mkdir(exist_ok=True)
    examples = _examples(predictions, pipeline)
    figures = {
        "examples": plots.plot_examples(examples),
        "roc": plots.plot_roc(predictions),
        "scores": plots.plot_scores(predictions),
        "confusion": plots.plot_confusion(predictions),
        "training": plots.plot_training(history),
        "overview": plots.overview(predictions, history, examples),
    }
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


def _text(values):
    return np.array([value.decode("utf-8") for value in values])
