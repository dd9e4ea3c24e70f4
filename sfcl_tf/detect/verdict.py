"""From the scores of pictures to a verdict on tracks and files."""

import dataclasses
from collections.abc import Iterable

from sfcl_tf.detect.results import FLAGS, Moment, Track, mean_score
from sfcl_tf.evaluation import Calibration
from sfcl_tf.evaluation.reference import Reference
from sfcl_tf.faces.quality import Quality

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

    A face is judged by its mean score, by the thresholds of means over as many
    pictures, and by the number of faces in the file: each of them is another chance
    that a real one is called fake.

    Args:
        calibration: Of the model.
        reference: What the training faces looked like, if that was measured.
    """

    def __init__(self, calibration: Calibration, reference: Reference | None):
        self._calibration = calibration
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

    def verdict(self, score: float, pictures: int = 1, faces: int = 1) -> str:
        """Returns `real`, `uncertain` or `fake` for a score, as calibration says.

        Args:
            score: The mean over so many pictures of a face.
            pictures: How many.
            faces: How many faces of the file are judged.
        """
        return str(self._calibration.verdict(score, pictures, faces))

    def tracks(self, moments: Iterable[tuple[int, Moment]]) -> tuple[Track, ...]:
        """Groups moments by track and judges each; the highest score comes first."""
        grouped: dict[int, list[Moment]] = {}
        for number, moment in moments:
            grouped.setdefault(number, []).append(moment)
        tracks = [
            self._track(number, tuple(each), len(grouped))
            for number, each in grouped.items()
        ]
        return tuple(sorted(tracks, key=lambda track: (-track.score, track.number)))

    def _track(self, number, moments, faces):
        score, pictures = mean_score(moments), len(moments)
        verdict = self.verdict(score, pictures, faces)
        flagged = [moment for moment in moments if moment.flags]
        if verdict == "uncertain":
            reason = self._open(score, pictures, faces)
        elif len(flagged) > _FLAGGED * len(moments):
            counts = {f: sum(f in m.flags for m in flagged) for f in FLAGS}
            most = max(counts, key=counts.__getitem__)
            reason = (
                f"in {len(flagged)} of {len(moments)} pictures the face is unlike the "
                f"training faces, most often {FLAGS[most]}; by its score alone it "
                f"would be called {verdict}"
            )
            verdict = "uncertain"
        else:
            reason = ""
        thresholds = self._thresholds(pictures, faces)
        return Track(number, score, verdict, reason, moments, *thresholds)

    def _thresholds(self, pictures, faces):
        """Where `real` ends and `fake` begins; `None` where neither is said."""
        if not self._calibration.calibrated:
            return None, None
        level = self._calibration.level(pictures)
        return level.real_to, level.fake_among(faces)

    def _open(self, score, pictures, faces):
        """Says why a score is uncertain."""
        if why := self._calibration.why:
            return (
                f"the model is not calibrated ({why}), so that nobody knows how often "
                "a verdict would be wrong"
            )
        level = self._calibration.level(pictures)
        begins = level.fake_among(faces)
        if score < level.fake_from:
            what = "pictures" if level.pictures == 1 else "videos"
            counts = f" ({level.reals} real and {level.fakes} fake {what})"
            return (
                f"the score lies between {level.real_to:.3f} and "
                f"{level.fake_from:.3f}, where the validation data"
                f"{counts if level.reals else ''} does not tell real from fake faces"
            )
        if begins is None:
            return (
                f"of one face {score:.3f} would be called fake, but this is one of "
                f"{faces}, and the calibration does not tell how high the highest of "
                "so many real ones may be"
            )
        return (
            f"of one face {score:.3f} would be called fake, but the highest of {faces} "
            f"real faces may reach {begins:.3f}"
        )


def _share(quality, share):
    return Quality(*(share * value for value in dataclasses.astuple(quality)))
