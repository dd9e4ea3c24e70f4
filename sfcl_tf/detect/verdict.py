"""From the scores of pictures to a verdict on tracks and files."""

import dataclasses
from collections.abc import Iterable

from sfcl_tf.data.quality import Quality
from sfcl_tf.detect.results import FLAGS, Moment, Track, mean_score
from sfcl_tf.evaluation.reference import Reference

# Rules of thumb, for a model of which training faces were not measured.
_LOW = Quality(size=64.0, sharpness=6.0, brightness=50.0, detail=0.3)
_CRF = 30.0
# Share of the first percentile of the training faces below which a face is unlike them:
# some have to lie a little below it.
_BELOW = 0.8
# A higher rate factor than in training by so much halves the bits.
_CRF_STEP = 6.0
# Share of a track's moments that may be flagged before it cannot be told.
_FLAGGED = 0.5


class Judgement:
    """Thresholds, and what the training data knows.

    Args:
        real_to: Scores up to it are called real.
        fake_from: Scores from it on are called fake.
        reference: What the training faces looked like, if that was measured.
    """

    def __init__(self, real_to: float, fake_from: float, reference: Reference | None):
        self.real_to, self.fake_from = real_to, fake_from
        self._low = _share(reference.low, _BELOW) if reference else _LOW
        known = reference.crf if reference else None
        self._crf = known + _CRF_STEP if known is not None else _CRF

    def flags(self, quality: Quality, frontal: bool, crf: float) -> tuple[str, ...]:
        """Returns the keys of `FLAGS` that hold for a face.

        Args:
            quality: What it looks like.
            frontal: Whether the frontal detector sees it surely.
            crf: Of the file; NaN if unknown.
        """
        low = self._low
        holds = {
            "small": quality.size < low.size,
            "blurred": quality.sharpness < low.sharpness,
            "dark": quality.brightness < low.brightness,
            "profile": not frontal,
            "heavy_compression": quality.detail < low.detail or crf > self._crf,
        }
        return tuple(flag for flag in FLAGS if holds[flag])

    def verdict(self, score: float) -> str:
        """Returns `real`, `uncertain` or `fake` for a score, as calibration says."""
        if score >= self.fake_from:
            return "fake"
        return "real" if score <= self.real_to else "uncertain"

    def tracks(self, moments: Iterable[tuple[int, Moment]]) -> tuple[Track, ...]:
        """Groups moments by track and judges each; the highest score comes first."""
        grouped: dict[int, list[Moment]] = {}
        for number, moment in moments:
            grouped.setdefault(number, []).append(moment)
        found = [self._track(number, tuple(all_)) for number, all_ in grouped.items()]
        return tuple(sorted(found, key=lambda track: (-track.score, track.number)))

    def _track(self, number, moments):
        score = mean_score(moments)
        verdict = self.verdict(score)
        flagged = [moment for moment in moments if moment.flags]
        if verdict == "uncertain":
            reason = (
                f"the score lies between {self.real_to:.3f} and {self.fake_from:.3f}, "
                "where the validation data has both real and fake faces"
            )
        elif len(flagged) > _FLAGGED * len(moments):
            counts = {f: sum(f in m.flags for m in flagged) for f in FLAGS}
            most = max(counts, key=counts.get)
            reason = (
                f"in {len(flagged)} of {len(moments)} pictures the face is unlike the "
                f"training faces, most often {FLAGS[most]}; by its score alone it "
                f"would be called {verdict}"
            )
            verdict = "uncertain"
        else:
            reason = ""
        return Track(number, score, verdict, reason, moments)


def _share(quality, share):
    return Quality(*(share * value for value in dataclasses.astuple(quality)))
