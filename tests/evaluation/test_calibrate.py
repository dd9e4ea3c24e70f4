"""From logits to probabilities, and what is refused as a calibration."""

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from small_predictions import make, overconfident, videos

from sfcl_tf.evaluation import metrics
from sfcl_tf.evaluation.calibrate import Calibration, calibrate
from sfcl_tf.evaluation.thresholds import Thresholds
from sfcl_tf.system.errors import ModelError


def test_the_fit_undoes_overconfidence():
    found = calibrate(overconfident())
    assert found.calibrated
    assert found.slope == pytest.approx(1 / 3, rel=0.1)
    assert found.ece_after < 0.03 < found.ece_before


def test_slope_and_bias_are_the_best_of_all():
    predictions = overconfident(500)
    found = calibrate(predictions)
    label = predictions.label
    weight = 0.5 / np.bincount(label)[label]

    def loss(slope, bias):
        log_odds = slope * predictions.logit + bias
        return weight @ np.logaddexp(0, np.where(label == 1, -log_odds, log_odds))

    slopes, biases = np.exp(np.linspace(-2.9, 2.9, 100)), np.linspace(-2, 2, 101)
    best = min(loss(slope, bias) for slope in slopes for bias in biases)
    # Platt's targets move it by 1 part in 500 or so.
    assert loss(found.slope, found.bias) <= best + 1e-4


@pytest.mark.parametrize("repeats", [1, 4])
def test_a_score_does_not_hold_the_share_of_fakes_in_validation(repeats):
    one = videos(np.random.default_rng(0), 140, 140)
    real, fake = (np.flatnonzero(one.label == kind) for kind in (0, 1))
    rows = np.r_[np.tile(fake, repeats), real]
    found = calibrate(make(one.label[rows], one.logit[rows] + 0.7))
    # On as many fakes as reals, whatever it was fitted on.
    score = found.score(one.logit + 0.7)
    assert metrics.calibration_error(one.label, score) < 0.025
    assert found.score(0.7) == pytest.approx(0.5, abs=0.03)


def test_the_prior_is_told_and_another_one_can_be_asked_for():
    rng = np.random.default_rng(0)
    found = calibrate(videos(rng, 140, 560))
    assert found.prior == 0.5
    test = videos(rng, 140, 560)
    plain = found.score(test.logit)
    assert metrics.balanced_ece(test.label, plain) < 0.03
    assert metrics.calibration_error(test.label, plain) > 0.15
    assert found.balanced_ece_after < 0.03 < 0.15 < found.ece_after
    shifted = found.score(test.logit, prior=0.8)
    assert metrics.calibration_error(test.label, shifted) < 0.03
    np.testing.assert_allclose(found.score(test.logit, prior=0.5), plain)


def test_separated_validation_data_do_not_ask_for_infinite_confidence():
    label = np.arange(20) % 2
    found = calibrate(make(label, 8.0 * label - 4))
    assert found.calibrated
    assert found.score(4.0) == pytest.approx(11 / 12, abs=1e-6)


@pytest.mark.parametrize(
    ("label", "video", "reason"),
    [
        ([0, 0], None, "no fake videos"),
        ([1, 1], None, "no real videos"),
        ([], None, "no real videos"),
        ([0, 0, 1, 1], [0, 0, 1, 2], "1 real video,"),
    ],
)
def test_too_few_videos_calibrate_nothing(label, video, reason):
    found = calibrate(make(label, [0.3, -0.2, 0.1, 0.4][: len(label)], video))
    assert not found.calibrated
    assert reason in found.why
    assert (found.slope, found.bias, found.prior) == (1, 0, None)
    assert (found.frame.real_to, found.video.fake_from) == (0.5, 0.5)


def misled(rng):
    """Scores that are right, but for a few reals with the highest by far."""
    true = rng.normal(scale=1.5, size=4000)
    label = (rng.uniform(size=4000) < special.expit(true)).astype(int)
    return make(np.r_[label, np.zeros(40, int)], np.r_[true, np.full(40, 20.0)])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda p: make(p.label, -p.logit), "do not tell fakes from reals"),
        (lambda p: make(p.label, 0 * p.logit), "do not tell fakes from reals"),
        (lambda p: make(p.label, 1e-4 * p.logit), "at its bound"),
        (lambda p: misled(np.random.default_rng(0)), "worsens the balanced ECE"),
    ],
)
def test_a_fit_that_is_none_is_called_uncalibrated(change, reason):
    found = calibrate(change(overconfident(1000)))
    assert not found.calibrated
    assert reason in found.why
    np.testing.assert_allclose(found.score([-1.0, 2.0]), special.expit([-1.0, 2.0]))
    assert (found.frame.real_to, found.frame.fake_from) == (0.5, 0.5)


def test_without_a_calibration_there_is_no_verdict():
    assert set(Calibration().verdict([0.0, 0.4, 0.6, 1.0])) == {"uncertain"}
    assert Calibration().why


