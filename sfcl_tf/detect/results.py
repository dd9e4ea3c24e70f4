"""What is found in a file: typed, and as versioned JSON.

A file's score is the mean over the pictures of a track, and the highest of its tracks.
"""

import dataclasses
import json
import math
from collections.abc import Sequence
from typing import Any

from sfcl_tf.faces.face import Box

SCHEMA = 1
"""Version of the JSON; raised when a field changes its meaning or goes."""

VERDICTS = ("fake", "uncertain", "real", "no_face")

FLAGS = {
    "small": "smaller than the training faces",
    "blurred": "less sharp than the training faces",
    "dark": "darker than the training faces",
    "profile": "turned away, tilted or partly hidden: the frontal detector is not sure",
    "heavy_compression": "less detailed, or of a higher crf, than the training faces",
}
"""What a face may be on which the training data says little."""


@dataclasses.dataclass(frozen=True)
class Moment:
    """A face in one picture.

    Attributes:
        frame_index: In presentation order, from 0.
        time: In s; NaN where the file tells none.
        box: x0, y0, x1, y1 in pixels of the upright picture.
        logit: The model's raw output.
        score: P(fake), calibrated.
        verdict: `real`, `uncertain` or `fake`, of this picture alone.
        flags: Keys of `FLAGS`.
    """

    frame_index: int
    time: float
    box: Box
    logit: float
    score: float
    verdict: str
    flags: tuple[str, ...] = ()

    @property
    def when(self) -> str:
        """The time as on a clock, or the picture's number where there is none."""
        if not math.isfinite(self.time):
            return f"picture {self.frame_index}"
        minutes, seconds = divmod(round(self.time, 1), 60)
        hours, minutes = divmod(int(minutes), 60)
        clock = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
        return f"{clock}:{seconds:04.1f}"


@dataclasses.dataclass(frozen=True)
class Track:
    """A face that was followed.

    Attributes:
        number: From 0, in order of appearance.
        score: Mean of its moments'.
        verdict: `real`, `uncertain` or `fake`.
        reason: Why it is uncertain; else empty.
        moments: In order of time, at least one.
        real_to: Scores up to it are called real, of means over as many pictures;
            `None` if nothing is called so.
        fake_from: Scores from it on are called fake, in a file with as many faces;
            likewise.
    """

    number: int
    score: float
    verdict: str
    reason: str
    moments: tuple[Moment, ...]
    real_to: float | None = None
    fake_from: float | None = None


@dataclasses.dataclass(frozen=True)
class Result:
    """What is found in a file.

    Attributes:
        source: Its path, or the number of an array.
        status: `ok`, `no_face`, `unreadable`, `stalled` or `failed`.
        verdict: `real`, `uncertain`, `fake` or `no_face`; empty if it was not read.
        score: P(fake), the highest of the tracks'; `None` without one.
        reason: Why there is no score, why the verdict is uncertain, how many of
            several faces are called fake, or what makes a score worth less.
        tracks: The faces, the highest score first. The verdict is `fake` if one of
            them is, else `uncertain` if one is.
        faces_fake: How many of them are called fake.
        pictures: How many were looked at.
        pictures_with_face: How many of these show a face.
        too_small: Faces that are too small to be scored, over all pictures.
        damaged: Parts of the video that did not decode, or were patched up.
        frames: How many the file says it has.
        width: In pixels, upright.
        height: In pixels, upright.
        pixel_format: FFmpeg's name, such as `yuv420p`.
        crf: x264's rate factor where the file tells it; else `None`.
        real_to: Of the face that decides: scores up to it are called real; `None`
            if nothing is called so.
        fake_from: Likewise: scores from it on are called fake.
        model: What scored it.
    """

    source: str
    status: str
    verdict: str = ""
    score: float | None = None
    reason: str = ""
    tracks: tuple[Track, ...] = ()
    faces_fake: int = 0
    pictures: int = 0
    pictures_with_face: int = 0
    too_small: int = 0
    damaged: int = 0
    frames: int = 0
    width: int = 0
    height: int = 0
    pixel_format: str = ""
    crf: float | None = None
    real_to: float | None = None
    fake_from: float | None = None
    model: str = ""

    @property
    def coverage(self) -> float:
        """Share of the pictures that show a face."""
        return self.pictures_with_face / self.pictures if self.pictures else 0.0

    @property
    def open_range(self) -> tuple[float, float]:
        """Where `real` ends and `fake` begins; 0 and 1 where neither is said."""
        low, high = self.real_to, self.fake_from
        return 0.0 if low is None else low, 1.0 if high is None else high

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON has it; see `docs/detect.md`."""
        return {"schema": SCHEMA, **_plain(dataclasses.asdict(self))}

    def to_json(self) -> str:
        """Returns one line of JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Result":
        """Reads what `to_dict` gave; unknown keys are passed over.

        Raises:
            ValueError: If it is of another schema, or not whole.
        """
        if values.get("schema") != SCHEMA:
            raise ValueError(
                f"Expected results of schema {SCHEMA}. Received: "
                f"{values.get('schema')!r}."
            )
        try:
            tracks = tuple(
                _made(Track, track, moments=tuple(map(_moment, track["moments"])))
                for track in values.get("tracks", ())
            )
            return _made(cls, values, tracks=tracks)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"Expected a whole result. Received: {error!r}."
            ) from error


def _moment(values):
    time = math.nan if values["time"] is None else values["time"]
    return _made(
        Moment,
        values,
        time=time,
        box=tuple(values["box"]),
        flags=tuple(values["flags"]),
    )


def _made(kind, values, **changed):
    names = {field.name for field in dataclasses.fields(kind)}
    return kind(**{k: v for k, v in values.items() if k in names} | changed)


def _plain(value):
    """Turns tuples into lists and NaN into `None`, and rounds nothing."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def mean_score(moments: Sequence[Moment]) -> float:
    """Returns the mean of moments' scores."""
    return math.fsum(moment.score for moment in moments) / len(moments)
