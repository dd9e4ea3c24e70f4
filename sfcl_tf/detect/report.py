"""One HTML page about one file, for a person who has to decide."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

import cv2
import numpy as np

from sfcl_tf.detect import plots
from sfcl_tf.detect.explain import explain
from sfcl_tf.detect.highlights import Highlight, Highlights
from sfcl_tf.detect.models import ScoringModel
from sfcl_tf.detect.results import FLAGS, Result, Track
from sfcl_tf.detect.sheet import (
    COLORS,
    THUMBNAIL,
    badge,
    page,
    word,
    write_whole,
)
from sfcl_tf.html import percent, table

_CHANCE = 0.5  # AUC
EXPLAINED = 3
"""Moments that are explained."""

_THUMBNAILS = 10


def write_report(
    path: str | Path,
    result: Result,
    highlights: Highlights | Sequence[Highlight],
    model: ScoringModel,
) -> Path:
    """Writes a page about a file; it needs no network and no scripts.

    Args:
        path: The file to write; it is renamed into place when whole.
        result: What was found.
        highlights: The moments kept, with previews.
        model: What scored it; it is asked to explain the worst moments.

    Returns:
        The path.

    Raises:
        ModelError: If a server does not answer.
    """
    kept = highlights.all() if isinstance(highlights, Highlights) else list(highlights)
    name = Path(result.source).name
    title = f"{name}: {word(result.verdict) or result.status}"
    body = [
        f"<h1>{escape(name)}</h1>",
        _lead(result),
        _limits(model),
        _timeline(result, kept),
        _frames(result, kept),
        *_explanations(result, kept, model),
        _faces(result),
        _coverage(result),
        _file(result, model),
        _reading(result, model),
        _card(model),
    ]
    return write_whole(Path(path), page(title, body))


def summary(result: Result) -> str:
    """Returns what is found in a sentence or two."""
    if not result.tracks:
        return f"No score: {result.reason}."
    faces = len(result.tracks)
    told = (
        f"P(fake) is {result.score:.3f}, the "
        + (
            "mean over"
            if faces == 1
            else f"highest of {faces} faces, each the mean over"
        )
        + f" its pictures. {result.pictures_with_face} of {result.pictures} pictures "
        "show a face."
    )
    if result.reason:
        told += f" {result.reason[0].upper()}{result.reason[1:]}."
    return told


def limits(model: ScoringModel) -> str:
    """Returns what a score of this model is worth."""
    text = (
        "A score is P(fake) under the data that the model was trained on: evidence, "
        "never proof."
    )
    if model.config.data.dataset == "demo":
        text += (
            " This model was trained on the synthetic demo alone, which proves the "
            "plumbing: what it says of real clips means nothing."
        )
        return text
    if why := model.calibration.why:
        text += f" This model is not calibrated ({why}), so all it says is uncertain."
    elif (prior := model.calibration.prior) is None:
        text += (
            " This model was calibrated in an earlier way: its scores hold the share "
            "of fakes in its validation data, and faces in a video are judged as if "
            "each were one picture. Calibrate it anew: sfcl calibrate RUN."
        )
    else:
        text += (
            f" It is the probability if {percent(prior)} of the faces one looks at "
            "are fakes (the prior); where fakes are rarer, it is lower."
        )
    tested = model.results.get("summary", {}).get("frame", {})
    if tested.get("auc") is not None:
        low = tested.get("intervals", {}).get("auc", [0.0])[0]
        text += f" On its own test split its frame AUC is {tested['auc']:.3f}"
        if low <= _CHANCE:
            text += ", which may be chance: do not rely on it"
        text += "."
    return text


def _lead(result):
    told = badge(result.verdict, word(result.verdict) or result.status)
    return f'<p class="lead">{told} {escape(summary(result))}</p>'


def _limits(model):
    return f'<p class="note">{escape(limits(model))}</p>'


def _timeline(result, kept):
    if not result.tracks:
        return ""
    moments = sum(len(track.moments) for track in result.tracks)
    parts = ["<h2>Over time</h2>"]
    if moments > 1:
        image = _figure(plots.timeline_figure(result))
        parts.append(
            _captioned(
                image,
                "Score of each face in each picture. A face whose mean lies in the "
                "orange range is called fake, in the blue one real, between them "
                "uncertain. Hollow points: faces unlike those of the training data.",
            )
        )
    peaks = sorted(kept, key=lambda h: -h.moment.score)[:_THUMBNAILS]
    peaks.sort(key=lambda h: (h.moment.frame_index, h.face.track))
    strip = "".join(
        _captioned(
            _image(_thumbnail(peak), "jpeg", "face", THUMBNAIL),
            f"{peak.moment.when}, face {peak.face.track + 1}: {peak.moment.score:.3f}",
        )
        for peak in peaks
    )
    if strip:
        parts.append("<p>The highest scores, one of each stretch of time:</p>")
        parts.append(f'<div class="strip">{strip}</div>')
    return f"<section>{''.join(parts)}</section>"


def _thumbnail(highlight):
    x0, y0, x1, y1 = highlight.face.inner
    face = highlight.face.region[y0:y1, x0:x1]
    face = cv2.resize(face, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    return _jpeg(face)


def _frames(result: Result, kept):
    """The pictures of the worst moments, each once, with all their faces."""
    shown: dict[int, Highlight] = {}
    for highlight in sorted(kept, key=lambda h: -h.moment.score):
        if highlight.preview and len(shown) < EXPLAINED:
            shown.setdefault(highlight.moment.frame_index, highlight)
    if not shown:
        return ""
    figures = "".join(
        _captioned(
            _image(_annotated(result, highlight), "jpeg", "picture with face boxes"),
            f"{highlight.moment.when}, picture {highlight.moment.frame_index}",
        )
        for _, highlight in sorted(shown.items())
    )
    return (
        "<section><h2>Where</h2><p>The pictures with the highest scores.</p>"
        f'<div class="frames">{figures}</div></section>'
    )


def _annotated(result, highlight):
    """Draws the boxes of all faces of a picture on its preview; returns JPEG."""
    index, scale = highlight.moment.frame_index, highlight.scale
    image = cv2.imdecode(np.frombuffer(highlight.preview, np.uint8), cv2.IMREAD_COLOR)
    for track in result.tracks:
        for moment in track.moments:
            if moment.frame_index != index:
                continue
            x0, y0, x1, y1 = (round(edge * scale) for edge in moment.box)
            color = _bgr(COLORS[moment.verdict])
            cv2.rectangle(image, (x0, y0), (x1, y1), color, 2)
            label = f"{track.number + 1}: {moment.score:.2f}"
            (width, height), _ = cv2.getTextSize(
                label, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1
            )
            top = y0 - height - 8 if y0 > height + 8 else y1
            cv2.rectangle(
                image, (x0, top), (x0 + width + 8, top + height + 8), color, -1
            )
            cv2.putText(
                image,
                label,
                (x0 + 4, top + height + 3),
                cv2.FONT_HERSHEY_SIMPLEX,
                0.5,
                (255, 255, 255),
                1,
                cv2.LINE_AA,
            )
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def _bgr(color):
    return tuple(int(color[place : place + 2], 16) for place in (5, 3, 1))


def chosen(kept: Sequence[Highlight], count: int = EXPLAINED) -> list[Highlight]:
    """Returns the worst moments: of each face the highest, then what is left."""
    ordered = sorted(kept, key=lambda h: -h.moment.score)
    first: dict[int, Highlight] = {}
    for highlight in ordered:
        first.setdefault(highlight.face.track, highlight)
    rest = [h for h in ordered if h is not first[h.face.track]]
    return [*first.values(), *rest][:count]


def _explanations(result, kept, model):
    if not kept:
        return []
    parts = ["<h2>What the highest scores rest on</h2>"]
    for highlight in chosen(kept):
        found = explain(model, highlight.face)
        moment = highlight.moment
        flags = "; ".join(f"{word(f)} ({FLAGS[f]})" for f in moment.flags)
        parts.append(
            f"<section><h3>{moment.when}, face {highlight.face.track + 1}: "
            f"{moment.score:.3f}</h3>"
            + (f"<p>Take care: this face is {escape(flags)}.</p>" if flags else "")
            + _figure(plots.face_figure(found), "face, heat map, attention", "jpeg")
        )
        if found.bands is not None:
            parts.append(_figure(plots.bands_figure(found.bands), "bands"))
        parts.append(
            _figure(plots.spectrum_figure(found.curve, model.reference), "spectrum")
            + "</section>"
        )
    if model.reference is None:
        parts.append(
            "<p>What the training faces looked like is not known of this model, so "
            "the spectra stand alone.</p>"
        )
    return parts


def _faces(result: Result):
    if not result.tracks:
        return ""
    rows = [_face_row(track) for track in result.tracks]
    head = (
        *("Face", "Verdict", "Why", "Score", "Real up to", "Fake from"),
        *("Lowest", "Highest", "Pictures", "Time"),
    )
    return f"<h2>Faces</h2>{table(head, rows, text=3)}"


def _face_row(track: Track):
    scores = [moment.score for moment in track.moments]
    times = [track.moments[0], track.moments[-1]]
    return [
        str(track.number + 1),
        track.verdict,
        track.reason,
        f"{track.score:.4f}",
        *("" if t is None else f"{t:.4f}" for t in (track.real_to, track.fake_from)),
        f"{min(scores):.4f}",
        f"{max(scores):.4f}",
        str(len(scores)),
        " to ".join(moment.when for moment in times),
    ]


def _coverage(result: Result):
    moments = [moment for track in result.tracks for moment in track.moments]
    told = (
        f"{result.pictures} pictures were looked at; {result.pictures_with_face} "
        f"({percent(result.coverage)}) show a face that can be scored."
    )
    if result.too_small:
        told += f" {result.too_small} more faces are too small."
    if result.damaged:
        told += (
            f" {result.damaged} parts of the video did not decode: what follows them "
            "may be garbage."
        )
    rows = [
        [word(flag), FLAGS[flag], str(sum(flag in m.flags for m in moments))]
        for flag in FLAGS
    ]
    head = ("Flag", "The face is", f"Of {len(moments)}")
    return (
        f"<section><h2>Coverage and quality</h2><p>{told} Of faces that are flagged "
        "the training data says little: if that is more than half of a face's "
        "pictures, the verdict is <i>uncertain</i>.</p>"
        f"{table(head, rows, text=2)}</section>"
    )


def _file(result: Result, model):
    rows = [
        ["File", result.source],
        ["Pictures", f"{result.width} x {result.height}, {result.frames} frames"],
        ["Pixel format", result.pixel_format],
        ["crf", "unknown" if result.crf is None else f"{result.crf:g}"],
        ["Model", f"{model.name}{f' ({model.digest[:16]})' if model.digest else ''}"],
        ["Computed by", model.engine],
    ]
    if (prior := model.calibration.prior) is not None:
        rows.append(["Prior of the score", f"{percent(prior)} of the faces are fakes"])
    thresholds = (("real up to", result.real_to), ("fake from", result.fake_from))
    for words, threshold in thresholds:
        if threshold is not None:
            rows.append([f"Called {words}", f"{threshold:.4f}"])
    return f"<section><h2>File and model</h2>{table(('', ''), rows, text=2)}</section>"


def _reading(result: Result, model):
    return """<h2>How to read this</h2>
