"""How far a figure would move on other videos: the bootstrap, by video.

Frames of one video resemble each other, so that a million frames of a hundred videos
tell no more than a hundred videos do. Hence whole videos are drawn, with replacement,
from all of them: real and fake together, as another collection of the kind would have
other shares of them too.
"""

import dataclasses
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

RESAMPLES = 1000
LEVEL = 0.95


@dataclasses.dataclass(frozen=True, eq=False)
class Resampled:
    """A figure's values on resamples.

    Attributes:
        values: `(R,)`; NaN where a resample had one class only.
    """

    values: np.ndarray

    @property
    def interval(self) -> tuple[float, float] | None:
        """Percentile interval at 95 %; `None` where half of the values are NaN."""
        finite = self.values[np.isfinite(self.values)]
        if 2 * len(finite) <= len(self.values):
            return None
        tail = (1 - LEVEL) / 2
        low, high = np.quantile(finite, (tail, 1 - tail))
        return float(low), float(high)


def draw_counts(
    videos: int, resamples: int = RESAMPLES, seed: int = 0
) -> Iterator[np.ndarray]:
    """Yields how often each video is drawn: `(V,)` float64 that sum to V.

    The same numbers for the same arguments, so that two detectors can be compared
    on the same draws.
    """
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        drawn = rng.integers(0, videos, videos)
        yield np.bincount(drawn, minlength=videos).astype(float)


def resample(
    figure: Callable[[np.ndarray], float],
    videos: int,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Resampled:
    """Computes a figure under many draws, on all cores.

    Args:
        figure: Of the counts `(V,)`; must let go of Python's lock to gain by cores.
        videos: Their number V.
        resamples: How many draws.
        seed: Of the draws.
    """
    if not videos:
        return Resampled(np.full(resamples, np.nan))
    counts = draw_counts(videos, resamples, seed)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        values = []
        # In parts: `map` would draw all counts at once.
        while part := [c for _, c in zip(range(32), counts, strict=False)]:
            values += pool.map(figure, part)
    return Resampled(np.array(values))


class WeightedAUC:
    """Exact AUC of samples whose videos are counted several times, or not at all.

    Sorted once. Then each draw takes one pass: with counts w, the area is
    `sum_i w_i (R(<s_i) + R(<=s_i)) / 2 / (F R)`, over fakes i with score s_i; R(...)
    is the weight of the reals below, F and R are the weights of the classes.

    Args:
        label: `(N,)` of 1 = fake, 0 = real.
        score: `(N,)` numbers; only their order matters.
        video: `(N,)` integers in 0..V-1: which video each sample is of.
    """

    def __init__(self, label, score, video):
        label, score = np.asarray(label), np.asarray(score, float)
        video = np.asarray(video, np.int32)
        fake = np.flatnonzero(label == 1)
        real = np.flatnonzero(label == 0)
        fake = fake[np.argsort(score[fake], kind="stable")]
        real = real[np.argsort(score[real], kind="stable")]
        self._fake, self._real = video[fake], video[real]
        below = np.searchsorted(score[real], score[fake], "left")
        up_to = np.searchsorted(score[real], score[fake], "right")
        self._below = below.astype(np.int32)
        tied = below != up_to
        # Of continuous scores few are tied: their halves are added apart.
        self._tied = np.flatnonzero(tied).astype(np.int32)
        self._up_to = up_to[tied].astype(np.int32)

    def __call__(self, counts: np.ndarray) -> float:
        """Returns the area for how often each video counts, `(V,)`; NaN for one class.

        Example:
            >>> auc = WeightedAUC([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], [0, 1, 2, 3])
            >>> auc(np.ones(4)), auc(np.array([1, 0, 1, 1]))
            (0.75, 1.0)
        """
        reals = np.zeros(len(self._real) + 1)  # weight of the reals before each
        np.cumsum(counts.take(self._real), out=reals[1:])
        fakes = counts.take(self._fake)
        pairs = fakes.sum() * reals[-1]
        if not pairs:
            return float("nan")
        won = fakes @ reals.take(self._below)
        if len(self._tied):
            below = self._below.take(self._tied)
            ties = reals.take(self._up_to) - reals.take(below)
            won += fakes.take(self._tied) @ ties / 2
        return float(won / pairs)


class WeightedMeans:
    """Means over samples whose videos are counted several times, or not at all.

    Args:
        values: `(N,)` numbers.
        video: `(N,)` integers in 0..V-1.
        videos: V.
        chosen: `(N,)` booleans: samples that count; all by default.
    """

    def __init__(self, values, video, videos, chosen=None):
        weights = np.ones(len(video)) if chosen is None else np.asarray(chosen, float)
        values = np.asarray(values, float) * weights
        self._sums = np.bincount(video, values, minlength=videos)
        self._counts = np.bincount(video, weights, minlength=videos)

    def __call__(self, counts: np.ndarray) -> float:
        """Returns the mean for how often each video counts, `(V,)`."""
        number = counts @ self._counts
        return float(counts @ self._sums / number) if number else float("nan")
