import dataclasses

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from sfcl_tf.evaluation.compare import aligned, compare
from sfcl_tf.evaluation.plots_groups import plot_differences, plot_groups
from sfcl_tf.evaluation.predictions import Predictions
from sfcl_tf.evaluation.summary import summarize
from sfcl_tf.system.errors import DataError


def make(strength, seed=0, videos=60, frames=4, dataset="d", **facts):
    rng = np.random.default_rng(7)  # the videos; the detector's noise comes below
    video = np.repeat(np.arange(videos), frames)
    label = (np.arange(videos) % 2)[video]
    hard = rng.normal(size=videos)[video]
    noise = np.random.default_rng(seed).normal(size=len(video))
    n = len(video)
    return Predictions(
        dataset=[dataset] * n,
        split=["test"] * n,
        method=np.where(label, "swap", "real"),
        video_id=[f"v{number}" for number in video],
        frame_index=np.tile(np.arange(frames), videos),
        time_s=np.zeros(n),
        track_id=np.zeros(n),
        label=label,
        logit=strength * label + hard + 0.5 * noise,
        **facts,
    )


def test_difference_and_interval_agree_with_scipy():
    """Where videos are many, all intervals that are right agree."""
    one, two = (make(s, seed=s, videos=600, frames=1) for s in (2, 1))
    found = compare(one, two)
    aucs = [roc_auc_score(p.label, p.logit) for p in (one, two)]
    assert found["frame"]["one"] == pytest.approx(aucs[0], abs=1e-12)
    assert found["frame"]["difference"] == pytest.approx(aucs[0] - aucs[1], abs=1e-12)
    fake = one.label == 1
    won = [
        (p.logit[fake][None] > p.logit[~fake][:, None]).astype(float)
        for p in (one, two)
    ]

    def statistic(reals, fakes):  # each class's videos are drawn apart
        drawn = [np.bincount(d, minlength=300).astype(float) for d in (reals, fakes)]
        return drawn[0] @ (won[0] - won[1]) @ drawn[1] / 300**2

    theirs = stats.bootstrap(
        (np.arange(300), np.arange(300)),
        statistic,
        vectorized=False,
        n_resamples=4000,
        method="percentile",
        rng=np.random.default_rng(3),
    )
    np.testing.assert_allclose(
        found["frame"]["interval"],
        theirs.confidence_interval,
        atol=0.3 * theirs.standard_error,
    )
    assert found["frame"]["interval"][0] > 0  # better beyond chance


def test_a_detector_is_no_better_than_itself():
    found = compare(make(1.0), make(1.0))
    for level in ("frame", "video"):
        assert found[level]["difference"] == 0
        assert found[level]["interval"] == [0, 0]


def test_pairing_is_narrower_than_two_intervals_apart():
    one, two = make(2.0), make(1.9, seed=1)
    paired = np.diff(compare(one, two)["frame"]["interval"])[0]
    alone = np.diff(summarize(one)["frame"]["intervals"]["auc"])[0]
    assert paired < alone


def test_rows_are_matched_by_face_whatever_their_order():
    one, two = make(2.0), make(1.0, seed=1)
    order = np.random.default_rng(0).permutation(len(two))
    assert compare(one, two.select(order)) == compare(one, two)
    part = compare(one, two.select(np.arange(100)))
    assert (part["n"], part["left_out"]) == (100, 140)


def test_what_cannot_be_compared_is_told():
    one = make(1.0)
    with pytest.raises(DataError, match="none in common"):
        aligned(one, dataclasses.replace(one, frame_index=one.frame_index + 99))
    flipped = dataclasses.replace(
        one, label=1 - one.label, method=np.where(one.label, "real", "swap")
    )
    with pytest.raises(DataError, match="same labels"):
        aligned(one, flipped)
    reals = one.select(one.label == 0)
    assert compare(reals, reals)["frame"]["difference"] is None


def test_groups_by_codec_and_size():
    n = 240
    crf = np.where(np.arange(n) < 120, 23.0, np.nan)
    size = np.where(np.arange(n) % 2, 100, 300)
    predictions = make(1.0, crf=crf, pixel_format=["yuv420p"] * n, face_size=size)
    summary = summarize(predictions)
    assert list(summary["compressions"]) == ["crf 23", "yuv420p"]
    assert list(summary["face_sizes"]) == ["65 to 128 px", "over 256 px"]
    assert "resolutions" not in summary  # all unknown: one group
    crf23 = summary["compressions"]["crf 23"]["frame"]
    half = predictions.select(np.arange(n) < 120)
    assert crf23["auc"] == pytest.approx(roc_auc_score(half.label, half.logit))
    labels = [t.get_text() for t in plot_groups(summary).axes[0].get_yticklabels()]
    assert "compression: crf 23" in labels
    figure = plot_differences({"test": compare(predictions, predictions)}, "a", "b")
    assert "a less that of b" in figure.axes[0].get_title(loc="left")


def test_pooled_data_sets_keep_their_videos_apart():
    pooled = Predictions.pooled([make(1.0), make(1.0, dataset="e")])
    assert len(pooled) == 480
    assert len(pooled.per_video()) == 120
    assert set(pooled.dataset) == {"d", "e"}
