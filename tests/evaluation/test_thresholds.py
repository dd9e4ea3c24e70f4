"""Where verdicts begin: by picture, by video, and by the number of faces."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from small_predictions import make, means, overconfident, videos

from sfcl_tf.evaluation.calibrate import (
    Calibration,
    calibrate,
    judge,
    operating_point,
)
from sfcl_tf.evaluation.thresholds import Thresholds, rate_of_one, threshold_at_fpr


def test_verdicts_err_by_at_most_five_percent_on_validation():
    predictions = overconfident()
    found = calibrate(predictions)
    score = found.score(predictions.logit)
    reals, fakes = score[predictions.label == 0], score[predictions.label == 1]
    level = found.frame
    assert 0.045 < (reals >= level.fake_from).mean() <= 0.05
    assert 0.045 < (fakes <= level.real_to).mean() <= 0.05
    assert level.real_to < level.fake_from
    verdict = found.verdict([level.real_to, (level.real_to + level.fake_from) / 2, 1.0])
    assert verdict.tolist() == ["real", "uncertain", "fake"]


def test_thresholds_that_cross_become_one():
    rng = np.random.default_rng(1)
    label = np.arange(400) % 2
    found = calibrate(make(label, 20 * label - 10 + rng.normal(size=400)))
    level = found.frame
    assert level.real_to == level.fake_from == pytest.approx(0.5, abs=0.05)
    assert set(found.verdict(np.linspace(0, 1, 50))) == {"real", "fake"}
    assert found.verdict(level.fake_from) == "fake"


def test_the_level_is_the_largest_with_no_more_pictures():
    found = calibrate(videos(np.random.default_rng(0), 20, 40, frames=20))
    assert [level.pictures for level in found.levels] == [1, 2, 4, 8, 20]
    judging = {n: found.level(n).pictures for n in (1, 2, 3, 7, 8, 19, 20, 500)}
    assert judging == {1: 1, 2: 2, 3: 2, 7: 4, 8: 8, 19: 8, 20: 20, 500: 20}
    assert (found.frame.reals, found.frame.fakes) == (400, 800)
    assert (found.video.reals, found.video.fakes) == (20, 40)
    widths = [level.fake_from - level.real_to for level in found.levels]
    assert widths[0] == max(widths)
    assert widths[-1] == min(widths)


def test_fake_begins_no_lower_among_more_faces():
    validation = videos(np.random.default_rng(0), 140, 560)
    found = calibrate(validation)
    for level in found.levels:
        starts = [level.fake_among(faces) for faces in range(1, 1025)]
        assert starts == sorted(starts)
        assert level.fake_among(1025) is None
    assert found.verdict(1.0, 32, faces=1025) == "uncertain"
    # Each of 14 may err in 1 of 273 cases: 140 videos do not tell how high that is.
    assert found.video.fake_among(14) > means(validation, found)[:140].max()


@pytest.mark.parametrize(("faces", "rate"), [(1, 0.05), (14, 1 - 0.95 ** (1 / 14))])
def test_the_rate_of_one_face_is_sidaks(faces, rate):
    assert rate_of_one(faces) == pytest.approx(rate, rel=1e-12)


def test_a_chosen_rate_is_kept_on_validation_and_tried_elsewhere():
    validation = overconfident()
    calibration = calibrate(validation)
    found = operating_point(validation, validation, calibration, 0.01)
    assert 0.005 < found["frame"]["fpr"] <= 0.01
    score = calibration.score(validation.logit)
    reached = score[validation.label == 1] >= found["frame"]["threshold"]
    assert found["frame"]["tpr"] == reached.mean()
    fakes = validation.select(validation.label == 1)
    assert operating_point(validation, fakes, calibration, 0.01)["video"]["fpr"] is None


def test_a_chosen_rate_is_kept_by_video_too():
    validation = videos(np.random.default_rng(0), 200, 200)
    found = operating_point(validation, validation, calibrate(validation), 0.1)
    for level in ("frame", "video"):
        assert 0.09 < found[level]["fpr"] <= 0.1
    assert found["video"]["threshold"] < found["frame"]["threshold"]
    assert found["video"]["tpr"] > found["frame"]["tpr"]


def test_verdicts_are_judged_by_frame_and_by_video():
    levels = (Thresholds(0.2, 0.8), Thresholds(0.4, 0.65, 2))
    calibration = Calibration(levels=levels, calibrated=True)
    logit = special.logit([0.1, 0.9, 0.9, 0.5])
    found = judge(make([0, 0, 1, 1], logit, video=[0, 0, 1, 1]), calibration)
    assert found["frame"]["uncertain"] == 0.25
    assert found["frame"]["error"] == pytest.approx(1 / 3)
    assert found["frame"]["reals_called_fake"] == 0.5
    assert found["frame"]["fakes_called_real"] == 0.0
    # The means are .5 and .7.
    assert (found["video"]["uncertain"], found["video"]["error"]) == (0.5, 0.0)
    # A video of one frame is judged as a frame.
    found = judge(make([0, 1], special.logit([0.3, 0.7])), calibration)
    assert (found["video"]["uncertain"], found["video"]["error"]) == (1.0, None)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0, 0.01, 0.05, 0.5, 1]))
def test_threshold_is_the_lowest_with_few_enough_false_alarms(seed, rate):
    rng = np.random.default_rng(seed)
    score = np.round(rng.uniform(size=30), 1)
    label = np.r_[0, rng.integers(0, 2, 29)]
    found = threshold_at_fpr(label, score, rate)
    reals = score[label == 0]
    assert (reals >= found).mean() <= rate
    lower = score[score < found]
    if lower.size:
        assert (reals >= lower.max()).mean() > rate
