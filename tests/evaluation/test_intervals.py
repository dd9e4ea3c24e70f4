"""Intervals that hold: how often they cover the truth, and what they say of little."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from sfcl_tf.evaluation.intervals import (
    LEAST_VIDEOS,
    AreaByVideo,
    accuracy_intervals,
)


def sample(rng, reals, fakes, area, frames=1, alike=1.0):
    """Normal scores of an area of so much; frames of a video correlate by `alike`."""
    label = np.repeat([0, 1], [reals, fakes])
    video = np.repeat(np.arange(reals + fakes), frames)
    shared = np.sqrt(alike) * rng.normal(size=reals + fakes)
    score = shared[video] + np.sqrt(1 - alike) * rng.normal(size=len(video))
    score += np.sqrt(2) * stats.norm.ppf(area) * label[video]
    return label[video], score, video


def coverage(repetitions, area, *videos, **options):
    rng = np.random.default_rng(12)
    found = [
        AreaByVideo(*sample(rng, *videos, area, **options)).interval
        for _ in range(repetitions)
    ]
    return np.mean([low <= area <= high for low, high in found])


@pytest.mark.parametrize("area", [0.7, 0.9, 0.99])
@pytest.mark.parametrize("videos", [20, 50, pytest.param(140, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "frames", [{}, {"frames": 10, "alike": 0.5}, {"frames": 30, "alike": 0.8}]
)
def test_interval_covers_the_truth(videos, area, frames):
    assert 0.92 <= coverage(1500, area, videos // 2, videos // 2, **frames) <= 0.98


@pytest.mark.parametrize("area", [0.7, 0.9, 0.99])
@pytest.mark.parametrize("reals", [10, 28])
def test_interval_covers_the_truth_of_one_real_to_four_fakes(reals, area):
    assert 0.92 <= coverage(1000, area, reals, 4 * reals) <= 0.98


@pytest.mark.parametrize("share", [0.7, 0.95])
@pytest.mark.parametrize("videos", [20, 140])
def test_accuracy_intervals_cover_the_truth(videos, share):
    rng = np.random.default_rng(2)
    label = np.repeat(np.arange(videos) % 2, 8)
    video = np.repeat(np.arange(videos), 8)
    cut = stats.norm.ppf(share)
    hits = {"acc": 0, "balanced_acc": 0}
    for _ in range(400):
        score = np.sqrt(0.7) * rng.normal(size=videos)[video]
        score += np.sqrt(0.3) * rng.normal(size=len(video))
        found = accuracy_intervals(label, score < cut, score, video)
        for name, (low, high) in found.items():
            hits[name] += low <= share <= high
    for count in hits.values():
        assert 0.92 <= count / 400 <= 0.985


@pytest.mark.parametrize(("one", "two"), [(0.8, 0.7), (0.95, 0.9), (0.99, 0.95)])
@pytest.mark.parametrize("videos", [20, 140])
def test_difference_covers_the_truth(videos, one, two):
    """At least so often: near perfect areas of few videos it is on the safe side."""
    rng = np.random.default_rng(3)
    label, video = np.arange(videos) % 2, np.arange(videos)
    hits = 0
    for _ in range(300):
        shared = rng.normal(size=videos)
        areas = []
        for area in (one, two):
            own = np.sqrt(0.7) * shared + np.sqrt(0.3) * rng.normal(size=videos)
            moved = own + np.sqrt(2) * stats.norm.ppf(area) * label
            areas.append(AreaByVideo(label, moved, video))
        low, high = areas[0].difference(areas[1])
        hits += low <= one - two <= high
    assert hits / 300 >= 0.92


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from([None, 0]), st.integers(5, 12))
def test_area_and_its_bounds(seed, ties, videos):
    rng = np.random.default_rng(seed)
    label, score, video = sample(rng, videos, videos + 2, 0.8, frames=3, alike=0.6)
    score = score if ties is None else np.round(score, ties)
    found = AreaByVideo(label, score, video)
    assert found.value == pytest.approx(roc_auc_score(label, score), abs=1e-12)
    low, high = found.interval
    assert 0 <= low <= found.value <= high <= 1
    mirrored = AreaByVideo(label, -score, video).interval
    np.testing.assert_allclose(mirrored, (1 - high, 1 - low), atol=1e-9)
    other = AreaByVideo(label, rng.normal(size=len(score)), video)
    less, more = found.difference(other)
    assert less <= found.value - other.value <= more
    np.testing.assert_allclose(other.difference(found), (-more, -less), atol=1e-9)


def test_variance_of_single_frames_is_delongs():
    """Against the structural components of DeLong et al., 1988, one by one."""
    rng = np.random.default_rng(4)
    label, score, video = sample(rng, 12, 20, 0.8)
    real, fake = score[label == 0], score[label == 1]
    won = (fake[None] > real[:, None]).astype(float)
    expected = won.mean(1).var(ddof=1) / 12 + won.mean(0).var(ddof=1) / 20
    found = AreaByVideo(label, score, video)
    parts = found._real.covariance(found._real), found._fake.covariance(found._fake)
    assert sum(parts) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("fewest", [1, 2, LEAST_VIDEOS - 1])
def test_few_videos_have_no_interval(fewest):
    rng = np.random.default_rng(5)
    for reals, fakes in ((fewest, 30), (30, fewest)):
        label, score, video = sample(rng, reals, fakes, 0.8, frames=50, alike=0.2)
        found = AreaByVideo(label, score, video)
        assert found.too_few
        assert found.interval is None
        assert found.difference(found) is None
        assert accuracy_intervals(label, score > 0, score, video) == {}


def test_perfect_separation_is_not_certainty():
    """Six videos of each class: all pairs won with an area of .54, once in forty."""
    label = np.repeat([0, 1], 60)
    video = np.repeat(np.arange(12), 10)
    score = label + np.linspace(0, 0.5, 120)
    found = AreaByVideo(label, score, video)
    assert found.value == 1
    low, high = found.interval
    assert high == 1
    assert low**6 == pytest.approx(0.025)
    assert AreaByVideo(label, -score, video).interval == pytest.approx((0, 1 - low))
    accuracy = accuracy_intervals(label, label == 1, score, video)
    right = accuracy_intervals(label, np.ones(120, bool), score, video)
    assert right["acc"][0] < 0.8
    assert right["balanced_acc"][1] == pytest.approx(1)
    assert accuracy["acc"][0] < 0.5 < accuracy["acc"][1]


def test_exact_bound_is_attained():
    """Of k fakes, each beats all reals with the area's chance, and none else."""
    rng = np.random.default_rng(6)
    bound = 0.025 ** (1 / 8)
    won = (rng.random((40000, 8)) < bound).all(1)
    assert won.mean() == pytest.approx(0.025, abs=0.003)


