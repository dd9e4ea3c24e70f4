"""Which moments of a file are kept to be looked at, in bounded memory."""

import dataclasses
import math

from sfcl_tf.detect.results import Moment
from sfcl_tf.detect.samples import DetectedFace, Sample

_FIRST_WIDTH = 0.5  # s


@dataclasses.dataclass(frozen=True)
class Highlight:
    """A face at a moment, with its pixels.

    Attributes:
        moment: What was found.
        face: Its pixels, and the track it is of.
        preview: A small JPEG of the picture; empty if none was asked for.
        scale: Pixels of the preview a pixel of the picture.
    """

    moment: Moment
    face: DetectedFace
    preview: bytes
    scale: float


class Highlights:
    """Keeps the highest-scoring moment of each stretch of time, by track.

    Stretches grow as a video goes on, so that at most so many moments are kept: they
    are spread over all of it, and the highest score of each track is among them.

    Args:
        most: Moments kept.
    """

    def __init__(self, most: int = 64):
        self._most = most
        self._width = _FIRST_WIDTH
        self._kept: dict[tuple[int, int], Highlight] = {}

    def __call__(self, sample: Sample, face: DetectedFace, moment: Moment) -> None:
        """Takes note of a face; give it to `Detector.examine` as `on_face`."""
        self._keep(Highlight(moment, face, sample.preview, sample.scale))
        while len(self._kept) > self._most:
            tracks = {track for track, _ in self._kept}
            if len(self._kept) == len(tracks):  # one each: the lowest goes
                lowest = min(self._kept, key=lambda k: self._kept[k].moment.score)
                del self._kept[lowest]
                continue
            self._width *= 2
            kept, self._kept = self._kept, {}
            for highlight in kept.values():
                self._keep(highlight)

    def _keep(self, highlight):
        time = highlight.moment.time
        if not math.isfinite(time):  # a file without times: by pictures
            time = highlight.moment.frame_index / 25
        key = highlight.face.track, math.floor(time / self._width)
        best = self._kept.get(key)
        if best is None or best.moment.score < highlight.moment.score:
            self._kept[key] = highlight

    def all(self) -> list[Highlight]:
        """Returns what is kept, in order of time."""
        return sorted(
            self._kept.values(),
            key=lambda h: (h.moment.frame_index, h.face.track),
        )

    def worst(self, count: int) -> list[Highlight]:
        """Returns the highest scores, the highest first."""
        return sorted(self.all(), key=lambda h: -h.moment.score)[:count]
