"""What training is given: shuffled, balanced, and the same for the same seed."""

import collections
import itertools

import numpy as np
import pytest
import tensorflow as tf

from sfcl_tf.system.errors import DataError

# Training records: 6 of real faces, 24 of forged ones.
REALS, FAKES = 6, 24


@pytest.fixture(scope="module")
def faces(pipeline):
    """Images of the training split as they are, and their labels."""
    (inputs, label, _), *rest = pipeline().evaluation("train")
    assert not rest
    return inputs["image"].numpy(), label.numpy()[:, 0]


@pytest.fixture(scope="module")
def epochs(pipeline, faces):
    """A function that names each example of some epochs as `(record, flipped)`."""

    def read(count, *overrides):
        built = pipeline(*overrides)
        steps = built.steps_per_epoch()
        batches = iter(built.training())
        return [
            [
                name(image, label, faces)
                for image, label in examples(itertools.islice(batches, steps))
            ]
            for _ in range(count)
        ]

    return read


def examples(batches):
    for inputs, labels in batches:
        yield from zip(inputs["image"].numpy(), labels.numpy()[:, 0], strict=True)


def name(image, label, faces):
    """Finds which record an image is of, and whether it is mirrored."""
    images, labels = faces
    distances = [
        np.abs(images[..., ::step, :] - image).max((1, 2, 3)) for step in (1, -1)
    ]
    flipped, record = np.unravel_index(np.argmin(distances), (2, len(images)))
    assert np.min(distances) < 0.01
    assert labels[record] == label
    return int(record), bool(flipped)


def counts(epoch, labels):
    """How often each record was seen, by label."""
    seen = collections.Counter(record for record, _ in epoch)
    return [{seen[i] for i in np.flatnonzero(labels == label)} for label in (0, 1)]


def test_epoch_has_every_fake_once_and_reals_as_often_as_asked(pipeline, epochs, faces):
    built = pipeline("train.batch_size=6")
    assert built.training_examples() == FAKES + 4 * REALS
    assert built.steps_per_epoch() == (FAKES + 4 * REALS) // 6
    for epoch in epochs(2, "train.batch_size=6"):
        assert counts(epoch, faces[1]) == [{4}, {1}]


@pytest.mark.parametrize("repeat", [1, 2, 7])
def test_batches_are_half_real_whatever_the_repeat(pipeline, epochs, faces, repeat):
    change = f"data.real_repeat={repeat}", "train.batch_size=6"
    assert pipeline(*change).training_examples() == FAKES + repeat * REALS
    for epoch in epochs(2, *change):
        assert len(epoch) == (FAKES + repeat * REALS) // 6 * 6
        labels = faces[1][[record for record, _ in epoch]]
        assert (labels.reshape(-1, 6).sum(1) == 3).all()
        for seen in counts(epoch, faces[1]):  # none much oftener than another
            assert max(seen) - min(seen) <= 1


def test_auto_balances_reals_and_fakes(pipeline):
    built = pipeline('data.real_repeat="auto"')
    assert built.real_repeat() == FAKES // REALS
    assert built.training_examples() == 2 * FAKES


def test_remainder_of_an_epoch_is_dropped(pipeline, epochs):
    change = "train.batch_size=14"
    assert pipeline(change).steps_per_epoch() == 3  # of 48 examples
    for epoch in epochs(2, change):
        assert len(epoch) == 3 * 14


def test_seed_gives_the_same_batches_whatever_the_global_one(pipeline):
    def read(seed):
        tf.random.set_seed(seed)
        batches = pipeline().training().take(5)
        return [(i["image"].numpy(), i["sida"].numpy(), y.numpy()) for i, y in batches]

    for one, two in zip(read(0), read(123), strict=True):
        for a, b in zip(one, two, strict=True):
            np.testing.assert_array_equal(a, b)


def test_second_iteration_is_the_same(pipeline):
    training = pipeline().training().take(5)
    for (one, _), (two, _) in zip(training, list(training), strict=True):
        np.testing.assert_array_equal(one["sida"], two["sida"])


def test_order_differs_between_epochs_and_seeds(epochs):
    first, second = epochs(2)
    (other,) = epochs(1, "train.seed=1")
    orders = [[record for record, _ in epoch] for epoch in (first, second, other)]
    for a, b in itertools.combinations(orders, 2):
        assert sorted(a) == sorted(b)
        assert a != b
    # Shuffled through, not video after video.
    videos = [record // 3 for record in orders[0]]
    assert sum(a == b for a, b in itertools.pairwise(videos)) < len(videos) / 3


def test_flips_are_about_half_and_differ_between_epochs(epochs):
    read = epochs(8, "data.real_repeat=4")
    flips = [flipped for epoch in read for _, flipped in epoch]
    assert len(flips) == 8 * 48
    assert abs(np.mean(flips) - 0.5) < 0.1  # 4 standard deviations
    by_record = [sorted(epoch) for epoch in read]
    assert all(a != b for a, b in itertools.combinations(by_record, 2))


def test_repeats_of_a_real_are_flipped_on_their_own(epochs, faces):
    (epoch,) = epochs(1, "data.real_repeat=8")
    flips = collections.defaultdict(set)
    for record, flipped in epoch:
        flips[record].add(flipped)
    assert all(flips[i] == {False, True} for i in np.flatnonzero(faces[1] == 0))


@pytest.mark.parametrize("probability", [0, 1])
def test_flip_follows_the_configuration(epochs, probability):
    (epoch,) = epochs(1, f"augment.flip={probability}")
    assert {flipped for _, flipped in epoch} == {bool(probability)}


def test_flips_depend_on_seed_epoch_and_example_alone(epochs):
    read = epochs(2)
    other = epochs(2, "train.batch_size=6", "data.parallel_calls=1")
    assert list(map(sorted, other)) == list(map(sorted, read))
    seeded = epochs(2, "train.seed=1")
    assert list(map(sorted, seeded)) != list(map(sorted, read))


def test_fewer_examples_than_a_batch_are_an_error(pipeline):
    built = pipeline("data.real_repeat=1", "train.batch_size=31")
    with pytest.raises(
        DataError, match=r"31 training examples. Received: 30.*--frames"
    ):
        built.steps_per_epoch()
