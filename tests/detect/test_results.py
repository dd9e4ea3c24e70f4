"""Verdicts, their reasons, and results as JSON."""

import dataclasses
import json
import math

import numpy as np
import pytest

from sfcl_tf.detect.results import FLAGS, Moment, Result
from sfcl_tf.detect.verdict import Judgement
from sfcl_tf.evaluation import Calibration
from sfcl_tf.evaluation.reference import Reference
from sfcl_tf.evaluation.thresholds import Thresholds
from sfcl_tf.faces.quality import Quality, measure

CALIBRATION = Calibration(
    levels=(
        Thresholds(0.3, 0.7, 1, ((2, 0.8), (16, 0.95))),
        Thresholds(0.4, 0.6, 4, ((2, 0.7), (16, 0.85))),
    ),
    calibrated=True,
)
GOOD = Quality(size=200, sharpness=20, brightness=120, detail=1)


def moment(index, score, flags=()):
    return Moment(index, index / 2, (0, 0, 9, 9), 0.0, score, "real", tuple(flags))


@pytest.fixture
def judgement():
    low = Quality(size=100, sharpness=12.5, brightness=75, detail=0.625)
    curve = np.zeros((2, 192))
    reference = Reference(100, (5, 5), low, low, 23.0, curve, curve)
    return Judgement(CALIBRATION, reference)


@pytest.mark.parametrize(
    ("score", "verdict"),
    [(0.0, "real"), (0.3, "real"), (0.31, "uncertain"), (0.7, "fake"), (1.0, "fake")],
)
def test_the_verdict_is_that_of_the_mean(judgement, score, verdict):
    spread = 0.2 * min(score, 1 - score)
    moments = [(4, moment(0, score - spread)), (4, moment(1, score + spread))]
    (track,) = judgement.tracks(moments)
    assert track.score == pytest.approx(score)
    # The mean of floats may lie a bit beside a threshold.
    assert judgement.verdict(score) == verdict
    assert track.number == 4


def track_of(scores, number=0):
    return [(number, moment(n, score)) for n, score in enumerate(scores)]


@pytest.mark.parametrize(
    ("pictures", "verdict"), [(1, "uncertain"), (3, "uncertain"), (4, "fake")]
)
def test_a_mean_is_judged_as_one_over_so_many_pictures(judgement, pictures, verdict):
    (track,) = judgement.tracks(track_of([0.65] * pictures))
    assert track.verdict == verdict
    expected = (0.4, 0.6) if pictures == 4 else (0.3, 0.7)
    assert (track.real_to, track.fake_from) == expected
    assert ("between 0.300 and 0.700" in track.reason) == (pictures < 4)


@pytest.mark.parametrize(
    ("faces", "verdict"),
    [(1, "fake"), (2, "fake"), (3, "uncertain"), (17, "uncertain")],
)
def test_fake_begins_higher_among_several_faces(judgement, faces, verdict):
    moments = track_of([0.8] * 4)
    for number in range(1, faces):
        moments += track_of([0.1] * 4, number)
    first, *rest = judgement.tracks(moments)
    assert first.verdict == verdict
    assert {track.verdict for track in rest} <= {"real"}
    if faces == 3:
        assert first.fake_from == 0.85
        assert "highest of 3 real faces may reach 0.850" in first.reason
    if faces == 17:
        assert first.fake_from is None
        assert "one of 17" in first.reason


def test_without_a_calibration_nothing_is_claimed():
    judgement = Judgement(Calibration(reason="it was one video"), None)
    for score in (0.01, 0.99):
        (track,) = judgement.tracks(track_of([score]))
        assert track.verdict == judgement.verdict(score) == "uncertain"
        assert "not calibrated (it was one video)" in track.reason
        assert (track.real_to, track.fake_from) == (None, None)


def test_the_track_with_the_highest_score_comes_first(judgement):
    moments = [(0, moment(0, 0.1)), (1, moment(0, 0.9)), (0, moment(1, 0.3))]
    first, second = judgement.tracks(moments)
    assert (first.number, first.verdict) == (1, "fake")
    assert (second.score, second.verdict) == (pytest.approx(0.2), "real")


