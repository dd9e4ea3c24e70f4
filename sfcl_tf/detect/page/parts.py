"""The parts of the page as HTML: plain strings, without Gradio.

Pictures are in the text itself, so that none of them lies in a file.
"""

import base64
import math
from collections.abc import Sequence
from html import escape

import cv2
import numpy as np

from sfcl_tf.detect import plots, report
from sfcl_tf.detect.explain import Explanation
from sfcl_tf.detect.highlights import Highlight
from sfcl_tf.detect.models import ScoringModel
from sfcl_tf.detect.results import FLAGS, Result, Track
from sfcl_tf.evaluation.plots import GREY, METHODS

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
    return (
        '<header><h1>Is a face in this file a fake?</h1><p class="model">Model '
        f"<b>{escape(model.name)}</b>, computed by {escape(model.engine)}. Files stay "
        "on the machine that runs this page and are deleted once they were looked at."
        f'</p></header><p class="limits" role="note">{escape(report.limits(model))}</p>'
    )


def waiting(name: str) -> str:
    """Returns what stands in a part's place until it is there."""
    return (
        '<section class="card waiting" aria-live="polite">'
        f'<p class="file">{escape(name)}</p></section>'
    )


def stopped(name: str, why: str) -> str:
    """Returns what stands in the verdict's place if there will be none."""
    return _verdict_card(name, "", why, "")


def verdict(result: Result) -> str:
    """Returns what was found, in words."""
    if result.status not in ("ok", "no_face"):
        hint = "<p>Check that it plays, or drop another video or image.</p>"
        return _verdict_card(result.source, "", result.reason, hint)
    why = report.summary(result)
    parts = [_gauge(result), _faces(result), _care(result), _facts(result)]
    return _verdict_card(result.source, result.verdict, why, "".join(parts))


def _verdict_card(name, kind, why, more):
    word = _WORDS.get(kind, kind)
    return (
        f'<section class="card" aria-live="polite"><p class="file">{escape(name)}</p>'
        f'<h2><span class="badge {kind or "none"}">{word}</span>'
        f"<span>{_SENTENCES[kind]}</span></h2><p>{escape(why)}</p>{more}</section>"
    )


def _gauge(result):
    if result.score is None:
        return ""
    low, high = (100 * edge for edge in result.open_range)
    middle = min(max((low + high) / 2, 32), 68)  # beside the ends' words
    ticks = f'<span style="left:{middle:.2f}%">{_said(result, "to", 2)}</span>'
    return (
        f'<div class="gauge" role="img" aria-label="Score {result.score:.3f} of 0 to '
        f'1; {_said(result, "up to", 3)}">'
        f'<div class="bar"><i class="real" style="width:{low:.2f}%"></i>'
        f'<i class="uncertain" style="width:{high - low:.2f}%"></i>'
        f'<i class="fake" style="width:{100 - high:.2f}%"></i>'
        f'<b style="left:{100 * result.score:.2f}%"></b></div>'
        f'<div class="ticks">{ticks}<span style="left:0">0 real</span>'
        '<span style="left:100%">fake 1</span></div></div>'
    )


def _said(result, to, digits):
    """Says where `real` ends and `fake` begins."""
    thresholds = ((f"real {to}", result.real_to), ("fake from", result.fake_from))
    told = [f"{words} {t:.{digits}f}" for words, t in thresholds if t is not None]
    return ", ".join(told) or "no verdict"


def _faces(result):
    if len(result.tracks) < 2:
        return ""
    rows = "".join(
        f"<tr><td>{_swatch(track.number)}{track.number + 1}</td>"
        f"<td>{track.verdict}</td><td>{track.score:.3f}</td>"
        f"<td>{len(track.moments)}</td><td>{track.moments[0].when}</td></tr>"
        for track in result.tracks
    )
    return (
        '<div class="wide"><table><thead><tr><th>Face</th><th>Verdict</th><th>Score'
        "</th><th>Pictures</th><th>From</th></tr></thead><tbody>"
        f"{rows}</tbody></table></div>"
    )


