"""Where scores are called real or fake, by how much was seen of a face.

A picture's score varies more than the mean over many pictures, so each has thresholds
of its own. And where several faces are judged, each is another chance to call a real
one fake, so `fake` begins higher.
"""

import dataclasses
import math

import numpy as np
from scipy import special, stats

from sfcl_tf.evaluation import metrics
from sfcl_tf.evaluation.summary import to_logit

RATE = 0.05
"""Share of reals called fake, and of fakes called real, that verdicts may err by."""
FACES = (2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256, 512, 1024)
"""Numbers of faces of which it is known where `fake` begins; others take the next."""


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """Verdicts on the mean score over some pictures of a face.

    Attributes:
        real_to: Means at or below it are called real.
        fake_from: Means at or above it are called fake, where one face is judged.
        pictures: The fewest pictures that it holds for.
        among: Pairs of a number of faces and where `fake` begins if so many are
            judged, as far as that is known.
        reals: How many means of real faces gave it.
        fakes: How many of fakes.
    """

    real_to: float = 0.5
    fake_from: float = 0.5
    pictures: int = 1
    among: tuple[tuple[int, float], ...] = ()
    reals: int = 0
    fakes: int = 0

    def fake_among(self, faces: int) -> float | None:
        """Returns where `fake` begins if `faces` are judged; `None` if not known."""
        if faces <= 1:
            return self.fake_from
        return next((start for count, start in self.among if count >= faces), None)


def rate_of_one(faces: int, rate: float = RATE) -> float:
    """Returns how often a real face may be called fake, so that a file seldom is.

    1 - (1 - rate)^(1/K): of K independent real faces at least one is called fake with
    the probability `rate`; less often where they depend on each other.

    Reference:
        Sidak, 1967, doi:10.1080/01621459.1967.10482935.
    """
    return -math.expm1(math.log1p(-rate) / faces)


def fit_levels(
    label: np.ndarray, score: np.ndarray, video: np.ndarray, frame: np.ndarray
) -> tuple[Thresholds, ...]:
    """Finds thresholds for one picture, for 2, 4, 8, ... and for whole videos.

    Means over fewer pictures than a video has are taken from pictures that are evenly
    spaced over it, as `sfcl detect` spaces them over a short clip. A video with fewer
    gives all that it has.

    Args:
        label: `(N,)` of 1 = fake, 0 = real; one a video.
        score: `(N,)` calibrated P(fake).
        video: `(N,)` numbers from 0, each with a row; two videos of each class.
        frame: `(N,)` by which the pictures of a video are ordered.

    Returns:
        Levels by their number of pictures, from 1 to the median of the videos.
    """
    order = np.lexsort((frame, video))
    label, score, video = label[order], score[order], video[order]
    size = np.bincount(video)
    index = np.arange(len(video)) - np.repeat(np.cumsum(size) - size, size)
    kind = label[np.cumsum(size) - 1]  # (V,)
    videos = metrics.count_classes(kind)[::-1]

    def level(pictures):
        of_video = size[video]
        wanted = np.minimum(pictures, of_video)
        # As many rows as wanted pass, at even distances.
        kept = (index + 1) * wanted // of_video > index * wanted // of_video
        mean = np.bincount(video[kept], score[kept]) / np.bincount(video[kept])
        return _level(kind, mean, videos, pictures)

    whole = int(np.median(size))
    steps = [2**n for n in range(1, 16) if 1.5 * 2**n <= whole]
    steps += [whole] * (whole > 1)
    return (_level(label, score, videos, 1), *map(level, steps))


def _level(label, score, videos, pictures):
    """Thresholds of means; `videos` are those of reals and of fakes."""
    fake_from = _reached(label, score, videos[0], RATE)
    # The mirror image: fakes that are as low as reals are high.
    real_to = -_reached(1 - label, -score, videos[1], RATE, sign=-1)
    if real_to >= fake_from:
        real_to = fake_from = (real_to + fake_from) / 2
    starts = [_reached(label, score, videos[0], rate_of_one(faces)) for faces in FACES]
    among = tuple(
        (faces, max(fake_from, start))
        for faces, start in zip(FACES, starts, strict=True)
        if start < 1  # which no score can exceed
    )
    fakes, reals = metrics.count_classes(label)
    return Thresholds(real_to, fake_from, pictures, among, reals, fakes)


def _reached(label, score, videos, rate, sign=1):
    """Returns what a new real face reaches with probability `rate` at most.

    Of n real videos the k-th highest is reached by a new one with probability
    k / (n + 1). Where not even the highest is rare enough, the larger of it and a
    normal tail of the log-odds decides, as wide as a prediction from n values has to
    be. Pictures of a video resemble each other, so n counts videos at every level.

    Args:
        label: 0 for those that shall not reach it.
        score: P(fake) times `sign`.
        videos: n.
        rate: The probability.
        sign: 1, or -1 for the mirror image.

    Reference:
        Vovk et al., 2005, Algorithmic Learning in a Random World, Sec. 2.2.
    """
    most = math.floor(rate * (videos + 1) + 1e-9) - 1
    if most >= 0:
        return threshold_at_fpr(label, score, most / videos + 1e-12)
    reals = sign * to_logit(sign * score[label == 0])
    deviation = reals.std(ddof=1) * math.sqrt(1 + 1 / videos)
    tail = reals.mean() + deviation * stats.t.isf(rate, videos - 1)
    return max(
        threshold_at_fpr(label, score, 0), sign * float(special.expit(sign * tail))
    )


def threshold_at_fpr(label: np.ndarray, score: np.ndarray, rate: float) -> float:
    """Returns the lowest threshold that at most a share `rate` of reals reaches.

    Args:
        label: `(N,)` of 1 = fake, 0 = real, some of them real.
        score: `(N,)` numbers; `score >= threshold` is called fake.
        rate: In [0, 1].

    Returns:
        One of the scores, or the next number above the highest.
    """
    candidates = np.unique(score)
    candidates = np.r_[candidates, np.nextafter(candidates[-1], np.inf)]
    reals = np.sort(score[label == 0])
    reached = len(reals) - np.searchsorted(reals, candidates, "left")
    return float(candidates[np.argmax(reached <= rate * len(reals))])