@pytest.mark.parametrize(("flagged", "verdict"), [(2, "fake"), (3, "uncertain")])
def test_a_face_unlike_the_training_faces_cannot_be_told(judgement, flagged, verdict):
    moments = [(0, moment(n, 0.9, ["dark"] * (n < flagged))) for n in range(4)]
    (track,) = judgement.tracks(moments)
    assert track.verdict == verdict
    assert ("would be called fake" in track.reason) == (verdict == "uncertain")
    assert track.score == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("change", "frontal", "crf", "flags"),
    [
        ({}, True, math.nan, ()),
        ({"size": 79}, True, 23.0, ("small",)),
        ({"sharpness": 9}, True, 29.0, ("blurred",)),
        ({"brightness": 59}, True, 23.0, ("dark",)),
        ({}, False, 23.0, ("profile",)),
        ({"detail": 0.4}, True, 23.0, ("heavy_compression",)),
        ({}, True, 30.0, ("heavy_compression",)),
        (
            {"size": 1, "brightness": 1},
            False,
            40.0,
            ("small", "dark", "profile", "heavy_compression"),
        ),
    ],
)
def test_flags_hold_faces_against_the_training_faces(
    judgement, change, frontal, crf, flags
):
    assert judgement.flags(dataclasses.replace(GOOD, **change), frontal, crf) == flags


def test_quality_falls_with_what_it_measures(astronaut):
    import cv2

    face = astronaut[40:200, 100:260]
    good = measure(face)
    assert measure(cv2.GaussianBlur(face, (0, 0), 3)).sharpness < good.sharpness / 2
    assert measure(face // 4).brightness == pytest.approx(good.brightness / 4, rel=0.05)
    _, jpeg = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, 10])
    compressed = measure(cv2.imdecode(jpeg, cv2.IMREAD_COLOR))
    assert compressed.detail < good.detail / 2
    assert measure(face[:80]).size == good.size == 160
    with pytest.raises(ValueError, match="8x8"):
        measure(face[:7])


def test_detail_is_scipys_dct_in_float64(astronaut):
    import scipy.fft

    face = astronaut[40:63, 100:132]
    luma = np.rint(face @ np.array([0.299, 0.587, 0.114]))
    found = []
    for row in range(2):
        for column in range(4):
            block = luma[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
            bands = scipy.fft.dctn(block, norm="ortho")
            found += [abs(bands[i, j]) for i in range(8) for j in range(8) if i + j > 6]
    assert measure(face).detail == pytest.approx(np.mean(found), rel=0.02)


def test_json_gives_back_the_same_result(judgement):
    moments = [(0, moment(0, 0.9, FLAGS)), (1, moment(1, 0.123456789012345))]
    result = Result(
        "a\udc80.mp4",
        "ok",
        "fake",
        0.9,
        tracks=judgement.tracks(moments),
        crf=None,
        real_to=0.3,
    )
    again = Result.from_dict(json.loads(result.to_json()))
    assert again == result
    assert [track.fake_from for track in again.tracks] == [0.8, 0.8]
    # As it was kept before faces had thresholds of their own.
    earlier = json.loads(result.to_json())
    for track in earlier["tracks"]:
        del track["real_to"], track["fake_from"]
    del earlier["faces_fake"]
    assert Result.from_dict(earlier).tracks[0].fake_from is None
    timeless = dataclasses.replace(moments[0][1], time=math.nan)
    told = dataclasses.replace(result, tracks=judgement.tracks([(0, timeless)]))
    text = told.to_json()
    assert "NaN" not in text
    (track,) = Result.from_dict(json.loads(text)).tracks
    assert math.isnan(track.moments[0].time)


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"schema": 2},
        {"schema": 1},
        {"schema": 1, "source": "a", "status": "ok", "tracks": [{}]},
    ],
)
def test_what_is_no_result_is_told(told):
    with pytest.raises(ValueError, match="Expected"):
        Result.from_dict(told)
