"""Which records a training batch holds: half of them real, of many videos.

Batches that follow the shards hold few videos, and their share of fakes swings; the
statistics of batch normalisation swing with them. So the slots of a batch go to real
and fake in turns, and within a class each video's records are spread evenly over the
epoch: a batch holds as many videos as it has slots, if there are as many.
"""

import dataclasses
import functools

import numpy as np

REAL, FAKE = 0, 1
# How far ahead another record is looked for, in batches' worth of a class's slots.
_REACH = 64


@dataclasses.dataclass(frozen=True, eq=False)
class BatchOrder:
    """The order of training, for any epoch; it depends on the seed alone.

    An epoch has each fake once, and as many slots for reals as for fakes, if reals
    times `real_repeat` are as many as the fakes. Otherwise the epoch has as many
    examples as both together, and each class is gone through as often as it takes to
    fill half of them.

    Args:
        video: `(records,)` integers: which video each record is of.
        label: `(records,)` of 1 = fake, 0 = real.
        batch: Slots of a batch.
        real_repeat: How often a real counts in the length of an epoch.
        seed: Of the order.
    """

    video: np.ndarray
    label: np.ndarray
    batch: int
    real_repeat: int = 1
    seed: int = 0

    @functools.cached_property
    def _classes(self) -> dict[int, np.ndarray]:
        """The records of each class that there is."""
        classes = {kind: np.flatnonzero(self.label == kind) for kind in (REAL, FAKE)}
        return {kind: records for kind, records in classes.items() if len(records)}

    @property
    def examples(self) -> int:
        """Examples of an epoch, before the remainder of the last batch is dropped."""
        fakes = int(np.sum(self.label))
        return fakes + self.real_repeat * (len(self.label) - fakes)

    @property
    def steps(self) -> int:
        """Whole batches of an epoch."""
        return self.examples // self.batch

    def passes(self) -> dict[int, float]:
        """Returns how often an epoch goes through a class's records, by label."""
        labels = self._slot_labels()
        return {
            kind: float(np.sum(labels == kind) / len(records))
            for kind, records in self._classes.items()
        }

    def epoch(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns what stands at each slot of an epoch.

        Args:
            number: Of the epoch, from 0.

        Returns:
            The record, an index into `video`, and which time in this epoch it is, from
            0: each `(steps, batch)` int64.
        """
        labels = self._slot_labels()
        record = np.zeros(len(labels), np.int64)
        repeat = np.zeros(len(labels), np.int64)
        for kind in self._classes:
            slots = np.flatnonzero(labels == kind)
            record[slots], repeat[slots] = self._fill(kind, number, slots // self.batch)
        shape = self.steps, self.batch
        return record.reshape(shape), repeat.reshape(shape)

    def _slot_labels(self) -> np.ndarray:
        """The label that each slot of an epoch is for: real and fake in turns."""
        count = self.steps * self.batch
        if len(self._classes) == 1:
            return np.full(count, next(iter(self._classes)))
        return np.arange(count) % 2

    def _fill(self, kind, epoch, group):
        """Fills a class's slots, of which `group` tells the batch."""
        records = self._classes[kind]
        parts = []
        for turn in range(-(-len(group) // len(records))):
            rng = np.random.default_rng((self.seed, epoch, kind, turn))
            parts.append(records[_spread(self.video[records], rng)])
        repeat = np.arange(len(group)) // len(records)
        order = np.concatenate([*parts, records[:0]])[: len(group)]
        swapped = _separate(self.video[order], group)
        return order[swapped], repeat[swapped]


def _spread(video: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns a random order in which each video's records are evenly spread.

    A video of n records has one in each nth of the order, at random within it, and its
    records come in random order.
    """
    shuffled = rng.permutation(len(video))
    # By video, each one's records in the order just drawn.
    grouped = shuffled[np.argsort(video[shuffled], kind="stable")]
    _, inverse, count = np.unique(
        video[grouped], return_inverse=True, return_counts=True
    )
    number = np.arange(len(video)) - (np.cumsum(count) - count)[inverse]
    position = (number + rng.random(len(video))) / count[inverse]
    return grouped[np.argsort(position, kind="stable")]


def _separate(video: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Returns an order in which no group has a video twice, where that can be had.

    Whoever stands in a group with another of its video changes places with the next
    one that suits both groups. Without one, it stays.

    Args:
        video: `(N,)` integers.
        group: `(N,)` integers that do not fall.

    Returns:
        `(N,)` indices into both.
    """
    order = np.arange(len(video))
    largest = int(np.bincount(group).max(initial=0))
    if len(np.unique(video)) < largest:
        return order
    start = np.searchsorted(group, np.arange(group.max(initial=-1) + 2))

    def others(slot):
        """The videos of a slot's group, without its own."""
        first, end = start[group[slot]], start[group[slot] + 1]
        return {video[order[p]] for p in range(first, end) if p != slot}

    for slot in _duplicates(video, group):
        if video[order[slot]] not in others(slot):
            continue  # the other one has gone
        reach = _REACH * largest
        ahead = range(start[group[slot] + 1], min(slot + reach, len(order)))
        behind = range(start[group[slot]] - 1, max(slot - reach, -1), -1)
        mine, taken = video[order[slot]], others(slot)
        for candidate in (*ahead, *behind):
            theirs = video[order[candidate]]
            if theirs not in taken and mine not in others(candidate):
                order[[slot, candidate]] = order[[candidate, slot]]
                break
    return order


def _duplicates(video, group) -> np.ndarray:
    """Returns the slots whose video stands in their group before them."""
    by_both = np.lexsort((np.arange(len(video)), video, group))
    same = (np.diff(video[by_both]) == 0) & (np.diff(group[by_both]) == 0)
    return np.sort(by_both[1:][same])
