"""The parts of the page as HTML, without Gradio.

Pictures are in the text itself, so that none of them lies in a file.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from sfcl_tf.detect import plots, report
from sfcl_tf.detect.explain import Explanation
from sfcl_tf.detect.highlights import Highlight
from sfcl_tf.detect.models import ScoringModel
from sfcl_tf.detect.results import FLAGS, Result, Track
from sfcl_tf.evaluation.plots import GREY, METHODS
from sfcl_tf.system.html import data_uri, render

_THUMBNAIL = 96  # pixels
_POINTS = 600  # of a track's line; more are no wider than a pixel
_GAP = 2.5  # usual steps without a face, after which a line is broken
_LOW_COVERAGE = 0.5
_SENTENCES = {
    "fake": "The model takes a face in this file for a fake.",
    "uncertain": "The model cannot tell.",
    "real": "The model finds no sign of a fake.",
    "no_face": "No face that can be scored, so nothing can be said.",
    "": "This file could not be looked at.",
}
_WORDS = {"no_face": "no face", "": "not read"}


def heading(model: ScoringModel) -> str:
    """Returns the model's name, and what a score of it is worth."""
    return render("app/heading.html.j2", model=model, limits=report.limits(model))


def waiting(name: str) -> str:
    """Returns what stands in a part's place until it is there."""
    return render("app/waiting.html.j2", name=name)


def stopped(name: str, why: str) -> str:
    """Returns what stands in the verdict's place if there will be none."""
    return _verdict_card(name, "", why)


def verdict(result: Result) -> str:
    """Returns what was found, in words."""
    if result.status not in ("ok", "no_face"):
        hint = "Check that it plays, or drop another video or image."
        return _verdict_card(result.source, "", result.reason, hint=hint)
    return _verdict_card(
        result.source,
        result.verdict,
        report.summary(result),
        gauge=_gauge(result),
        tracks=result.tracks,
        care=_care(result),
        facts=_facts(result),
    )


def _verdict_card(
    name, kind, why, *, hint="", gauge=None, tracks=(), care=(), facts=()
):
    return render(
        "app/verdict.html.j2",
        name=name,
        kind=kind,
        word=_WORDS.get(kind, kind),
        sentence=_SENTENCES[kind],
        why=why,
        hint=hint,
        gauge=gauge,
        tracks=tracks,
        care=care,
        facts=facts,
        color=_color,
    )


def _gauge(result):
    if result.score is None:
        return None
    low, high = (100 * edge for edge in result.open_range)
    return {
        "score": result.score,
        "low": low,
        "high": high,
        "middle": min(max((low + high) / 2, 32), 68),  # beside the ends' words
        "between": _describe_thresholds(result, "to", 2),
        "label": _describe_thresholds(result, "up to", 3),
    }


def _describe_thresholds(result, to, digits):
    """Says where `real` ends and `fake` begins."""
    thresholds = ((f"real {to}", result.real_to), ("fake from", result.fake_from))
    bounds = [f"{words} {t:.{digits}f}" for words, t in thresholds if t is not None]
    return ", ".join(bounds) or "no verdict"


def _care(result):
    """What makes the score worth less."""
    moments = [moment for track in result.tracks for moment in track.moments]
    warnings = []
    if moments and result.coverage < _LOW_COVERAGE:
        warnings.append(
            f"Only {result.coverage:.0%} of the pictures show a face that can be "
            "scored: most of the file was not judged."
        )
    for flag, meaning in FLAGS.items():
        count = sum(flag in moment.flags for moment in moments)
        if count:
            share = f"{count} of {len(moments)} faces"
            share = "the face" if len(moments) == 1 else share
            warnings.append(f"{share}: {meaning}.".capitalize())
    return warnings


def _facts(result):
    size = f"{result.width} x {result.height}"
    facts = [
        f"{size}, {result.frames} frames" if result.frames > 1 else size,
        f"{result.pictures} looked at, {result.coverage:.0%} with a face",
    ]
    if result.too_small:
        facts.append(f"{result.too_small} faces too small")
    if result.crf is not None:
        facts.append(f"crf {result.crf:g}")
    return facts


def moments(result: Result, kept: Sequence[Highlight], chosen: int) -> str:
    """Returns the scores over time and the kept faces; both can be clicked.

    What can be clicked has its place in `kept` as `data-moment`.

    Args:
        result: What was found.
        kept: The moments that can be looked at, in order of time.
        chosen: The one that is shown.
    """
    if not kept:
        return ""
    return render(
        "app/moments.html.j2",
        points=[_point(each) for each in kept],
        plot=_plot(result, kept) if len(kept) > 1 else None,
        chosen=chosen,
        several=len(result.tracks) > 1,
        side=_THUMBNAIL,
    )


