"""Which records stand in a batch."""

import collections
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfcl_tf.inputs.batch_order import BatchOrder


def order(reals, fakes, **changes):
    """The order of videos with so many records each: first reals, then fakes."""
    records = [*reals, *fakes]
    label = np.repeat([0] * len(reals) + [1] * len(fakes), records)
    return BatchOrder(
        np.repeat(np.arange(len(records)), records), label, **{"batch": 20} | changes
    )


@pytest.fixture(scope="module")
def whole():
    """All of FaceForensics++ at 270 frames a video."""
    return order([270] * 720, [270] * 2880, real_repeat=4)


def test_batches_of_faceforensics_are_of_many_videos_and_half_fake(whole):
    record, _ = whole.epoch(0)
    assert record.shape == (77760, 20)
    videos = whole.video[record]
    assert min(len(set(batch)) for batch in videos.tolist()) == 20
    for start in range(0, len(videos), 7776):
        assert len(np.unique(videos[start : start + 100])) >= 1300
    assert (whole.label[record].mean(1) == 0.5).all()


@pytest.mark.slow
def test_epoch_of_faceforensics_has_fakes_once_and_reals_four_times(whole):
    record, repeat = whole.epoch(1)
    seen = np.bincount(record.ravel(), minlength=len(whole.video))
    assert (seen == np.where(whole.label == 1, 1, 4)).all()
    assert whole.passes() == {0: 4, 1: 1}
    # Each time it is another repeat, so that augmentation draws anew.
    pairs = record.ravel() * 4 + repeat.ravel()
    assert len(np.unique(pairs)) == len(pairs)


def test_each_video_is_spread_over_the_epoch():
    built = order([40] * 10, [8] * 50)
    record, _ = built.epoch(0)
    fakes = built.video[record][:, 1::2].ravel()  # of a video a real and a fake in turn
    for quarter in np.split(fakes[:400], 4):
        counts = collections.Counter(quarter.tolist())
        assert set(counts.values()) <= {1, 2, 3}
        assert len(counts) == 50


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=12),
    st.lists(st.integers(1, 30), min_size=1, max_size=12),
    st.integers(1, 9),
    st.integers(1, 5),
)
def test_any_collection_gives_half_and_half(reals, fakes, batch, repeat):
    built = order(reals, fakes, batch=batch, real_repeat=repeat)
    assert built.examples == repeat * sum(reals) + sum(fakes)
    record, repeats = built.epoch(2)
    assert record.shape == repeats.shape == (built.examples // batch, batch)
    if not record.size:
        return
    share = built.label[record].sum(1)
    assert set(share.tolist()) <= {batch // 2, -(-batch // 2)}
    for kind in (0, 1):
        seen = np.bincount(record.ravel(), minlength=len(built.video))
        seen = seen[built.label == kind]
        assert seen.max() - seen.min() <= 1
        assert built.passes()[kind] == pytest.approx(seen.mean())


@pytest.mark.parametrize(
    ("reals", "fakes"), [([5] * 8, [5] * 40), ([1, 2, 30] * 4, [9] * 10 + [200])]
)
def test_no_video_stands_twice_in_a_batch_that_need_not(reals, fakes):
    built = order(reals, fakes, batch=12)
    twice = [
        batch
        for epoch in range(3)
        for batch in built.video[built.epoch(epoch)[0]].tolist()
        if len(set(batch)) < 12
    ]
    # A video that has more records than there are batches has to.
    assert len(twice) == 0 or max(fakes) > built.steps


def test_one_class_alone_fills_the_batches():
    built = order([], [7, 8], batch=4)
    record, _ = built.epoch(0)
    assert len(set(record.ravel().tolist())) == 12
    assert built.passes() == {1: 12 / 15}


def test_nothing_gives_no_batch():
    built = order([], [])
    assert (built.examples, built.steps) == (0, 0)
    assert built.epoch(0)[0].shape == (0, 20)


def test_order_depends_on_seed_and_epoch_alone():
    one, same = order([9] * 5, [9] * 5), order([9] * 5, [9] * 5)
    np.testing.assert_array_equal(one.epoch(3), same.epoch(3))
    others = [one.epoch(3), one.epoch(4), order([9] * 5, [9] * 5, seed=1).epoch(3)]
    for a, b in itertools.combinations(others, 2):
        assert (a[0] != b[0]).any()
