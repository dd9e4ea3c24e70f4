"""The page's parts without a browser: what is written, and what is forgotten."""

import copy
import dataclasses
import html
import importlib.metadata
import math
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hostile_text import check_shown, hostile

from sfcl_tf.app import parts
from sfcl_tf.app.serve import PageSettings, needs_app
from sfcl_tf.app.visits import Visits
from sfcl_tf.cli.options import is_loopback
from sfcl_tf.detect.detector import Detector, failed
from sfcl_tf.detect.highlights import Highlights
from sfcl_tf.detect.results import Moment, Result, Track
from sfcl_tf.evaluation import Calibration
from sfcl_tf.faces.sampling import SamplingOptions
from sfcl_tf.system.errors import DataError, UsageError

HOSTILE = '<img src=x onerror="alert(1)">${1}{{x}}.mp4'


@pytest.fixture(scope="module")
def found(run, clips):
    """A result with its moments, and the model."""
    with Detector.load(run, "tensorflow") as detector:
        kept = Highlights(8)
        sampling = SamplingOptions(previews=True)
        result = detector.examine(clips / "face.mp4", sampling, on_face=kept)
    return dataclasses.replace(result, source=HOSTILE), kept.all(), detector.model


def track(number, scores, times=None):
    times = range(len(scores)) if times is None else times
    moments = tuple(
        Moment(n, float(t), (0, 0, 50, 50), 0.0, s, "real", ())
        for n, (t, s) in enumerate(zip(times, scores, strict=True))
    )
    return Track(number, float(np.mean(scores)), "real", "", moments)


def test_names_of_files_are_shown_as_they_are(found):
    result, kept, _ = found
    for page in (
        parts.verdict(result),
        parts.waiting(HOSTILE),
        parts.stopped(HOSTILE, HOSTILE),
        parts.moments(result, kept, 0),
        parts.verdict(failed(HOSTILE, DataError(HOSTILE), "model")),
    ):
        assert HOSTILE not in page
        assert "<img src=x" not in page
    assert html.escape(HOSTILE) in parts.verdict(result)


def test_every_part_shows_hostile_texts_as_they_are(found):
    result, _, model = found
    file, reason, name, engine, why = hostile(*"abcde").values()
    model = copy.copy(model)
    vars(model).update(name=name, engine=engine, calibration=Calibration(reason=why))
    check_shown(parts.heading(model), [name, engine, why])
    check_shown(parts.waiting(file), [file])
    check_shown(parts.stopped(file, reason), [file, reason])
    result = dataclasses.replace(result, source=file, reason=reason)
    for status in ("ok", "failed"):
        page = parts.verdict(dataclasses.replace(result, status=status))
        check_shown(page, [file, reason])


def test_every_kept_moment_can_be_chosen_in_the_plot_and_below_it(found):
    result, kept, _ = found
    page = parts.moments(result, kept, 1)
    for number in range(len(kept)):
        assert page.count(f'data-moment="{number}"') == 2
    assert page.count(' on"') == 2
    assert parts.moments(result, [], 0) == ""


def test_flags_and_low_coverage_call_for_care(found):
    result = found[0]
    good = dataclasses.replace(result.tracks[0], moments=track(0, [0.5]).moments)
    told = parts.verdict(dataclasses.replace(result, tracks=(good,)))
    assert "Take care" not in told
    few = dataclasses.replace(result, pictures=100, pictures_with_face=3)
    assert "Only 3% of the pictures" in parts.verdict(few)
    moment = dataclasses.replace(track(0, [0.5]).moments[0], flags=("dark",))
    dark = dataclasses.replace(result.tracks[0], moments=(moment,))
    told = parts.verdict(dataclasses.replace(result, tracks=(dark,)))
    assert "darker than the training faces" in told


def test_a_line_keeps_its_peaks_and_breaks_where_the_face_was_away():
    scores = [0.0] * 6000
    scores[4321] = 1.0
    (line,) = parts._lines(track(0, scores), lambda moment: moment.time / 60)
    assert len(line.split()) <= 600
    assert " 72.02,0.00 " in line
    away = track(0, [0.1] * 6, [0, 1, 2, 50, 51, 52])
    assert len(list(parts._lines(away, lambda moment: moment.time))) == 2