def _point(highlight):
    moment, number = highlight.moment, highlight.face.track
    return {
        "when": moment.when,
        "score": moment.score,
        "verdict": moment.verdict,
        "label": f"{moment.when}, face {number + 1}, score {moment.score:.2f}, "
        f"{moment.verdict}",
        "color": _color(number),
        "image": data_uri(_thumbnail(highlight), "jpeg"),
    }


def _plot(result, kept):
    every = [moment for track in result.tracks for moment in track.moments]
    timed = all(math.isfinite(moment.time) for moment in every)
    positions = [_position(moment, timed) for moment in every]
    first, last = min(positions), max(positions)
    width = last - first or 1.0

    def x(moment):
        return 100 * (_position(moment, timed) - first) / width

    low, high = (100 - 100 * edge for edge in result.open_range)
    return {
        "lines": [
            (_color(track.number), points)
            for track in result.tracks
            for points in _lines(track, x)
        ],
        "positions": [(x(h.moment), 100 - 100 * h.moment.score) for h in kept],
        "low": low,
        "high": high,
        "first": min(every, key=lambda m: m.frame_index),
        "last": max(every, key=lambda m: m.frame_index),
    }


def _position(moment, timed):
    return moment.time if timed else float(moment.frame_index)


def _lines(track: Track, x):
    """Yields a track's lines as SVG points, broken where the face was away."""
    positions = np.array([x(moment) for moment in track.moments])
    steps = np.diff(positions)
    breaks = np.arange(0)
    if len(steps):
        breaks = np.flatnonzero(steps > _GAP * np.median(steps)) + 1
    stretch = max(math.ceil(len(positions) / _POINTS), 1)
    for part in np.split(np.arange(len(positions)), breaks):
        # The highest of a stretch, as a peak is what one looks for.
        stretches = (part[i : i + stretch] for i in range(0, len(part), stretch))
        peaks = [max(s, key=lambda i: track.moments[i].score) for s in stretches]
        yield " ".join(
            f"{positions[i]:.2f},{100 - 100 * track.moments[i].score:.2f}"
            for i in peaks
        )


def _color(number):
    return METHODS[number] if number < len(METHODS) else GREY


def moment(highlight: Highlight, explanation: Explanation, model: ScoringModel) -> str:
    """Returns what a moment's score rests on."""
    figures = [
        (plots.face_figure(explanation), "the face, the heat map and the attention")
    ]
    if explanation.bands is not None:
        figures.append(
            (plots.bands_figure(explanation.bands), "what each DCT band adds")
        )
    spectrum = plots.spectrum_figure(explanation.curve, model.reference)
    figures.append((spectrum, "the spectrum of the face"))
    return render(
        "app/moment.html.j2",
        moment=highlight.moment,
        face=highlight.face.track + 1,
        whole=data_uri(highlight.preview, "jpeg") if highlight.preview else "",
        frame_style=_box(highlight) if highlight.preview else "",
        facts=_moment_facts(highlight),
        silent=explanation.heatmap is None,
        figures=[(alt, data_uri(plots.encoded(f), "png")) for f, alt in figures],
    )


def _moment_facts(highlight):
    moment, quality = highlight.moment, highlight.face.quality
    rows = [
        ("Picture", str(moment.frame_index)),
        ("Score", f"{moment.score:.4f} (logit {moment.logit:.3f})"),
        ("Face", f"{quality.size:.0f} pixels"),
    ]
    rows += [("Take care", FLAGS[flag]) for flag in moment.flags]
    return rows


def _box(highlight):
    """Returns where the face lies in its picture, as CSS."""
    shape = cv2.imdecode(
        np.frombuffer(highlight.preview, np.uint8), cv2.IMREAD_GRAYSCALE
    ).shape
    height, width = (side / highlight.scale for side in shape)
    x0, y0, x1, y1 = highlight.moment.box
    return (
        f"left:{100 * x0 / width:.2f}%;top:{100 * y0 / height:.2f}%;"
        f"width:{100 * (x1 - x0) / width:.2f}%;height:{100 * (y1 - y0) / height:.2f}%"
    )


def _thumbnail(highlight):
    x0, y0, x1, y1 = highlight.face.inner
    face = highlight.face.region[y0:y1, x0:x1]
    face = cv2.resize(face, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(face, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