def test_more_frames_of_the_same_videos_tell_little_more():
    rng = np.random.default_rng(7)
    widths = []
    for frames in (1, 50):
        label, score, video = sample(rng, 40, 40, 0.85, frames=frames, alike=0.9)
        low, high = AreaByVideo(label, score, video).interval
        widths.append(high - low)
    assert widths[1] > 0.7 * widths[0]


def test_one_video_of_most_frames_counts_as_one():
    rng = np.random.default_rng(8)
    label, score, video = sample(rng, 6, 6, 0.8)
    many = np.r_[np.zeros(3000, int), np.arange(12)]
    noisy = score[many] + 0.1 * rng.normal(size=len(many))
    low, high = AreaByVideo(label[many], noisy, video[many]).interval
    assert high - low > 0.5


def test_equal_scores_tell_nothing():
    label = np.repeat([0, 1], 10)
    found = AreaByVideo(label, np.zeros(20), np.arange(20))
    low, high = found.interval
    assert found.value == 0.5
    assert low < 0.35 < 0.65 < high


def test_detectors_that_rank_alike_do_not_differ():
    rng = np.random.default_rng(9)
    label, score, video = sample(rng, 10, 10, 0.9)
    one, two = (AreaByVideo(label, s, video) for s in (score, np.exp(score)))
    assert one.difference(two) == (0, 0)


def test_two_perfect_detectors_may_differ():
    label, video = np.repeat([0, 1], 8), np.arange(16)
    rng = np.random.default_rng(10)
    one, two = (
        AreaByVideo(label, 9 * label + rng.normal(size=16), video) for _ in range(2)
    )
    assert (one.value, two.value) == (1, 1)
    worse = AreaByVideo(label, rng.normal(size=16) + label, video)
    low, high = one.difference(worse)
    assert low < one.value - worse.value < high