def test_moments_without_times_are_told_by_their_picture():
    moment = dataclasses.replace(track(0, [0.5]).moments[0], time=math.nan)
    assert moment.when == "picture 0"
    assert dataclasses.replace(moment, time=3725.25).when == "1:02:05.2"
    assert dataclasses.replace(moment, time=59.98).when == "1:00.0"


def test_a_model_that_cannot_explain_is_said_to(found):
    from sfcl_tf.detect.explain import explain

    _, kept, model = found
    whole = explain(model, kept[0].face)
    page = parts.moment(kept[0], whole, model)
    assert "cannot be asked" not in page
    less = dataclasses.replace(whole, heatmap=None, attention=None, bands=None)
    assert "cannot be asked" in parts.moment(kept[0], less, model)


def upload(root, name="clip.mp4", content=b"film"):
    folder = root / f"{time.monotonic_ns()}"
    folder.mkdir()
    path = folder / name
    path.write_bytes(content)
    return path


def test_an_upload_belongs_to_its_visit_alone(tmp_path):
    visits = Visits(tmp_path)
    first = upload(tmp_path)
    one = visits.begin("one", first, "clip.mp4")
    other = visits.begin("other", upload(tmp_path, "a.txt"), "a.txt")
    assert not first.exists()
    assert one.upload.read_bytes() == b"film"
    assert one.upload.name == "upload.mp4"
    assert other.upload.name == "upload"
    assert visits.of("one") is one
    outside = tmp_path.parent / "outside.mp4"
    outside.write_bytes(b"film")
    for stolen in (one.upload, outside, tmp_path / "visits/../../outside.mp4"):
        with pytest.raises(FileNotFoundError):
            visits.begin("thief", stolen, "clip.mp4")
        assert len(list(visits.folder.iterdir())) == 2
    visits.end("one")
    assert not one.folder.exists()
    assert one.ended
    assert visits.of("one") is None
    assert other.upload.exists()


def test_only_the_latest_visits_are_kept(tmp_path):
    visits = Visits(tmp_path)
    begun = [visits.begin(str(n), upload(tmp_path), "a.mp4") for n in range(20)]
    assert [visit.ended for visit in begun] == [True] * 4 + [False] * 16
    again = visits.begin("19", upload(tmp_path), "b.mp4")
    assert begun[19].ended
    assert visits.of("19") is again
    visits.end_all()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_uploads_that_broke_off_are_swept_up(tmp_path):
    visits = Visits(tmp_path)
    fresh, stale = upload(tmp_path), upload(tmp_path)
    part = tmp_path / "part"
    part.write_bytes(b"fil")
    for path in (stale, part):
        os.utime(path, (time.time() - 1000,) * 2)
    begun = tmp_path / "begun"
    begun.mkdir()
    visits.sweep()
    assert fresh.exists()
    assert begun.exists()
    assert not stale.parent.exists()
    assert not part.exists()


def test_an_upload_is_taken_over_once(tmp_path, monkeypatch):
    visits = Visits(tmp_path)
    path = upload(tmp_path)
    found = Path.is_file
    barrier = threading.Barrier(2)

    def is_file(self):
        there = found(self)
        barrier.wait(10)
        return there

    monkeypatch.setattr(Path, "is_file", is_file)
    with ThreadPoolExecutor() as threads:
        both = [
            threads.submit(visits.begin, name, path, "a.mp4") for name in ("one", "two")
        ]
    monkeypatch.undo()
    failures = [each.exception() for each in both]
    assert [type(each) for each in failures].count(FileNotFoundError) == 1
    assert len(list(visits.folder.iterdir())) == 1
    assert not path.parent.exists()


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("192.168.1.2", False),
        ("example.org", False),
    ],
)
def test_only_this_machine_is_reached_without_a_warning(host, known):
    assert is_loopback(host) == known


def test_wrong_settings_and_a_missing_extra_are_told_of(monkeypatch):
    for wrong in ({"port": 0}, {"port": 70000}, {"max_bytes": 0}):
        with pytest.raises(UsageError, match="Expected"):
            PageSettings(**wrong)

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(UsageError, match=r'pip install "sfcl_tf\[app\]"'):
        needs_app()


def test_what_was_not_read_has_a_reason_and_no_score():
    result = Result("a.mp4", "stalled", reason="it hangs", model="m")
    page = parts.verdict(result)
    assert "could not be looked at" in page
    assert "it hangs" in page
    assert "gauge" not in page
