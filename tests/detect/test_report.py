"""The page about a file: whole, without network, and escaped."""

import copy
import dataclasses
import html.parser
import json
import shutil

import numpy as np
import pytest
from hostile_text import check_shown, hostile

from sfcl_tf.detect import Detector, SamplingOptions
from sfcl_tf.detect.explain import explain
from sfcl_tf.detect.highlights import Highlights
from sfcl_tf.detect.index import write_index
from sfcl_tf.detect.plots import (
    bands_figure,
    encoded,
    face_figure,
    spectrum_figure,
    timeline_figure,
)
from sfcl_tf.detect.report import limits, summary, write_report
from sfcl_tf.evaluation import Calibration

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)


@pytest.fixture(scope="module")
def detector(run):
    return Detector.load(run, "tensorflow")


@pytest.fixture(scope="module")
def found(detector, clips):
    kept = Highlights()
    sampling = SamplingOptions(previews=True)
    return detector.examine(clips / "face.mp4", sampling, on_face=kept), kept


@pytest.fixture(scope="module")
def page(found, detector, tmp_path_factory):
    result, kept = found
    # As an attacker might name it.
    result = dataclasses.replace(result, source="a/<script>alert(1)</script>&.mp4")
    path = tmp_path_factory.mktemp("report") / "page.html"
    return write_report(path, result, kept, detector.model)


class Parsed(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "action", "srcset"):
                self.addresses.append(value)

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_has_all_that_a_person_needs(page, found):
    parsed = Parsed(page.read_text("utf-8"))
    text = " ".join(" ".join(parsed.text).split())
    result, _ = found
    for told in (
        "never proof",
        f"{result.score:.3f}",
        "Over time",
        "Where",
        "What the highest scores rest on",
        "Coverage and quality",
        "How to read this",
        "Model card",
        "frame AUC is 0.900",
        "heavy compression",
    ):
        assert told in text, told
    assert parsed.tags.count("img") >= 1 + 4 + 1 + 3 * 3


def test_the_page_loads_nothing_and_runs_nothing(page):
    parsed = Parsed(page.read_text("utf-8"))
    assert "script" not in parsed.tags
    assert all(address.startswith("data:") for address in parsed.addresses)
    assert "<script>alert(1)</script>&.mp4" in "".join(parsed.text)


def test_chromium_shows_it_without_an_error_or_a_request(page):
    api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM:
        pytest.skip("no Chromium on this machine")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        shown = browser.new_page(viewport={"width": 400, "height": 800})
        told, asked = [], []
        shown.on("console", lambda message: told.append(message.text))
        shown.on("pageerror", lambda error: told.append(str(error)))
        shown.on("request", lambda request: asked.append(request.url))
        shown.goto(page.as_uri())
        broken = shown.evaluate(
            "[...document.images].filter(i => !i.complete || !i.naturalWidth).length"
        )
        width = shown.evaluate("document.documentElement.scrollWidth")
        browser.close()
    assert (told, broken) == ([], 0)
    assert [u for u in asked if not u.startswith("data:")] == [page.as_uri()]
    assert width <= 400


def test_a_file_without_a_face_has_a_page_too(detector, clips, tmp_path):
    result = detector.predict(clips / "grey.mp4")
    path = write_report(tmp_path / "a.html", result, [], detector.model)
    text = path.read_text("utf-8")
    assert "no face was found" in text
    assert "Over time" not in text
    assert sorted(tmp_path.iterdir()) == [path]


def test_the_index_lists_the_worst_first(found, tmp_path):
    result, _ = found
    rows = [
        (dataclasses.replace(result, source="r.mp4", verdict="real"), "reports/r.html"),
        (dataclasses.replace(result, source="<f>.mp4", verdict="fake"), ""),
        (dataclasses.replace(result, source="\udc80.mp4", verdict="no_face"), ""),
    ]
    text = write_index(tmp_path / "index.html", rows).read_text("utf-8")
    places = [text.index(name) for name in ("&lt;f&gt;.mp4", "r.mp4", "?.mp4")]
    assert places == sorted(places)
    assert Parsed(text).addresses == ["data:,", "reports/r.html"]
    assert "1 fake, 1 real, 1 no face" in text


