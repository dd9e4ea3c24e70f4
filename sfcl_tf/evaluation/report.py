"""One HTML page about a run, made only of what lies in its directory."""

import base64
import json
import math
import tomllib
from html import escape
from pathlib import Path

import numpy as np

from sfcl_tf.errors import DataError
from sfcl_tf.evaluation.calibrate import Calibration
from sfcl_tf.evaluation.intervals import LEAST_VIDEOS
from sfcl_tf.evaluation.predictions import Predictions, write_text
from sfcl_tf.html import CSS, flat, missing, number, percent, table

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
    results = _load(run_dir / "results.json", json.loads) or {}
    history = _load(run_dir / "metrics.jsonl", _json_lines) or []
    csv_path = run_dir / "predictions_test.csv"
    predictions = Predictions.read_csv(csv_path) if csv_path.is_file() else None
    title = f"{results.get('dataset', 'Run')}: {run_dir.resolve().name}"
    body = [
        f"<h1>{escape(title)}</h1>",
        _lead(results),
        _limits(results),
        _data_errors(run_dir),
        _verdicts(results),
        _baseline(results),
        "<h2>Figures</h2>",
        _figures(results, predictions),
        _coverage(results),
        _others(run_dir),
        "<h2>Plots</h2>",
        *_plots(run_dir / "plots"),
        "<h2>Videos furthest from the truth</h2>",
        _worst(predictions),
        "<h2>Training</h2>",
        _training(results, history),
        "<h2>How it was made</h2>",
        _folded("Settings", _settings(run_dir / "config.toml", tomllib.loads)),
        _folded("Environment", _settings(run_dir / "env.json", json.loads)),
    ]
    page = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n"
    )
    path = run_dir / "report.html"
    write_text(path, page + "\n".join(body) + "\n</body>\n</html>\n")
    return path


def _lead(results) -> str:
    if not results:
        return missing("results.json: the run has not been evaluated")
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
    return f'<p class="lead">{escape(counts + text)}</p>'


def _limits(results) -> str:
    text = "A score is P(fake) under this training data; never proof."
    if results.get("dataset") == "demo":
        text += " AUC on the demo proves the plumbing, not the detector."
    return f'<p class="note">{text}</p>'


def _data_errors(run_dir) -> str:
    """What was wrong with the data that the run was trained on."""
    found = (_load(run_dir / "env.json", json.loads) or {}).get("data_errors")
    if not found:
        return ""
    told = "".join(f"<li>{escape(each)}</li>" for each in found)
    return (
        '<div class="key"><p>The data that it was trained on has errors, as '
        f"<code>sfcl check</code> tells them:</p><ul>{told}</ul></div>"
    )


def _interval(figures, name="auc") -> str:
    found = figures.get("intervals", {}).get(name)
    if found:
        return f", 95 % interval {found[0]:.4f} to {found[1]:.4f}"
    return (
        f", of too few videos for an interval ({few})" if (few := _few(figures)) else ""
    )


def _few(figures) -> str:
    """Tells how few videos there are, where they are too few for an interval."""
    reals, fakes = (figures.get(f"videos_{kind}") for kind in ("real", "fake"))
    if reals is None or min(reals, fakes) >= LEAST_VIDEOS:
        return ""
    return f"{reals} real, {fakes} fake"


def _verdicts(results) -> str:
    found, verdicts = results.get("calibration"), results.get("verdicts")
    if not found or not verdicts:
        return ""
    calibration = Calibration.from_dict(found)
    if why := calibration.why:
        return (
            f'<p class="key">Not calibrated: {escape(why)}. Scores are the sigmoid of '
            "the logit, and every verdict is <b>uncertain</b>.</p>"
        )
    told = [
        f"of the {name}s <b>real</b> up to {level.real_to:.3f} and <b>fake</b> from "
        f"{level.fake_from:.3f}, which leaves {percent(each['uncertain'])} "
        f"<b>uncertain</b>; {percent(each['error'])} of the other verdicts are wrong"
        f"{_wrong(each)}"
        for (name, each), level in zip(
            verdicts.items(), (calibration.frame, calibration.video), strict=True
        )
    ]
    prior = (
        "the prior is not known, that of the validation frames"
        if calibration.prior is None
        else f"for a prior of {calibration.prior:g}: they are the probability of a "
        "fake if so large a share of the faces are fakes"
    )
    frame = verdicts["frame"]
    return (
        '<p class="key">Verdicts, by thresholds of the validation split: '
        f"{'; '.join(told)}. Where a file shows several faces, fake begins higher. "
        f"Scores are sigmoid({calibration.slope:.4g} * logit "
        f"{calibration.bias:+.4g}), {prior}. Their calibration error by frame is "
        f"{number(frame['ece'])} with as many fakes as here, and "
        f"{number(frame.get('balanced_ece'))} with as many fakes as reals.</p>"
    )


def _wrong(verdicts) -> str:
    """Shares of the classes that are called wrongly; not told of earlier results."""
    if "reals_called_fake" not in verdicts:
        return ""
    return (
        f" ({percent(verdicts['reals_called_fake'])} of the reals, "
        f"{percent(verdicts['fakes_called_real'])} of the fakes)"
    )


def _baseline(results) -> str:
    found = results.get("baseline")
    if found and "differences" in found:
        told = (
            f"No {found['model']} trained alike lies beside it; the run {found['run']} "
            f"comes closest, and is not compared: {'; '.join(found['differences'])}."
        )
        return f'<p class="key">{escape(told)}</p>'
    if not found or found["frame"]["difference"] is None:
        return ""
    parts = []
    for level in ("frame", "video"):
        row = found[level]
        told = "of too few videos for an interval"
        if row["interval"]:
            low, high = row["interval"]
            sure = "clear" if low > 0 or high < 0 else "within chance"
            told = f"95 % interval {100 * low:+.2f} to {100 * high:+.2f}: {sure}"
        parts.append(
            f"{level} AUC {row['two']:.4f}, a difference of "
            f"{100 * row['difference']:+.2f} points ({told})"
        )
    return (
        f'<p class="key">Beside it, {escape(found["model"])} trained on the same data '
        f"(run {escape(found['run'])}), on the same {found['n']:,} faces: "
        f"{'; '.join(parts)}.</p>"
    )