def _care(result):
    """What makes the score worth less."""
    moments = [moment for track in result.tracks for moment in track.moments]
    told = []
    if moments and result.coverage < _LOW_COVERAGE:
        told.append(
            f"Only {result.coverage:.0%} of the pictures show a face that can be "
            "scored: most of the file was not judged."
        )
    for flag, meaning in FLAGS.items():
        count = sum(flag in moment.flags for moment in moments)
        if count:
            share = f"{count} of {len(moments)} faces"
            share = "the face" if len(moments) == 1 else share
            told.append(f"{share}: {meaning}.".capitalize())
    if not told:
        return ""
    items = "".join(f"<li>{escape(each)}</li>" for each in told)
    return f'<div class="care"><b>Take care</b><ul>{items}</ul></div>'


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
    return f'<p class="facts">{escape(" · ".join(facts))}</p>'


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
    several = len(result.tracks) > 1
    strip = "".join(
        f"<button {_button(each, number, chosen)}>"
        f'<img alt="" width="{_THUMBNAIL}" height="{_THUMBNAIL}" '
        f'src="{_data(_thumbnail(each), "jpeg")}">'
        f"<span>{_swatch(each.face.track) if several else ''}{each.moment.when}</span>"
        f"<b>{each.moment.score:.2f}</b></button>"
        for number, each in enumerate(kept)
    )
    plot = _plot(result, kept, chosen) if len(kept) > 1 else ""
    return (
        f'<section class="card"><h2>Moments</h2><p>{_hint(kept)}</p>'
        f'{plot}<div class="strip">{strip}</div></section>'
    )


def _hint(kept):
    if len(kept) == 1:
        return "The face that was scored."
    return (
        "Score of each face over time. A face whose mean lies in the orange range is "
        "called fake, in the blue one real. Points are the highest of each stretch: "
        "choose one, or a face, to see what its score rests on."
    )


def _button(highlight, number, chosen):
    moment = highlight.moment
    label = (
        f"{moment.when}, face {highlight.face.track + 1}, score {moment.score:.2f}, "
        f"{moment.verdict}"
    )
    on = " on" if number == chosen else ""
    return (
        f'type="button" class="moment {moment.verdict}{on}" data-moment="{number}" '
        f'title="{label}" aria-label="{label}"'
    )


def _plot(result, kept, chosen):
    every = [moment for track in result.tracks for moment in track.moments]
    timed = all(math.isfinite(moment.time) for moment in every)
    places = [_place(moment, timed) for moment in every]
    first, last = min(places), max(places)
    width = last - first or 1.0

    def x(moment):
        return 100 * (_place(moment, timed) - first) / width

    several = len(result.tracks) > 1
    lines = "".join(
        f'<polyline points="{points}"'
        + (f' style="stroke:{_color(track.number)}"/>' if several else "/>")
        for track in result.tracks
        for points in _lines(track, x)
    )
    dots = "".join(
        f"<button {_button(each, number, chosen)} "
        f'style="left:{x(each.moment):.2f}%;top:{100 - 100 * each.moment.score:.2f}%">'
        "</button>"
        for number, each in enumerate(kept)
    )
    low, high = (100 - 100 * edge for edge in result.open_range)
    ends = (
        min(every, key=lambda m: m.frame_index),
        max(every, key=lambda m: m.frame_index),
    )
    return (
        '<div class="plot"><div class="area"><svg viewBox="0 0 100 100" '
        'preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="fake" width="100" height="{high:.2f}"/>'
        f'<rect class="real" y="{low:.2f}" width="100" height="{100 - low:.2f}"/>'
        f"{lines}</svg>{dots}</div>"
        '<span class="top">1</span><span class="mid">0.5</span>'
        '<span class="bottom">0</span><span class="from">'
        f'{ends[0].when}</span><span class="to">{ends[1].when}</span></div>'
    )


def _place(moment, timed):
    return moment.time if timed else float(moment.frame_index)


