import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from sfcl_tf.evaluation.bootstrap import (
    WeightedAUC,
    WeightedMeans,
    draw_counts,
    resample,
)

unhurried = settings(deadline=None)


def sample(videos=40, frames=5, ties=None, seed=0):
    """Frames of videos that resemble each other: label, score, video."""
    rng = np.random.default_rng(seed)
    video = np.repeat(np.arange(videos), frames)
    label = (np.arange(videos) % 3 > 0).astype(int)[video]
    score = label + rng.normal(size=videos)[video] + 0.3 * rng.normal(size=len(video))
    return label, score if ties is None else np.round(score, ties), video


@unhurried
@given(st.integers(0, 10**6), st.sampled_from([None, 0, 1]))
def test_weighted_area_equals_scikit_learn(seed, ties):
    label, score, video = sample(12, 3, ties, seed)
    auc = WeightedAUC(label, score, video)
    for counts in draw_counts(12, 4, seed):
        weights = counts[video]
        if len(set(label[weights > 0])) < 2:
            assert np.isnan(auc(counts))
            continue
        expected = roc_auc_score(label, score, sample_weight=weights)
        assert auc(counts) == pytest.approx(expected, abs=1e-12)


def test_weighted_area_is_that_of_the_frames_repeated():
    label, score, video = sample(ties=1)
    counts = next(draw_counts(40, seed=3))
    rows = np.repeat(np.arange(len(label)), counts[video].astype(int))
    expected = roc_auc_score(label[rows], score[rows])
    assert WeightedAUC(label, score, video)(counts) == pytest.approx(
        expected, abs=1e-12
    )


def test_weighted_means_are_those_of_the_frames_repeated():
    label, score, video = sample()
    counts = next(draw_counts(40))
    rows = np.repeat(np.arange(len(label)), counts[video].astype(int))
    mean = WeightedMeans(score, video, 40)
    assert mean(counts) == pytest.approx(score[rows].mean(), abs=1e-12)
    reals = WeightedMeans(score, video, 40, label == 0)
    assert reals(counts) == pytest.approx(score[rows][label[rows] == 0].mean())


@pytest.mark.parametrize("ties", [None, 1])
def test_interval_agrees_with_scipy(ties):
    label, score, video = sample(60, 4, ties)
    auc = WeightedAUC(label, score, video)
    ours = resample(auc, 60, 4000).interval

    def statistic(drawn):
        return auc(np.bincount(drawn, minlength=60).astype(float))

    theirs = stats.bootstrap(
        (np.arange(60),),
        statistic,
        vectorized=False,
        n_resamples=4000,
        method="percentile",
        rng=np.random.default_rng(1),
    )
    # The quantiles of two sets of 4000 draws: some 3 standard errors.
    expected = theirs.confidence_interval
    tolerance = 0.1 * theirs.standard_error * 3
    np.testing.assert_allclose(ours, expected, atol=tolerance)


def test_frames_of_one_video_are_not_independent():
    label, score, video = sample(30, 50)
    by_video = resample(WeightedAUC(label, score, video), 30).interval
    alone = np.arange(len(label))
    by_frame = resample(WeightedAUC(label, score, alone), len(label)).interval
    assert np.diff(by_video) > 2 * np.diff(by_frame)


def test_the_same_seed_gives_the_same_draws():
    for one, two in zip(draw_counts(9, 3), draw_counts(9, 3), strict=True):
        np.testing.assert_array_equal(one, two)
        assert one.sum() == 9


def test_draws_of_one_class_are_left_out_and_too_many_give_no_interval():
    auc = WeightedAUC([0, 1], [0.1, 0.9], [0, 1])
    found = resample(auc, 2, 200)
    share = np.isnan(found.values).mean()
    assert 0.3 < share < 0.7  # half of the draws take one video twice
    never = resample(WeightedAUC([1, 1], [0.1, 0.9], [0, 1]), 2, 50)
    assert never.interval is None
    assert resample(auc, 0, 5).interval is None
