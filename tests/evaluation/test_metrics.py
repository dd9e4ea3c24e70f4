import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from sfcl_tf.evaluation import metrics
from sfcl_tf.evaluation.predictions import Predictions
from sfcl_tf.evaluation.summary import summarize

unhurried = settings(deadline=None)  # the machine may be busy
BOTH = (
    metrics.roc_auc,
    metrics.average_precision,
    metrics.equal_error_rate,
    metrics.balanced_accuracy,
)


@st.composite
def samples(draw):
    """Labels of both classes and scores on a coarse grid, hence with ties."""
    label = [*draw(st.lists(st.integers(0, 1), max_size=40)), 0, 1]
    grid = st.integers(0, 8).map(lambda i: i / 8)
    score = draw(st.lists(grid, min_size=len(label), max_size=len(label)))
    return np.array(label), np.array(score)


@unhurried
@given(samples())
def test_figures_equal_scikit_learn_with_ties(sample):
    label, score = sample
    called = score >= 0.5
    pairs = [
        (metrics.roc_auc(*sample), oracle.roc_auc_score(*sample)),
        (metrics.average_precision(*sample), oracle.average_precision_score(*sample)),
        (metrics.accuracy(*sample), oracle.accuracy_score(label, called)),
        (
            metrics.balanced_accuracy(*sample),
            oracle.balanced_accuracy_score(label, called),
        ),
    ]
    for ours, theirs in pairs:
        assert ours == pytest.approx(theirs, abs=1e-12)


@unhurried
@given(samples())
def test_roc_curve_equals_scikit_learn(sample):
    theirs = oracle.roc_curve(*sample, drop_intermediate=False)
    for ours, expected in zip(metrics.roc_curve(*sample), theirs, strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-12)


@unhurried
@given(samples())
def test_area_under_the_curve_is_the_auc(sample):
    x, y, _ = metrics.roc_curve(*sample)
    assert np.trapezoid(y, x) == pytest.approx(metrics.roc_auc(*sample), abs=1e-12)


@unhurried
@given(samples())
def test_swapping_the_classes_keeps_auc_and_eer(sample):
    label, score = sample
    for metric in (metrics.roc_auc, metrics.equal_error_rate):
        swapped = metric(1 - label, -score)
        assert metric(*sample) == pytest.approx(swapped, abs=1e-12)


@unhurried
@given(samples())
def test_log_loss_equals_scikit_learn(sample):
    label, score = sample
    logit = 8 * score - 4
    expected = oracle.log_loss(label, 1 / (1 + np.exp(-logit)))
    assert metrics.log_loss(label, logit) == pytest.approx(expected, rel=1e-9)


def test_small_cases_by_hand():
    label, score = [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]
    assert metrics.roc_auc(label, score) == 0.75
    assert metrics.average_precision(label, score) == pytest.approx(0.5 + 1 / 3)
    assert metrics.equal_error_rate(label, score) == 0.5
    assert metrics.accuracy(label, score) == 0.75
    assert metrics.accuracy(label, score, threshold=0.35) == 0.75
    assert metrics.balanced_accuracy([0, 0, 0, 1], [0, 0, 1, 1]) == pytest.approx(5 / 6)


def test_equal_error_rate_is_interpolated():
    # All tied: the ROC is the diagonal, with points at its two ends only.
    assert metrics.equal_error_rate([0, 0, 1], [0.3, 0.3, 0.3]) == 0.5
    # From (1/3, 1/2) the curve rises to (1/3, 1), passing FPR = 1 - TPR at 1/3.
    label, score = [1, 0, 1, 0, 0], [0.9, 0.8, 0.7, 0.6, 0.5]
    assert metrics.equal_error_rate(label, score) == pytest.approx(1 / 3)


def test_log_loss_does_not_saturate():
    assert metrics.log_loss([1], [-1000.0]) == 1000
    assert metrics.log_loss([1], [1000.0]) == 0
    assert metrics.log_loss([0, 1], [0.0, 0.0]) == pytest.approx(math.log(2))


@pytest.mark.parametrize("metric", BOTH)
@pytest.mark.parametrize("label", [[0, 0], [1, 1], []])
def test_a_missing_class_gives_nan(metric, label):
    assert math.isnan(metric(label, [0.2, 0.7][: len(label)]))


def test_roc_curve_of_one_class_has_nan_for_the_other():
    false_rate, true_rate, _ = metrics.roc_curve([1, 1], [0.2, 0.7])
    assert np.isnan(false_rate).all()
    np.testing.assert_array_equal(true_rate, [0, 0.5, 1])


@pytest.mark.parametrize("metric", [*BOTH, metrics.accuracy, metrics.log_loss])
@pytest.mark.parametrize(
    ("label", "score", "message"),
    [
        ([0, 1], [0.5], r"Received: shapes \(2,\) and \(1,\)"),
        ([[0, 1]], [[0.5, 0.5]], "Expected 1-D"),
        ([0, 2], [0.5, 0.5], r"Received: \[0, 2\]"),
        ([0, 1], [0.5, math.nan], "Received: 1 NaN of 2"),
    ],
)
def test_bad_input_is_told(metric, label, score, message):
    with pytest.raises(ValueError, match=message):
        metric(label, score)


def make(method, video, logit):
    n = len(method)
    label = [int(m != "real") for m in method]
    same = (["d"] * n, ["test"] * n, method, video, range(n), np.zeros(n), [0] * n)
    return Predictions(*map(list, same), label, logit)


def test_summary_sets_each_method_against_all_reals():
    predictions = make(
        ["real", "real", "swap", "swap", "blend"],
        ["r0", "r1", "s", "s", "b"],
        [-2.0, 1.0, 3.0, -1.0, 0.5],
    )
    summary = summarize(predictions)
    assert list(summary["methods"]) == ["blend", "swap"]
    assert summary["frame"]["n"] == 5
    assert summary["video"]["n"] == 4
    blend = summary["methods"]["blend"]
    assert (blend["frame"]["n_real"], blend["frame"]["n_fake"]) == (2, 1)
    assert blend["frame"]["auc"] == 0.5
    # The mean score of "s" is 0.611, below the real r1's 0.731.
    assert summary["methods"]["swap"]["video"]["auc"] == 0.5
    assert summary["methods"]["swap"]["frame"]["auc"] == 0.75
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_summary_has_none_where_a_class_is_missing():
    summary = summarize(make(["real"], ["r"], [-1.0]))
    assert summary["methods"] == {}
    assert summary["frame"]["auc"] is None
    assert summary["frame"]["acc"] == 1
    assert summary["video"]["log_loss"] == pytest.approx(math.log(1 + math.exp(-1)))


def test_summary_ranks_frames_whose_scores_saturate():
    summary = summarize(make(["real", "swap"], ["r", "s"], [40.0, 80.0]))
    assert summary["frame"]["auc"] == 1
    assert math.isfinite(summary["video"]["log_loss"])


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 5))
def test_balanced_error_is_that_of_data_with_as_many_fakes_as_reals(seed, repeats):
    rng = np.random.default_rng(seed)
    real, fake = np.round(rng.uniform(size=(2, 30)), 2)
    label = np.repeat([0, 1], 30)
    even = metrics.calibration_error(label, np.r_[real, fake])
    many = np.r_[np.zeros(30, int), np.ones(30 * repeats, int)]
    scores = np.r_[real, np.tile(fake, repeats)]
    assert metrics.balanced_ece(many, scores) == pytest.approx(even, abs=1e-12)
    assert np.isnan(metrics.balanced_ece(label[:30], real))