def _lines(track: Track, x):
    """Yields a track's lines as SVG points, broken where the face was away."""
    places = np.array([x(moment) for moment in track.moments])
    steps = np.diff(places)
    breaks = np.flatnonzero(steps > _GAP * np.median(steps)) + 1 if len(steps) else []
    stretch = max(math.ceil(len(places) / _POINTS), 1)
    for part in np.split(np.arange(len(places)), breaks):
        # The highest of a stretch, as a peak is what one looks for.
        stretches = (part[i : i + stretch] for i in range(0, len(part), stretch))
        peaks = [max(s, key=lambda i: track.moments[i].score) for s in stretches]
        yield " ".join(
            f"{places[i]:.2f},{100 - 100 * track.moments[i].score:.2f}" for i in peaks
        )


def _color(number):
    return METHODS[number] if number < len(METHODS) else GREY


def _swatch(number):
    return f'<i class="swatch" style="background:{_color(number)}"></i>'


def moment(highlight: Highlight, found: Explanation, model: ScoringModel) -> str:
    """Returns what a moment's score rests on."""
    told = highlight.moment
    figures = [(plots.face_figure(found), "the face, the heat map and the attention")]
    if found.bands is not None:
        figures.append((plots.bands_figure(found.bands), "what each DCT band adds"))
    spectrum = plots.spectrum_figure(found.curve, model.reference)
    figures.append((spectrum, "the spectrum of the face"))
    images = "".join(
        f'<figure class="chart"><img alt="{alt}" '
        f'src="{_data(plots.encoded(figure), "png")}">'
        "</figure>"
        for figure, alt in figures
    )
    missing = ""
    if found.heatmap is None:
        missing = "<p>This model cannot be asked for a heat map or for bands.</p>"
    return (
        f'<section class="card explained"><h2>{told.when}, face '
        f"{highlight.face.track + 1}: score {told.score:.3f}, {told.verdict}</h2>"
        f'<div class="where">{_whole(highlight)}{_told(highlight)}</div>'
        f"{missing}{images}{_READING}</section>"
    )


def _told(highlight):
    moment, quality = highlight.moment, highlight.face.quality
    rows = [
        ("Picture", str(moment.frame_index)),
        ("Score", f"{moment.score:.4f} (logit {moment.logit:.3f})"),
        ("Face", f"{quality.size:.0f} pixels"),
    ]
    rows += [("Take care", FLAGS[flag]) for flag in moment.flags]
    items = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows)
    return f"<dl>{items}</dl>"


_READING = """<details><summary>How to read this</summary>
<p><b>Heat map</b>: where the model finds evidence of a fake. <b>Frequencies</b>: what
each 8x8 block adds to the logit. <b>Attention</b>: where the frequency branch enhances
the spatial one; it has no sign. All are as coarse as the network's grids and outline no
forgery.</p>
<p><b>Bands</b>: what each of the 64 frequencies of the 8x8 DCT adds to the logit, to
first order; orange speaks for a fake, blue for a real face, low frequencies stand at
the upper left. <b>Spectrum</b>: mean difference between neighbouring blocks and between
bands, against the mean real and fake face of the training data.</p>
<p><b>What moves a score</b> though nobody forged anything: strong compression,
enlargement, filters, filmed screens, light and poses that training did not have. Look
for the original file, and ask where it comes from.</p></details>"""


def _whole(highlight):
    if not highlight.preview:
        return ""
    shape = cv2.imdecode(
        np.frombuffer(highlight.preview, np.uint8), cv2.IMREAD_GRAYSCALE
    ).shape
    height, width = (side / highlight.scale for side in shape)
    x0, y0, x1, y1 = highlight.moment.box
    place = (
        f"left:{100 * x0 / width:.2f}%;top:{100 * y0 / height:.2f}%;"
        f"width:{100 * (x1 - x0) / width:.2f}%;height:{100 * (y1 - y0) / height:.2f}%"
    )
    return (
        '<figure class="whole"><div><img alt="the whole picture, the face framed" '
        f'src="{_data(highlight.preview, "jpeg")}">'
        f'<i class="{highlight.moment.verdict}" style="{place}"></i></div></figure>'
    )


def _thumbnail(highlight):
    x0, y0, x1, y1 = highlight.face.inner
    face = highlight.face.region[y0:y1, x0:x1]
    face = cv2.resize(face, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(face, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def _data(content, kind):
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
