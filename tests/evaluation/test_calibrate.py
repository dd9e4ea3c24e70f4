import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from sfcl_tf.errors import ModelError
from sfcl_tf.evaluation import metrics
from sfcl_tf.evaluation.calibrate import (
    Calibration,
    calibrate,
    judge,
    operating_point,
    threshold_at_fpr,
)
from sfcl_tf.evaluation.predictions import Predictions


def make(label, logit, video=None):
    n = len(label)
    method = np.where(np.asarray(label) == 1, "swap", "real")
    video = np.arange(n) if video is None else video
    same = (["d"] * n, ["val"] * n, method, [f"v{v}" for v in video], range(n))
    return Predictions(*map(list, same), np.zeros(n), [0] * n, label, logit)


def overconfident(n=4000, factor=3.0):
    """Logits that are `factor` times as large as they should be."""
    rng = np.random.default_rng(0)
    true = rng.normal(scale=1.5, size=n)
    label = (rng.uniform(size=n) < special.expit(true)).astype(int)
    return make(label, factor * true)


def test_temperature_undoes_overconfidence():
    found = calibrate(overconfident())
    assert found.calibrated
    assert found.temperature == pytest.approx(3, rel=0.1)
    assert found.ece_after < 0.03 < found.ece_before


def test_temperature_is_the_best_of_all():
    predictions = overconfident(500)
    found = calibrate(predictions)

    def loss(temperature):
        return metrics.log_loss(predictions.label, predictions.logit / temperature)

    grid = np.exp(np.linspace(-2.9, 2.9, 2000))
    # Platt's targets move it by 1 part in 500 or so.
    assert loss(found.temperature) <= min(map(loss, grid)) + 1e-4


def test_separated_validation_data_do_not_ask_for_infinite_confidence():
    label = np.arange(20) % 2
    found = calibrate(make(label, 8.0 * label - 4))
    assert found.score(4.0) == pytest.approx(11 / 12, abs=1e-6)


def test_verdicts_err_by_at_most_five_percent_on_validation():
    predictions = overconfident()
    found = calibrate(predictions)
    score = found.score(predictions.logit)
    reals, fakes = score[predictions.label == 0], score[predictions.label == 1]
    assert 0.045 < (reals >= found.fake_from).mean() <= 0.05
    assert 0.045 < (fakes <= found.real_to).mean() <= 0.05
    assert found.real_to < found.fake_from
    verdict = found.verdict([found.real_to, (found.real_to + found.fake_from) / 2, 1.0])
    assert verdict.tolist() == ["real", "uncertain", "fake"]


def test_thresholds_that_cross_become_one():
    rng = np.random.default_rng(1)
    label = np.arange(400) % 2
    found = calibrate(make(label, 20 * label - 10 + rng.normal(size=400)))
    assert found.real_to == found.fake_from == pytest.approx(0.5, abs=0.05)
    assert set(found.verdict(np.linspace(0, 1, 50))) == {"real", "fake"}
    assert found.verdict(found.fake_from) == "fake"


@pytest.mark.parametrize("label", [[0, 0], [1, 1], []])
def test_one_class_leaves_the_threshold_at_a_half(label):
    found = calibrate(make(label, [0.3, -0.2][: len(label)]))
    assert not found.calibrated
    assert (found.temperature, found.real_to, found.fake_from) == (1, 0.5, 0.5)
    assert found.verdict([0.4, 0.5]).tolist() == ["real", "fake"]


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


def test_written_and_read_it_is_the_same(tmp_path):
    found = calibrate(overconfident(200))
    found.write(tmp_path)
    assert Calibration.read(tmp_path) == found
    assert Calibration.read(tmp_path / "elsewhere") == Calibration()
    (tmp_path / "calibration.json").write_text('{"temperature": 1, "typo": 2}')
    with pytest.raises(ModelError, match="Remove it"):
        Calibration.read(tmp_path)


def test_a_chosen_rate_is_kept_on_validation_and_tried_elsewhere():
    validation = overconfident()
    calibration = calibrate(validation)
    found = operating_point(validation, validation, calibration, 0.01)
    assert 0.005 < found["frame"]["fpr"] <= 0.01
    score = calibration.score(validation.logit)
    reached = score[validation.label == 1] >= found["threshold"]
    assert found["frame"]["tpr"] == reached.mean()
    fakes = validation.select(validation.label == 1)
    assert operating_point(validation, fakes, calibration, 0.01)["video"]["fpr"] is None


def test_verdicts_are_judged_by_frame_and_by_video():
    calibration = Calibration(1.0, 0.2, 0.8, True)
    logit = special.logit([0.1, 0.9, 0.9, 0.5])
    found = judge(make([0, 0, 1, 1], logit, video=[0, 0, 1, 1]), calibration)
    assert found["frame"]["uncertain"] == 0.25
    assert found["frame"]["error"] == pytest.approx(1 / 3)
    # Both videos' means lie between the thresholds.
    assert (found["video"]["uncertain"], found["video"]["error"]) == (1.0, None)


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
