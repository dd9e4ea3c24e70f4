"""How far a figure would move on other videos of the kind: 95 % intervals by video.

Frames of one video resemble each other, so that a million frames of a hundred videos
tell no more than a hundred videos do. So what varies is taken between videos, real and
fake apart, as their numbers are no matter of chance. Where few videos leave little to
vary, as near a perfect score, what is observed there would promise too much: then the
variance that the figure's own size implies stands in for it.

```
placements of frames -> sums by video -> variance -> effective number of videos
                                                               -> score interval
```

Percentiles of resampled videos, which are in common use, cover the truth too seldom
where videos are few or the area is near 1, and say 100.0-100.0 after a perfect score.

References:
    Obuchowski, 1997, Biometrics 53:567 (AUC of clustered data); Hanley and McNeil,
    1982, Radiology 143:29; Newcombe, 2006, Stat. Med. 25:559 (method 5: the variance
    at the bound); Wilson, 1927, JASA 22:209; Zou and Donner, 2008, Stat. Med. 27:1693
    (sums and differences of figures, from the interval of each).
"""

import dataclasses
import functools
import math

import numpy as np
from scipy import optimize, special, stats

LEVEL = 0.95
LEAST_VIDEOS = 5
"""Fewest videos of a class of which an interval is told."""

_TAIL = (1 - LEVEL) / 2
_Z = float(special.ndtri(1 - _TAIL))
# The observed variance may be this many times less, at most, and more than what the
# figure's size implies; the floor is for unclustered frames, see `_bounded`.
_LEAST_RATIO, _MOST_RATIO = 0.55, 3.0

Pair = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class _Class:
    """One class's frames, summed up by video.

    Attributes:
        sums: `(k,)`: of each video's placements, or of its right answers.
        sizes: `(k,)`: its frames.
        between: Variance of ranks that a video's frames share; may be below 0.
        within: Variance of ranks in which they differ.
    """

    sums: np.ndarray
    sizes: np.ndarray
    between: float
    within: float

    @property
    def videos(self) -> int:
        return len(self.sizes)

    @property
    def effective(self) -> float:
        """As many videos of one size as these are worth."""
        return float(self.sizes.sum() ** 2 / (self.sizes**2).sum())

    @property
    def mean(self) -> float:
        return float(self.sums.sum() / self.sizes.sum())

    def covariance(self, other: "_Class") -> float:
        """Of this mean and another's, over the choice of videos."""
        if self.videos < 2:
            return 0.0
        own, theirs = (x.sums - x.sizes * x.mean for x in (self, other))
        scale = self.videos / (self.videos - 1) / self.sizes.sum() ** 2
        return float(scale * (own @ theirs))


class AreaByVideo:
    """The exact AUC of samples of videos, and how sure it is.

    Args:
        label: `(N,)` of 1 = fake, 0 = real, some of each.
        ranking: `(N,)` numbers; only their order matters.
        video: `(N,)` integers in 0..V-1: which video each is of, of one label each.
    """

    def __init__(self, label, ranking, video):
        label, ranking = np.asarray(label), np.asarray(ranking, float)
        video = np.asarray(video)
        fake, real = label == 1, label == 0
        lost, won = ranking[real], ranking[fake]
        self._fake = _summed(_share_below(won, lost), won, video[fake])
        self._real = _summed(1 - _share_below(lost, won), lost, video[real])
        self.value = self._fake.mean

    @property
    def too_few(self) -> bool:
        """Whether there are too few videos for an interval."""
        return min(self._real.videos, self._fake.videos) < LEAST_VIDEOS

    @functools.cached_property
    def interval(self) -> Pair | None:
        """Bounds at 95 % in [0, 1]; `None` of too few videos."""
        if self.too_few:
            return None
        reals, fakes = self._real.effective, self._fake.effective
        if self.value in (0, 1):
            # Of k disjoint pairs of videos all are won with a chance of at most the
            # area's k-th power, and there are areas for which it is just that.
            bound = _TAIL ** (1 / max(1, math.floor(min(reals, fakes))))
            return (bound, 1.0) if self.value else (0.0, 1 - bound)
        implied = _area_variance(self.value, reals, fakes)
        ratio = _bounded([self._real, self._fake], implied)

        def beyond(area):
            away = (self.value - area) ** 2
            return away - _Z**2 * ratio * _area_variance(area, reals, fakes)

        return _crossings(beyond, self.value)

    def difference(self, other: "AreaByVideo") -> Pair | None:
        """Bounds of this area less another's of the same samples, at 95 %."""
        if self.interval is None or other.interval is None:
            return None
        pairs = ((self._real, other._real), (self._fake, other._fake))
        same = all(np.array_equal(a.sums, b.sums) for a, b in pairs)
        if same and 0 < self.value < 1:  # two that are perfect need not rank alike
            return 0.0, 0.0
        own = sum(a.covariance(a) for a, _ in pairs)
        theirs = sum(b.covariance(b) for _, b in pairs)
        both = sum(a.covariance(b) for a, b in pairs)
        correlation = both / math.sqrt(own * theirs) if own and theirs else 0.0
        return _of_sum(
            (self.value, -other.value),
            (self.interval, tuple(-x for x in reversed(other.interval))),
            (1.0, 1.0),
            -min(correlation, 1.0),
        )


