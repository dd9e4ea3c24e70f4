"""How well one fact tells labels, against SciPy and against chance."""

import numpy as np
import pytest
import scipy.stats

from sfcl_tf.check.separation import separation


def test_numbers_agree_with_the_kolmogorov_smirnov_test():
    rng = np.random.default_rng(3)
    reals, fakes = rng.integers(0, 50, 40), rng.integers(12, 62, 30)
    found = separation([*reals, *fakes], [0] * 40 + [1] * 30)
    other = scipy.stats.ks_2samp(reals, fakes, method="exact")
    assert found.accuracy == pytest.approx((1 + other.statistic) / 2)
    assert found.p <= 1.2 * other.pvalue + 0.001  # with ties, SciPy's is an upper bound
    assert found.p >= other.pvalue / 5


def test_text_of_two_values_agrees_with_fishers_test():
    counts = np.array([[14, 6], [5, 15]])
    values = ["a"] * 14 + ["b"] * 6 + ["a"] * 5 + ["b"] * 15
    found = separation(values, [0] * 20 + [1] * 20)
    assert found.accuracy == pytest.approx((14 / 20 + 15 / 20) / 2)
    other = scipy.stats.fisher_exact(counts).pvalue
    assert found.p == pytest.approx(other, rel=0.25)


def test_labels_dealt_at_random_seldom_look_significant():
    rng = np.random.default_rng(5)
    ps = [separation(rng.integers(0, 5, 60), np.arange(60) % 2).p for _ in range(100)]
    assert sum(p <= 0.05 for p in ps) <= 10


def test_many_values_of_their_own_mean_nothing():
    labels = np.arange(400) % 2
    found = separation([f"writer {n}" for n in range(400)], labels)
    assert found.p > 0.01
    found = separation(np.random.default_rng(0).permutation(400), labels)
    assert found.p > 0.01
    found = separation(np.arange(400), np.arange(400) >= 200)
    assert found.accuracy == 1.0
    assert found.p < 0.001


def test_one_class_or_one_value_tells_nothing():
    assert separation(["a", "b"], [1, 1]) is None
    assert separation(["a", "a"], [0, 1]) is None
    assert separation(["a", "b", "a", "b"], [0, 0, 1, 1], least=0.6) is None