<p><b>The verdict</b> on a face comes from two thresholds, which were set on the
validation data of the model: at most 5 % of its real videos reach the upper one, at
most 5 % of its fakes stay under the lower one, each by the mean over as many pictures
as there are of the face. Of several faces one is more easily called fake by chance, so
that the upper one rises with their number, and a file of real faces alone is still
called fake in at most 5 % of all cases. On data unlike that, errors can be far more
frequent. Between the two it says <i>uncertain</i>, and means it.</p>
<p><b>The heat map</b> (Grad-CAM on the map in which both branches are fused) shows
where in the face the model finds evidence of a fake. <b>Frequencies</b> shows what
each 8x8 block adds to the logit, to first order. <b>FAAE's attention</b> shows
where the frequency branch enhances the spatial one; it has no sign. None outlines a
forgery: a map is as coarse as the network's grid, and a model may find its evidence
beside what was forged.</p>
<p><b>The band charts</b> show what each of the 64 frequencies of the 8x8 DCT adds to
the logit, to first order: orange speaks for a fake, blue for a real face. Low
frequencies stand at the upper left. <b>The spectrum</b> is SIDA's mean difference
between neighbouring blocks and between bands, against the mean real and fake face of
the training data, with two standard errors by video.</p>
<p><b>What moves a score</b> though nobody forged anything: strong compression,
enlargement, filters, screens filmed, light and poses that training did not have. Look
for the original file; ask where it comes from; let several people look.</p>"""


def _card(model):
    if not model.card:
        return ""
    from markdown_it import MarkdownIt

    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(model.card)
    return (
        "<details><summary>The model's card</summary>"
        f'<div class="card wide">{html}</div></details>'
    )


def _figure(figure, alt="scores over time", kind="png"):
    return f"<figure>{_image(plots.encoded(figure, kind), kind, alt)}</figure>"


def _captioned(image, caption):
    image = image.removeprefix("<figure>").removesuffix("</figure>")
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def _image(content, kind, alt, width=None):
    data = base64.b64encode(content).decode("ascii")
    size = f' width="{width}" height="{width}"' if width else ""
    return f'<img alt="{escape(alt)}"{size} src="data:image/{kind};base64,{data}">'


def _jpeg(rgb):
    bgr = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()
