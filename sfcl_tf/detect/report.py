"""One HTML page about one file, for a person who has to decide."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from markupsafe import Markup

from sfcl_tf.detect import plots
from sfcl_tf.detect.explain import explain
from sfcl_tf.detect.highlights import Highlight, Highlights
from sfcl_tf.detect.models import ScoringModel
from sfcl_tf.detect.results import FLAGS, Result, Track
from sfcl_tf.detect.sheet import COLORS, THUMBNAIL, page, word, write_whole
from sfcl_tf.system.html import data_uri, percent

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
    moments = [moment for track in result.tracks for moment in track.moments]
    flags = [
        [word(flag), meaning, sum(flag in moment.flags for moment in moments)]
        for flag, meaning in FLAGS.items()
    ]
    text = page(
        "detect/report.html.j2",
        title=f"{name}: {word(result.verdict) or result.status}",
        name=name,
        result=result,
        model=model,
        summary=summary(result),
        limits=limits(model),
        timeline=_drawn(plots.timeline_figure(result)) if len(moments) > 1 else "",
        peaks=_peaks(kept),
        frames=_frames(result, kept),
        explained=[_explained(each, model) for each in chosen(kept)],
        faces=[_face_row(track) for track in result.tracks],
        flags=flags,
        moments=len(moments),
        file=_file(result, model),
        card=_card(model),
    )
    return write_whole(Path(path), text)


def summary(result: Result) -> str:
    """Returns what is found in a sentence or two."""
    if not result.tracks:
        return f"No score: {result.reason}."
    faces = len(result.tracks)
    text = (
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
        text += f" {result.reason[0].upper()}{result.reason[1:]}."
    return text


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


def _peaks(kept):
    """Returns the faces with the highest scores, in order of time, with captions."""
    peaks = sorted(kept, key=lambda h: -h.moment.score)[:_THUMBNAILS]
    peaks.sort(key=lambda h: (h.moment.frame_index, h.face.track))
    return [
        (
            f"{peak.moment.when}, face {peak.face.track + 1}: {peak.moment.score:.3f}",
            data_uri(_thumbnail(peak), "jpeg"),
        )
        for peak in peaks
    ]


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
    return [
        (
            f"{highlight.moment.when}, picture {highlight.moment.frame_index}",
            data_uri(_annotated(result, highlight), "jpeg"),
        )
        for _, highlight in sorted(shown.items())
    ]


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
    return tuple(int(color[start : start + 2], 16) for start in (5, 3, 1))


def chosen(kept: Sequence[Highlight], count: int = EXPLAINED) -> list[Highlight]:
    """Returns the worst moments: of each face the highest, then what is left."""
    ordered = sorted(kept, key=lambda h: -h.moment.score)
    first: dict[int, Highlight] = {}
    for highlight in ordered:
        first.setdefault(highlight.face.track, highlight)
    rest = [h for h in ordered if h is not first[h.face.track]]
    return [*first.values(), *rest][:count]


def _explained(highlight, model):
    explanation = explain(model, highlight.face)
    moment = highlight.moment
    face = _drawn(plots.face_figure(explanation), "jpeg")
    figures = [("face, heat map, attention", face)]
    if explanation.bands is not None:
        figures.append(("bands", _drawn(plots.bands_figure(explanation.bands))))
    spectrum = plots.spectrum_figure(explanation.curve, model.reference)
    figures.append(("spectrum", _drawn(spectrum)))
    flags = "; ".join(f"{word(f)} ({FLAGS[f]})" for f in moment.flags)
    return moment, highlight.face.track + 1, flags, figures


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
    return rows


def _card(model):
    if not model.card:
        return ""
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    return Markup(markdown.render(model.card))  # noqa: S704 - it lets no HTML through


def _drawn(figure, kind="png"):
    return data_uri(plots.encoded(figure, kind), kind)


def _jpeg(rgb):
    bgr = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()