def test_a_report_shows_hostile_texts_as_they_are(found, detector, tmp_path):
    result, kept = found
    of_file = hostile("source", "reason", "pixel_format")
    of_model = hostile("name", "engine", "card", "digest")
    face, why = hostile("face", "why").values()
    of_model["digest"] = of_model["digest"][:16]  # so much of it is shown
    model = copy.copy(detector.model)
    vars(model).update(of_model, calibration=Calibration(reason=why))
    track = dataclasses.replace(result.tracks[0], reason=face)
    result = dataclasses.replace(result, tracks=(track,), **of_file)
    page = write_report(tmp_path / "a.html", result, kept, model).read_text("utf-8")
    check_shown(page, [*of_file.values(), *of_model.values(), face, why])


def test_the_index_shows_hostile_texts_as_they_are(found, tmp_path):
    folder, name, reason, link = hostile("folder", "name", "reason", "link").values()
    result = dataclasses.replace(found[0], source=f"{folder}/{name}", reason=reason)
    page = write_index(tmp_path / "index.html", [(result, link)]).read_text("utf-8")
    check_shown(page, [folder, name, reason, link])


def test_what_a_model_is_worth_is_said(detector, run, tmp_path):
    assert "frame AUC is 0.900." in limits(detector.model)
    assert "if 50.0% of the faces one looks at are fakes" in limits(detector.model)
    copy = shutil.copytree(run, tmp_path / "run")
    results = json.loads((copy / "results.json").read_text())
    results["summary"]["frame"]["intervals"]["auc"] = [0.4, 1.0]
    (copy / "results.json").write_text(json.dumps(results))
    (copy / "calibration.json").unlink()
    text = limits(Detector.load(copy, "tensorflow").model)
    assert "may be chance" in text
    assert "not calibrated (this was never done), so all it says is uncertain" in text
    config = copy / "config.toml"
    config.write_text(config.read_text().replace('"ff_c23"', '"demo"'))
    assert "means nothing" in limits(Detector.load(copy, "tensorflow").model)


def test_the_summary_says_why(found):
    result, _ = found
    told = summary(dataclasses.replace(result, reason="the light is bad"))
    assert told.endswith("The light is bad.")
    assert f"{result.pictures_with_face} of {result.pictures}" in told


def test_pictures_show_what_there_is(found, detector):
    result, kept = found
    explanation = explain(detector.model, kept.worst(1)[0].face)
    assert explanation.logit == pytest.approx(kept.worst(1)[0].moment.logit, abs=1e-4)
    assert explanation.attention is None  # the small model has no FAAE
    assert len(face_figure(explanation).axes) == 3
    assert len(bands_figure(explanation.bands).axes) == 4
    assert len(bands_figure(explanation.bands[:1]).axes) == 2  # luma alone
    (curves,) = spectrum_figure(explanation.curve, detector.model.reference).axes
    labels = [line.get_label() for line in curves.lines]
    assert {"this face", "training, real (2 videos)"} <= set(labels)
    shown = next(line for line in curves.lines if line.get_label() == "this face")
    np.testing.assert_allclose(shown.get_ydata()[:191], explanation.curve[:191])
    (axes,) = timeline_figure(result).axes
    (track,) = result.tracks
    drawn = axes.lines[0].get_ydata()
    np.testing.assert_allclose(drawn, [m.score for m in track.moments])
    assert encoded(timeline_figure(result))[:4] == b"\x89PNG"


def test_a_line_is_broken_where_the_face_was_away(found):
    result, _ = found
    (track,) = result.tracks
    first = track.moments[0]
    seen = [dataclasses.replace(first, time=t / 2) for t in (0, 1, 2, 3, 7, 8, 9)]
    gap = dataclasses.replace(track, moments=tuple(seen))
    figure = timeline_figure(dataclasses.replace(result, tracks=(gap,)))
    drawn = figure.axes[0].lines[0].get_ydata()
    assert np.flatnonzero(np.isnan(drawn)).tolist() == [4]