def accuracy_intervals(label, right, ranking, video) -> dict[str, Pair]:
    """Returns the intervals of accuracy and of balanced accuracy, at 95 %.

    Args:
        label: `(N,)` of 1 = fake, 0 = real.
        right: `(N,)` booleans: whether the answer is right.
        ranking: `(N,)` numbers, which tell how alike a video's frames are.
        video: `(N,)` integers.

    Returns:
        `acc`, and with both classes `balanced_acc`; without those that have too few
        videos.
    """
    label, video = np.asarray(label), np.asarray(video)
    right, ranking = np.asarray(right, float), np.asarray(ranking, float)
    kinds = [kind for kind in (0, 1) if (label == kind).any()]
    classes = [
        _summed(right[label == kind], ranking[label == kind], video[label == kind])
        for kind in kinds
    ]
    if not classes or min(each.videos for each in classes) < LEAST_VIDEOS:
        return {}
    means = [each.mean for each in classes]
    bounds = [_wilson(each) for each in classes]
    sizes = np.array([each.sizes.sum() for each in classes])
    intervals = {"acc": _of_sum(means, bounds, sizes / sizes.sum())}
    if len(classes) == 2:
        intervals["balanced_acc"] = _of_sum(means, bounds, (0.5, 0.5))
    return intervals


def _share_below(values, others):
    """The share of others below each value, ties half."""
    others = np.sort(others)
    below = np.searchsorted(others, values, "left")
    return (below + np.searchsorted(others, values, "right")) / (2 * len(others))


def _summed(values, ranking, video) -> _Class:
    codes = np.unique(video, return_inverse=True)[1]
    sizes = np.bincount(codes).astype(float)
    parts = _components(ranking, codes, sizes)
    return _Class(np.bincount(codes, values), sizes, *parts)


def _components(ranking, codes, sizes) -> tuple[float, float]:
    """The variance of ranks within a class between and within videos."""
    videos, frames = len(sizes), len(ranking)
    if frames == videos or videos < 2:
        return 1.0, 0.0
    ranks = stats.rankdata(ranking) / frames
    means = np.bincount(codes, ranks) / sizes
    between = (sizes * (means - ranks.mean()) ** 2).sum() / (videos - 1)
    within = ((ranks - means[codes]) ** 2).sum() / (frames - videos)
    size = (frames - (sizes**2).sum() / frames) / (videos - 1)
    return float((between - within) / size), float(within)


def _design(classes: list[_Class]) -> float:
    """Variance of a video's mean rank over that of a frame's, in (0, 1].

    1 where a video's frames say all the same: the design effect of clustering.
    """
    videos = np.array([each.videos for each in classes])
    frames = sum(each.sizes.sum() for each in classes)
    shared = max(float(videos @ [each.between for each in classes]), 0.0)
    within = float(videos @ [each.within for each in classes])
    if not shared + within:
        return 1.0
    return (shared + within * videos.sum() / frames) / (shared + within)


def _bounded(classes: list[_Class], implied: float) -> float:
    """Returns the observed variance over that which the figure's size implies.

    Where errors are few, what is observed is too small more often than not: so it is
    not let fall below a share of what is implied, less where a video's frames differ
    and so average out. Near a perfect score they do more than the design effect tells,
    hence the power; share and power were found by simulation
    (tests/evaluation/test_intervals.py). Of frames, the observed variance is all there
    is to go by, and as uncertain as the videos are few: Student's quantile makes up for
    that, with Satterthwaite's degrees of freedom.
    """
    parts = [each.covariance(each) for each in classes]
    observed = sum(parts)
    freedom = sum(p**2 / (c.videos - 1) for p, c in zip(parts, classes, strict=True))
    quantile = _Z
    design = _design(classes)
    if freedom and design < 1:
        quantile = stats.t.ppf(1 - _TAIL, max(observed**2 / freedom, 2))
    ratio = observed * (quantile / _Z) ** 2 / implied
    return float(np.clip(ratio, _LEAST_RATIO * design**2, _MOST_RATIO))


def _area_variance(area, reals, fakes):
    """The variance of an AUC of so many samples, of exponential scores."""
    more = (reals + fakes) / 2 - 1
    spread = 1 + more * ((1 - area) / (2 - area) + area / (1 + area))
    return area * (1 - area) * spread / (reals * fakes)


def _wilson(each: _Class) -> Pair:
    """Wilson's interval of a class's share of right answers."""
    share, number = each.mean, each.effective
    if 0 < share < 1:
        number /= _bounded([each], share * (1 - share) / number)
    centre = (share + _Z**2 / (2 * number)) / (1 + _Z**2 / number)
    half = math.sqrt(share * (1 - share) / number + (_Z / (2 * number)) ** 2)
    half *= _Z / (1 + _Z**2 / number)
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def _crossings(beyond, value) -> Pair:
    """The bounds around a value within which a function is not above 0."""
    return (
        float(optimize.brentq(beyond, 0, value, xtol=1e-12)),
        float(optimize.brentq(beyond, value, 1, xtol=1e-12)),
    )


def _of_sum(values, bounds, weights, correlation=0.0) -> Pair:
    """The interval of a weighted sum of figures, from the interval of each."""
    margins = []
    for side in (0, 1):
        away = [
            w * (v - pair[side])
            for v, pair, w in zip(values, bounds, weights, strict=True)
        ]
        squares = sum(x * x for x in away)
        if len(away) == 2:
            squares += 2 * correlation * away[0] * away[1]
        margins.append(math.sqrt(max(squares, 0)))
    total = sum(w * v for v, w in zip(values, weights, strict=True))
    return float(total - margins[0]), float(total + margins[1])
