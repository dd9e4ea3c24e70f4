"""How well one fact of the files tells reals from fakes, and whether that is chance."""

import dataclasses
from collections.abc import Sequence

import numpy as np

_DRAWS = 9999
_MOST_VALUES = 64


@dataclasses.dataclass(frozen=True)
class Separation:
    """What a classifier reaches that knows one fact of each file and nothing else.

    Attributes:
        accuracy: Its balanced accuracy, in 0.5..1, on the files it was chosen on.
        p: Share of random labellings that it would do as well on.
        counts: Reals and fakes by value, most files first.
    """

    accuracy: float
    p: float
    counts: dict[str, tuple[int, int]]


def separation(
    values: Sequence, labels: Sequence[int], least: float = 0.5
) -> Separation | None:
    """Measures how well values tell the labels.

    Numbers are split at the best threshold: the balanced accuracy is
    `(1 + KS) / 2`, with the Kolmogorov-Smirnov distance of reals and fakes. Of text,
    each value goes to the class in which it is more frequent: `(1 + TV) / 2`, with
    the total variation distance. Both are compared with what they are for labels
    dealt out at random, so that few files with many values mean nothing.

    Args:
        values: All text, or all numbers.
        labels: 1 = fake, 0 = real.
        least: The least balanced accuracy that is of interest.

    Returns:
        The separation; `None` where it is less than that, or where there is one
        class, or one value, only.

    Example:
        >>> result = separation(["a"] * 10 + ["b"] * 10, [0] * 10 + [1] * 10)
        >>> result.accuracy, result.p < 0.001
        (1.0, True)
        >>> result = separation([1, 2, 3, 4], [0, 0, 1, 1])
        >>> result.accuracy, result.p > 0.1
        (1.0, True)
    """
    label = np.asarray(labels, int)
    ordered = not any(isinstance(value, str) for value in values)
    unique, inverse = np.unique(np.asarray(values), return_inverse=True)
    if len(unique) < 2 or len(set(label.tolist())) < 2:
        return None
    totals = np.bincount(inverse)
    fakes = np.bincount(inverse, weights=label).astype(int)
    by_value = sorted(zip(totals, unique, fakes, strict=True), key=lambda v: -v[0])
    counts = {str(name): (int(n - f), int(f)) for n, name, f in by_value}
    if len(totals) > _MOST_VALUES:
        totals, fakes = _joined(totals, fakes, ordered)
    distance = _distance(totals, fakes[None], ordered)[0]
    accuracy = min((1 + float(distance)) / 2, 1.0)
    if accuracy < least:
        return None
    rng = np.random.default_rng(0)  # the same collection gives the same report
    drawn = rng.multivariate_hypergeometric(totals, label.sum(), _DRAWS)
    as_good = int(np.sum(_distance(totals, drawn, ordered) >= distance - 1e-9))
    return Separation(accuracy, (1 + as_good) / (1 + _DRAWS), counts)


def _joined(totals, fakes, ordered: bool):
    """Joins neighbouring numbers, or rare texts: many take long to deal out."""
    if not ordered:
        order = np.argsort(-totals, kind="stable")
        totals, fakes = totals[order], fakes[order]
        starts = np.arange(_MOST_VALUES)
    else:
        share = (np.cumsum(totals) - totals) * _MOST_VALUES // totals.sum()
        starts = np.unique(share, return_index=True)[1]
    return np.add.reduceat(totals, starts), np.add.reduceat(fakes, starts)


def _distance(totals, fakes, ordered: bool):
    """Returns the distance of reals and fakes for each row of counts of fakes."""
    reals = totals - fakes  # (draws, values)
    part = fakes / fakes.sum(1, keepdims=True) - reals / reals.sum(1, keepdims=True)
    if ordered:
        return np.abs(np.cumsum(part, 1)).max(1)
    return np.abs(part).sum(1) / 2
