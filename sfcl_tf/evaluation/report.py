"""One HTML page about a run, made only of what lies in its directory."""

import base64
import json
import math
import tomllib
from html import escape
from pathlib import Path

import numpy as np

from sfcl_tf.errors import DataError
from sfcl_tf.evaluation.predictions import Predictions, write_text

FIGURES = {
    "auc": "AUC",
    "ap": "AP",
    "eer": "EER",
    "acc": "Accuracy",
    "balanced_acc": "Balanced acc.",
    "log_loss": "Log-loss",
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
    "training": "Loss, AUC and learning rate by epoch. A validation loss that rises "
    "while the training loss falls is overfitting.",
}
CSS = """
body { color: #222; background: #fff; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.2rem; }
.lead { font-size: 1.15rem; } .missing { color: #666; font-style: italic; }
.note { border-left: 0.25rem solid #d55e00; padding-left: 0.8rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; margin: 0.8rem 0; }
th, td { padding: 0.2rem 0.7rem; text-align: left; border-bottom: 1px solid #ddd;
  overflow-wrap: anywhere; }
thead th { border-bottom: 2px solid #222; overflow-wrap: normal; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 1.5rem 0; break-inside: avoid; }
img { max-width: 100%; height: auto; } figcaption { color: #444; font-size: 0.9rem; }
@media print { body { margin: 0; font-size: 10pt; } h2 { break-after: avoid; } }
"""


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
        "<h2>Figures</h2>",
        _figures(results, predictions),
        _coverage(results),
        "<h2>Plots</h2>",
        *_plots(run_dir / "plots"),
        "<h2>Videos furthest from the truth</h2>",
        _worst(predictions),
        "<h2>Training</h2>",
        _training(results, history),
        "<h2>Settings</h2>",
        _settings(run_dir / "config.toml", tomllib.loads),
        "<h2>Environment</h2>",
        _settings(run_dir / "env.json", json.loads),
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
        return _missing("results.json: the run has not been evaluated")
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
            f"pairs (frame AUC {auc:.4f}; video AUC {_number(video.get('auc'))}). At a "
            f"threshold of 0.5 it is right on {_percent(frame.get('acc'))} of the "
            f"frames and {_percent(video.get('acc'))} of the videos."
        )
    return f'<p class="lead">{escape(counts + text)}</p>'


def _limits(results) -> str:
    text = "A score is P(fake) under this training data; never proof."
    if results.get("dataset") == "demo":
        text += " AUC on the demo proves the plumbing, not the detector."
    return f'<p class="note">{text}</p>'


def _figures(results, predictions) -> str:
    summary = results.get("summary")
    if not summary:
        return _missing("the summary in results.json")
    groups = {"all methods": summary, **summary.get("methods", {})}
    rows = []
    for method, levels in groups.items():
        for level in ("frame", "video"):
            found = levels.get(level, {})
            values = [_number(found.get(key)) for key in FIGURES]
            counts = [f"{found.get(k, 0):,}" for k in ("n_real", "n_fake")]
            rows.append([method, level, *values, *counts])
    table = _table(["Method", "Level", *FIGURES.values(), "Real", "Fake"], rows, text=2)
    counted = summary.get("frame", {}).get("n")
    if predictions is not None and len(predictions) != counted:
        table += (
            f'<p class="note">predictions_test.csv has {len(predictions):,} rows, but '
            f"results.json counts {escape(str(counted))} frames: they are of different "
            "evaluations.</p>"
        )
    return table + (
        "<p>Each method's fakes are set against all reals. A video's score is the mean "
        "of its frames'. AUC, AP, accuracy: 1 is perfect. EER, log-loss (nats): 0 is "
        "perfect. Chance is 0.5 for AUC, EER and balanced accuracy.</p>"
    )


def _coverage(results) -> str:
    found = results.get("coverage")
    if not found:
        return _missing("the coverage in results.json")
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
        return [_missing("plots")]
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
        return _missing("predictions_test.csv")
    videos = predictions.per_video()
    error = np.abs(videos.label - videos.score)
    rows = [
        [videos.video_id[i], videos.method[i], f"{videos.score[i]:.4f}"]
        for i in np.argsort(-error, kind="stable")[:count]
    ]
    return _table(["Video", "Method", "Score"], rows, text=2)


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
    rows = [[_number(row.get(key)) for key in keys] for row in history]
    parts.append(_table(keys, rows, text=0) if rows else _missing("metrics.jsonl"))
    return "".join(parts)


def _settings(path, parse) -> str:
    found = _load(path, parse)
    if found is None:
        return _missing(path.name)
    return _table(["Name", "Value"], _flat(found), text=2)


def _flat(tree, prefix="") -> list[list[str]]:
    rows = []
    for key, value in tree.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{prefix}{key}.")
        else:
            rows.append([f"{prefix}{key}", value])
    return rows


def _table(head, rows, text: int) -> str:
    """A table whose first `text` columns are words, the others numbers."""

    def line(cells, tag):
        kinds = [tag if i < text else f'{tag} class="n"' for i in range(len(cells))]
        pairs = zip(kinds, cells, strict=True)
        return "".join(f"<{kind}>{escape(str(cell))}</{tag}>" for kind, cell in pairs)

    body = "\n".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return (
        f'<div class="wide"><table><thead><tr>{line(head, "th")}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def _missing(what) -> str:
    return f'<p class="missing">Missing: {escape(what)}.</p>'


def _number(value) -> str:
    if isinstance(value, float):
        if not math.isfinite(value):
            return "n/a"
        return f"{value:.4f}" if value == 0 or abs(value) >= 1e-3 else f"{value:.2e}"
    return "n/a" if value is None else str(value)


def _percent(value) -> str:
    return "n/a" if value is None else f"{value:.1%}"


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