def test_written_and_read_it_is_the_same(tmp_path):
    found = calibrate(overconfident(200))
    found.write(tmp_path)
    assert Calibration.read(tmp_path) == found
    assert Calibration.from_dict(dataclasses.asdict(found)) == found
    assert Calibration.read(tmp_path / "elsewhere") == Calibration()


@pytest.mark.parametrize(
    "text",
    [
        '{"temperature": 1, "typo": 2}',
        '{"temperature": 0, "real_to": 0.5, "fake_from": 0.5}',
        '{"temperature": "hot", "real_to": 0.5, "fake_from": 0.5}',
        '{"levels": []}',
        '{"levels": [{"real_to": 0.5}]}',
        "{}",
        "[1]",
        "{",
    ],
)
def test_a_damaged_calibration_is_told(tmp_path, text):
    (tmp_path / "calibration.json").write_text(text)
    with pytest.raises(ModelError, match="Remove it"):
        Calibration.read(tmp_path)


def test_a_calibration_with_a_temperature_is_read_as_it_was_meant(tmp_path):
    told = {"temperature": 4.0, "real_to": 0.3, "fake_from": 0.7, "calibrated": True}
    told |= {"frames": 64, "ece_before": 0.2, "ece_after": 0.1, "date": "2026-01-01"}
    (tmp_path / "calibration.json").write_text(json.dumps(told))
    found = Calibration.read(tmp_path)
    np.testing.assert_allclose(found.score([-2.0, 6.0]), special.expit([-0.5, 1.5]))
    for pictures in (1, 100):
        verdict = found.verdict([0.3, 0.5, 0.7], pictures)
        assert verdict.tolist() == ["real", "uncertain", "fake"]
    # Nothing is known of several faces.
    assert found.verdict([0.3, 0.9], 8, faces=2).tolist() == ["real", "uncertain"]
    assert (found.prior, found.frames, found.ece_after) == (None, 64, 0.1)
    assert not Calibration.from_dict(told | {"calibrated": False}).calibrated


@settings(deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.05, 0.2]))
def test_calibration_error_and_tpr_equal_their_definitions(seed, rate):
    rng = np.random.default_rng(seed)
    label = np.r_[0, 1, rng.integers(0, 2, 60)]
    score = np.round(rng.uniform(size=62), 2)
    expected = 0.0
    for low in range(15):
        inside = (score * 15 >= low) & (score * 15 < low + 1)
        if low == 14:
            inside |= score == 1
        if inside.any():
            gap = abs(label[inside].mean() - score[inside].mean())
            expected += inside.mean() * gap
    assert metrics.calibration_error(label, score) == pytest.approx(expected, abs=1e-12)
    thresholds = [t for t in np.r_[score, 2] if (score[label == 0] >= t).mean() <= rate]
    best = max((score[label == 1] >= t).mean() for t in thresholds)
    assert metrics.tpr_at_fpr(label, score, rate) == pytest.approx(best, abs=1e-12)


SOUND = Calibration(levels=(Thresholds(0.2, 0.8),), calibrated=True, prior=0.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"slope": math.nan}, "slope nan"),
        ({"slope": -4.0}, "slope -4.0"),
        ({"slope": math.inf}, "slope: inf is greater"),
        ({"slope": "1"}, "slope: '1' is not of"),
        ({"bias": math.inf}, "bias: inf is greater"),
        ({"prior": 1.5}, "prior 1.5"),
        ({"calibrated": 1}, "calibrated: 1 is not of"),
        ({"levels": []}, "no thresholds"),
        ({"levels": (Thresholds(0.9, 0.1),)}, "do not ascend"),
        ({"levels": (Thresholds(math.nan, 0.1),)}, "do not ascend"),
        ({"levels": (Thresholds(0.1, math.nan),)}, "do not ascend"),
        ({"levels": (Thresholds(-0.1, 0.5),)}, "do not ascend"),
        ({"levels": (Thresholds(0.1, 0.5, 1, ((2, 0.4),)),)}, "do not ascend"),
        ({"levels": (Thresholds(0.1, 0.5, 1, ((1, 0.6),)),)}, "among .1. faces"),
        ({"levels": (Thresholds(pictures=4), Thresholds())}, "for .4, 1. pictures"),
        ({"levels": (Thresholds(pictures=0),)}, "for .0. pictures"),
    ],
)
def test_a_calibration_that_cannot_be_is_refused(tmp_path, changes, message):
    dataclasses.replace(SOUND, **changes).write(tmp_path)
    with pytest.raises(ModelError, match=message) as told:
        Calibration.read(tmp_path)
    assert "calibration.json" in str(told.value)
    assert "sfcl calibrate RUN" in str(told.value)


@pytest.mark.parametrize("temperature", [-4, 0, math.nan, math.inf])
def test_an_old_calibration_that_cannot_be_is_refused(tmp_path, temperature):
    values = {"temperature": temperature, "real_to": 0.1, "fake_from": 0.9}
    (tmp_path / "calibration.json").write_text(json.dumps(values))
    with pytest.raises(ModelError, match=r"calibration\.json"):
        Calibration.read(tmp_path)
