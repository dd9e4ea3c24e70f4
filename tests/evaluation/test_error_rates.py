"""How often verdicts are wrong on what they were not fitted on, by simulation."""

import numpy as np
import pytest
from small_predictions import means, videos

from sfcl_tf.evaluation import metrics
from sfcl_tf.evaluation.calibrate import calibrate, judge


def test_means_over_videos_are_judged_by_thresholds_of_means():
    rng = np.random.default_rng(0)
    found = calibrate(videos(rng, 140, 560))
    test = videos(rng, 140, 560)
    assert metrics.roc_auc(test.label, test.logit) == pytest.approx(0.81, abs=0.02)
    judged = judge(test, found)["video"]
    assert judged["uncertain"] < 0.35
    assert judged["reals_called_fake"] < 0.09
    assert judged["fakes_called_real"] < 0.09
    # Means by the thresholds of single frames leave most videos open.
    by_frame = found.verdict(means(test, found), pictures=1)
    assert (by_frame == "uncertain").mean() > 0.8


@pytest.mark.parametrize("pictures", [1, 3, 8, 32, 64])
def test_a_short_track_errs_no_more_than_a_long_one(pictures):
    wrong = []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        found = calibrate(videos(rng, 140, 140))
        test = videos(rng, 100, 100, pictures)
        verdict = found.verdict(means(test, found), pictures).reshape(2, 100)
        wrong.append(np.mean(verdict == [["fake"], ["real"]], 1))
    assert np.max(np.mean(wrong, 0)) < 0.06


@pytest.mark.parametrize("faces", [1, 5, 14])
@pytest.mark.parametrize("reals", [140, 30, 12])
def test_a_file_of_real_faces_is_seldom_called_fake_however_many(faces, reals):
    called = {faces: [], 1: []}
    for seed in range(30):
        rng = np.random.default_rng(seed)
        found = calibrate(videos(rng, reals, 40, frames=8))
        files = means(videos(rng, 200 * faces, 0, frames=8), found)
        for judged, shares in called.items():
            fake = found.verdict(files, 8, judged) == "fake"
            shares.append(fake.reshape(-1, faces).any(1).mean())
    assert np.mean(called[faces]) < 0.06
    if reals == 140 and faces == 14:
        # As if each were alone.
        assert np.mean(called[1]) == pytest.approx(1 - 0.95**14, abs=0.07)
