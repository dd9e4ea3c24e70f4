"""One HTML page about a run, made only of what lies in its directory."""

import tomllib
from pathlib import Path

import numpy as np

from sfcl_tf.evaluation.calibrate import Calibration
from sfcl_tf.evaluation.intervals import LEAST_VIDEOS
from sfcl_tf.evaluation.predictions import Predictions
from sfcl_tf.runs import files
from sfcl_tf.runs.run import Run
from sfcl_tf.runs.schemas import RESULTS
from sfcl_tf.system.errors import DataError
from sfcl_tf.system.html import data_uri, flat, number, percent, render
from sfcl_tf.system.output import write_text

FIGURES = {
    "auc": "AUC",
    "ap": "AP",
    "eer": "EER",
    "acc": "Accuracy",
    "balanced_acc": "Balanced acc.",
    "tpr_at_fpr_1": "TPR at FPR 1 %",
    "tpr_at_fpr_5": "TPR at FPR 5 %",
    "log_loss": "Log-loss",
    "ece": "ECE",
    "balanced_ece": "Balanced ECE",
}
COLUMNS = ["Level", "AUC", "95 % interval", *list(FIGURES.values())[1:], "Real", "Fake"]
GROUPS = {
    "compressions": "By compression",
    "resolutions": "By height of the frame",
    "face_sizes": "By size of the face",
}
CAPTIONS = {
    "examples": "Face crops with their scores. A solid green frame is a right answer "
    "at a threshold of 0.5, a dashed orange one a wrong answer.",
    "roc": "Share of fakes found against share of reals called fake, over all "
    "thresholds, by frame. The closer to the upper left corner the better; the "
    "dotted line is chance.",
    "scores": "How often each score was given. A good detector keeps the two classes "
    "apart; what lies on the wrong side of the dotted line is an error.",
    "confusion": "Answers at a threshold of 0.5. Each row adds up to 100 %: the "
    "diagonal is right, the rest wrong.",
    "reliability": "Of the frames with a score near 0.8, are 80 % fake, if there are "
    "as many fakes as reals? A calibrated detector follows the dotted line. Below, how "
    "many frames there are; the vertical lines are the thresholds of the verdicts on "
    "one picture.",
    "groups": "AUC of each group with its 95 % interval: how far it would move if "
    "other videos of the kind were drawn.",
    "training": "Loss, AUC and learning rate by epoch. A validation loss that rises "
    "while the training loss falls is overfitting.",
}


def write_report(run_dir: str | Path) -> Path:
    """Writes `report.html` into a run directory and returns its path.

    The page carries its style and its plots, and needs no network and no scripts.
    It reads `config.toml`, `env.json`, `metrics.jsonl`, `results.json`,
    `predictions_test.csv` and `plots/*.png`; what is missing is told in its place.
    `plots/overview.png` is left out, as it repeats the other plots.

    Args:
        run_dir: Directory of a run.

    Raises:
        DataError: If the directory is missing or one of its files is unreadable.
    """
    run_dir = Path(run_dir)
    if not run_dir.is_dir():
        raise DataError(
            f"Expected a run directory at {run_dir}. Received: none. "
            "Give a folder that `sfcl train` has written."
        )
    run = Run(run_dir)
    results, history = run.results, run.history
    csv_path = run_dir / files.predictions(files.OWN_TEST)
    predictions = Predictions.read_csv(csv_path) if csv_path.is_file() else None
    made = {
        files.CONFIG: _load(run_dir / files.CONFIG, tomllib.loads),
        files.ENVIRONMENT: run.environment or None,
    }
    summary = results.get("summary") or {}
    methods = {"all": summary, **summary.get("methods", {})} if summary else {}
    epochs = list(dict.fromkeys(key for row in history for key in row))
    page = render(
        "evaluation/report.html.j2",
        title=f"{results.get('dataset', 'Run')}: {run_dir.resolve().name}",
        lead=_lead(results),
        demo=results.get("dataset") == "demo",
        data_errors=(made[files.ENVIRONMENT] or {}).get("data_errors"),
        calibration=_calibration(results),
        verdicts=results.get("verdicts"),
        baseline=_baseline(results),
        columns=COLUMNS,
        methods=_figures(methods),
        groups=[(GROUPS[k], _figures(summary[k])) for k in GROUPS if summary.get(k)],
        counted=summary.get("frame", {}).get("n"),
        predicted=None if predictions is None else len(predictions),
        least=LEAST_VIDEOS,
        coverage=_coverage(results),
        others=_figures(_others(run_dir)),
        plots=_plots(run_dir / files.PLOTS),
        worst=_worst(predictions),
        training=_training(results),
        epochs=epochs,
        history=[[number(row.get(key)) for key in epochs] for row in history],
        made={name: content and flat(content) for name, content in made.items()},
    )
    path = run_dir / files.REPORT
    write_text(path, page)
    return path


def _lead(results) -> str:
    if not results:
        return ""
    frame, video = (results.get("summary", {}).get(k, {}) for k in ("frame", "video"))
    videos, auc = video.get("n", 0), frame.get("auc")
    counts = (
        f"On the {results.get('split', 'test')} split of {results.get('dataset', '?')} "
        f"({frame.get('n', 0):,} frames of {videos:,} video{'s' * (videos != 1)}), "
    )
    if auc is None:
        text = "the detector cannot be ranked, since real or fake faces are absent."
    else:
        text = (
            f"the detector scores a fake face above a real one in {auc:.1%} of all "
            f"pairs (frame AUC {auc:.4f}{_interval(frame)}; video AUC "
            f"{number(video.get('auc'))}{_interval(video)}). At a "
            f"threshold of 0.5 it is right on {percent(frame.get('acc'))} of the "
            f"frames and {percent(video.get('acc'))} of the videos."
        )
    return counts + text