def _figures(results, predictions) -> str:
    summary = results.get("summary")
    if not summary:
        return missing("the summary in results.json")
    text = _figure_table("Method", {"all": summary, **summary.get("methods", {})})
    counted = summary.get("frame", {}).get("n")
    if predictions is not None and len(predictions) != counted:
        text += (
            f'<p class="note">predictions_test.csv has {len(predictions):,} rows, but '
            f"results.json counts {escape(str(counted))} frames: they are of different "
            "evaluations.</p>"
        )
    for kind, title in GROUPS.items():
        if found := summary.get(kind):
            text += _folded(title, _figure_table("Group", found))
    return text + (
        "<p>Each method's fakes are set against all reals. A video's score is the mean "
        "of its frames'. AUC, AP, accuracy, TPR: 1 is perfect. EER, log-loss (nats), "
        "calibration error (ECE; balanced: with as many fakes as reals): 0 is perfect. "
        "Chance is 0.5 for AUC, EER and balanced accuracy. Intervals are by video: how "
        f"far AUC would move on other videos; under {LEAST_VIDEOS} of a class are too "
        "few to tell.</p>"
    )


def _figure_table(head, groups) -> str:
    rows = []
    for name, levels in groups.items():
        for level in ("frame", "video"):
            found = levels.get(level, {})
            values = [number(found.get(key)) for key in FIGURES]
            interval = found.get("intervals", {}).get("auc")
            told = f"too few: {few}" if (few := _few(found)) else "n/a"
            if interval:
                told = f"{interval[0]:.4f}-{interval[1]:.4f}"
            counts = [f"{found.get(k, 0):,}" for k in ("n_real", "n_fake")]
            rows.append([name, level, values[0], told, *values[1:], *counts])
    names = list(FIGURES.values())
    columns = [head, "Level", names[0], "95 % interval", *names[1:], "Real", "Fake"]
    return table(columns, rows, text=2)


def _others(run_dir) -> str:
    """The run's figures on other data, from `results_*.json`."""
    groups = {}
    for path in sorted(run_dir.glob("results_*.json")):
        found = _load(path, json.loads)
        if found and "summary" in found:
            name = f"{found.get('dataset')}, {found.get('split')}"
            name = found.get("data", {}).get("title", name)
            if name in groups:  # of before a title told them apart
                name = path.stem.removeprefix("results_")
            groups[name] = found["summary"]
    if not groups:
        return ""
    return "<h2>On other data</h2>" + _figure_table("Data", groups)


def _folded(title, content) -> str:
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def _coverage(results) -> str:
    found = results.get("coverage")
    if not found:
        return missing("the coverage in results.json")
    faceless = found.get("without_records", {})
    text = (
        f"A face was found in {found.get('frames_with_face', 0):,} of "
        f"{found.get('frames_wanted', 0):,} frames of {found.get('videos', 0):,} "
        f"videos. Videos without any record: {', '.join(map(str, faceless)) or 'none'}."
    )
    return f"<p>{escape(text)}</p>"


def _plots(folder) -> list[str]:
    paths = {path.stem: path for path in sorted(folder.glob("*.png"))}
    paths.pop("overview", None)
    if not paths:
        return [missing("plots")]
    figures = []
    for name in sorted(paths, key=lambda n: [*CAPTIONS, n].index(n)):
        png = paths[name].read_bytes()
        width = int.from_bytes(png[16:20]) * 96 // 150  # of 150 dpi, in CSS pixels
        data = base64.b64encode(png).decode("ascii")
        caption = escape(CAPTIONS.get(name, name))
        figures.append(
            f'<figure><img alt="{escape(name)}" width="{width}" '
            f'src="data:image/png;base64,{data}">'
            f"<figcaption>{caption}</figcaption></figure>"
        )
    return figures


def _worst(predictions, count: int = 8) -> str:
    if predictions is None:
        return missing("predictions_test.csv")
    videos = predictions.per_video()
    error = np.abs(videos.label - videos.score)
    rows = [
        [videos.video_id[i], videos.method[i], f"{videos.score[i]:.4f}"]
        for i in np.argsort(-error, kind="stable")[:count]
    ]
    return table(["Video", "Method", "Score"], rows, text=2)


def _training(results, history) -> str:
    parts = []
    if "selected_epoch" in results:
        text = f"Epoch {results['selected_epoch']} was selected"
        reason = results.get("selection")
        parts.append(f"<p>{escape(text + (f': {reason}' if reason else ''))}.</p>")
    if export := results.get("export"):
        text = (
            f"The export {export.get('path', '')} differs from the trained model by at "
            f"most {export.get('max_abs_difference', math.nan):.2g}."
        )
        parts.append(f"<p>{escape(text)}</p>")
    keys = list(dict.fromkeys(key for row in history for key in row))
    rows = [[number(row.get(key)) for key in keys] for row in history]
    parts.append(table(keys, rows, text=0) if rows else missing("metrics.jsonl"))
    return "".join(parts)


def _settings(path, parse) -> str:
    found = _load(path, parse)
    if found is None:
        return missing(path.name)
    return table(["Name", "Value"], flat(found), text=2)


def _json_lines(text) -> list[dict]:
    return [json.loads(line) for line in text.splitlines() if line.strip()]


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