def _interval(figures, name="auc") -> str:
    interval = figures.get("intervals", {}).get(name)
    if interval:
        return f", 95 % interval {interval[0]:.4f} to {interval[1]:.4f}"
    return (
        f", of too few videos for an interval ({few})" if (few := _few(figures)) else ""
    )


def _few(figures) -> str:
    """Tells how few videos there are, where they are too few for an interval."""
    reals, fakes = (figures.get(f"videos_{kind}") for kind in ("real", "fake"))
    if reals is None or fakes is None or min(reals, fakes) >= LEAST_VIDEOS:
        return ""
    return f"{reals} real, {fakes} fake"


def _calibration(results) -> Calibration | None:
    values = results.get("calibration")
    if not values or not results.get("verdicts"):
        return None
    try:
        return Calibration.from_dict(values)
    except (KeyError, ValueError, TypeError):  # of a calibration that cannot be
        return None


def _baseline(results) -> str:
    baseline = results.get("baseline")
    if baseline and "differences" in baseline:
        return (
            f"No {baseline['model']} trained alike lies beside it; the run "
            f"{baseline['run']} comes closest, and is not compared: "
            f"{'; '.join(baseline['differences'])}."
        )
    if not baseline or baseline["frame"]["difference"] is None:
        return ""
    parts = []
    for level in ("frame", "video"):
        row = baseline[level]
        if row["two"] is None or row["difference"] is None:
            continue
        interval = "of too few videos for an interval"
        if row["interval"]:
            low, high = row["interval"]
            sure = "clear" if low > 0 or high < 0 else "within chance"
            interval = f"95 % interval {100 * low:+.2f} to {100 * high:+.2f}: {sure}"
        parts.append(
            f"{level} AUC {row['two']:.4f}, a difference of "
            f"{100 * row['difference']:+.2f} points ({interval})"
        )
    return (
        f"Beside it, {baseline['model']} trained on the same data (run "
        f"{baseline['run']}), on the same {baseline['n']:,} faces: {'; '.join(parts)}."
    )


def _figures(groups) -> list[list[str]]:
    """Returns rows of `COLUMNS`, each with the name of its group before it."""
    rows = []
    for name, levels in groups.items():
        for level in ("frame", "video"):
            figures = levels.get(level, {})
            values = [number(figures.get(key)) for key in FIGURES]
            interval = figures.get("intervals", {}).get("auc")
            text = f"too few: {few}" if (few := _few(figures)) else "n/a"
            if interval:
                text = f"{interval[0]:.4f}-{interval[1]:.4f}"
            counts = [f"{figures.get(k, 0):,}" for k in ("n_real", "n_fake")]
            rows.append([name, level, values[0], text, *values[1:], *counts])
    return rows


def _others(run_dir) -> dict[str, dict]:
    """The run's figures on other data, from `results_*.json`."""
    groups = {}
    for path in sorted(run_dir.glob("results_*.json")):
        results = RESULTS.read(path)
        if "summary" in results:
            name = f"{results.get('dataset')}, {results.get('split')}"
            name = results.get("data", {}).get("title", name)
            if name in groups:  # of before a title told them apart
                name = path.stem.removeprefix("results_")
            groups[name] = results["summary"]
    return groups


def _coverage(results) -> str:
    coverage = results.get("coverage")
    if not coverage:
        return ""
    faceless = coverage.get("without_records", {})
    return (
        f"A face was found in {coverage.get('frames_with_face', 0):,} of "
        f"{coverage.get('frames_wanted', 0):,} frames of {coverage.get('videos', 0):,} "
        f"videos. Videos without any record: {', '.join(map(str, faceless)) or 'none'}."
    )


def _plots(folder) -> list[dict]:
    paths = {path.stem: path for path in sorted(folder.glob("*.png"))}
    paths.pop("overview", None)
    figures = []
    for name in sorted(paths, key=lambda n: [*CAPTIONS, n].index(n)):
        png = paths[name].read_bytes()
        width = int.from_bytes(png[16:20]) * 96 // 150  # of 150 dpi, in CSS pixels
        figures.append(
            {
                "alt": name,
                "width": width,
                "src": data_uri(png, "png"),
                "caption": CAPTIONS.get(name, name),
            }
        )
    return figures


def _worst(predictions, count: int = 8) -> list[list[str]] | None:
    if predictions is None:
        return None
    videos = predictions.per_video()
    error = np.abs(videos.label - videos.score)
    return [
        [videos.video_id[i], videos.method[i], f"{videos.score[i]:.4f}"]
        for i in np.argsort(-error, kind="stable")[:count]
    ]


def _training(results) -> list[str]:
    sentences = []
    if "selected_epoch" in results:
        text = f"Epoch {results['selected_epoch']} was selected"
        reason = results.get("selection")
        sentences.append(f"{text}: {reason}." if reason else f"{text}.")
    export = results.get("export", {})
    if (difference := export.get("max_abs_difference")) is not None:
        sentences.append(
            f"The export {export.get('path', '')} differs from the trained model by at "
            f"most {difference:.2g}."
        )
    return sentences


def _load(path, parse):
    """Parses a text file; `None` if there is none."""
    if not path.is_file():
        return None
    try:
        return parse(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(
            f"Cannot read {path}: {error}. Restore the file or remove it."
        ) from error
