"""The scores of a run, one row a face crop, and their CSV file."""

import array
import csv
import dataclasses
from collections.abc import Callable, Iterable, MutableSequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special

from sfcl_tf.system.errors import DataError
from sfcl_tf.system.output import atomic_write
from sfcl_tf.system.plain_text import cells, text_of

COLUMNS = {
    "dataset": str,
    "split": str,
    "method": str,
    "video_id": str,
    "frame_index": int,
    "time_s": float,
    "track_id": int,
    "label": int,
    "logit": float,
}
FACTS = {"crf": float, "pixel_format": str, "frame_height": int, "face_size": int}
"""Columns that may be absent: what is known of codec and resolution."""
ALL_COLUMNS = COLUMNS | FACTS
_UNKNOWN = {float: np.nan, str: "", int: 0}
_ROWS = 65536  # written at once
# Numbers as bytes, not as objects: a third of the memory.
_EMPTY: dict[type, Callable[[], MutableSequence]] = {
    str: list,
    int: lambda: array.array("q"),
    float: lambda: array.array("d"),
}


@dataclasses.dataclass(frozen=True, eq=False)
class VideoScores:
    """One row a video; the score is the mean of its frames' scores.

    Args:
        video_id: `(V,)` strings, sorted, each once.
        method: `(V,)` strings, `"real"` for real videos.
        label: `(V,)` integers, 1 = fake, 0 = real.
        score: `(V,)` mean P(fake), in [0, 1].
    """

    video_id: np.ndarray
    method: np.ndarray
    label: np.ndarray
    score: np.ndarray

    def __len__(self):
        return len(self.video_id)


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
    """What a detector said about each face crop; all arrays are `(N,)`.

    Args:
        dataset: Name of the data set.
        split: `"train"`, `"val"` or `"test"`.
        method: Manipulation method; `"real"` where, and only where, `label` is 0.
        video_id: Data set / method / file, unique over all data sets.
        frame_index: Index of the frame in its video, from 0.
        time_s: Time of the frame in its video, in seconds.
        track_id: Index of the face's track in its video, from 0.
        label: 1 = fake, 0 = real.
        logit: The detector's output; P(fake) is its sigmoid.
        crf: x264's rate factor of the video; NaN if unknown.
        pixel_format: The video's, such as `yuv444p`; empty if unknown.
        frame_height: The frame's, in pixels; 0 if unknown.
        face_size: Side of the face's box in the frame, in pixels; 0 if unknown.

    Text columns hold one object a distinct text, so that a million rows take some
    100 MB.

    Raises:
        ValueError: If lengths differ, an array is not 1-D, a label is neither 0
            nor 1, or `method` and `label` disagree.
    """

    dataset: np.ndarray
    split: np.ndarray
    method: np.ndarray
    video_id: np.ndarray
    frame_index: np.ndarray
    time_s: np.ndarray
    track_id: np.ndarray
    label: np.ndarray
    logit: np.ndarray
    crf: np.ndarray | None = None
    pixel_format: np.ndarray | None = None
    frame_height: np.ndarray | None = None
    face_size: np.ndarray | None = None

    def __post_init__(self):
        for name, kind in ALL_COLUMNS.items():
            values = getattr(self, name)
            if values is None:
                values = np.full(np.shape(self.label), _UNKNOWN[kind])
            column = _texts(values) if kind is str else np.asarray(values, dtype=kind)
            object.__setattr__(self, name, column)
        shapes = {name: getattr(self, name).shape for name in ALL_COLUMNS}
        if len(set(shapes.values())) != 1 or self.label.ndim != 1:
            raise ValueError(f"Expected 1-D arrays of one length. Received: {shapes}.")
        if not np.isin(self.label, (0, 1)).all():
            raise ValueError(
                "Expected labels of 1 (fake) or 0 (real). "
                f"Received: {np.unique(self.label).tolist()}."
            )
        odd = np.flatnonzero((self.method == "real") != (self.label == 0))
        if odd.size:
            raise ValueError(
                "Expected the method 'real' for label 0 and another one for label 1. "
                f"Received: method={str(self.method[odd[0]])!r}, "
                f"label={self.label[odd[0]]} in row {odd[0]}."
            )

    def __len__(self):
        return len(self.label)

    @property
    def score(self) -> np.ndarray:
        """P(fake) of each crop: `(N,)` float64 in [0, 1]."""
        return special.expit(self.logit)

    def select(self, mask: np.ndarray) -> "Predictions":
        """Returns the rows of a boolean mask or of an index array."""
        return Predictions(**{name: getattr(self, name)[mask] for name in ALL_COLUMNS})

    def methods(self) -> list[str]:
        """Returns the manipulation methods, sorted."""
        return sorted(set(self.method[self.label == 1].tolist()))

    def video_codes(self) -> tuple[np.ndarray, np.ndarray]:
        """Numbers the videos.

        Returns:
            `(V,)` ids, sorted, and `(N,)` int32: which of them each row is of.
        """
        ids = sorted(set(self.video_id.tolist()))
        numbers = {video: number for number, video in enumerate(ids)}
        codes = np.fromiter(
            (numbers[video] for video in self.video_id), np.int32, len(self)
        )
        return _texts(ids), codes

    def per_video(self) -> VideoScores:
        """Returns the mean score of each video.

        Raises:
            ValueError: If a video has rows of more than one method, which means
                that two videos share an id.
        """
        ids, codes = self.video_codes()
        first = np.zeros(len(ids), int)
        first[codes[::-1]] = np.arange(len(self))[::-1]
        method = self.method[first]  # (V,)
        mixed = np.flatnonzero(method[codes] != self.method)
        if mixed.size:
            raise ValueError(
                "Expected one method a video. Received: several for "
                f"video_id={str(self.video_id[mixed[0]])!r}."
            )
        count = np.bincount(codes, minlength=len(ids))
        score = np.bincount(codes, weights=self.score, minlength=len(ids)) / count
        return VideoScores(ids, method, self.label[first], score)

    def rows(self) -> dict[tuple[str, int, int], int]:
        """Returns where each face is: `(video_id, frame_index, track_id)` to row."""
        keys = (self.video_id.tolist(), self.frame_index.tolist())
        return {
            key: row
            for row, key in enumerate(zip(*keys, self.track_id.tolist(), strict=True))
        }

    @classmethod
    def pooled(cls, parts: Iterable["Predictions"]) -> "Predictions":
        """Joins predictions on several data sets; ids get the data set in front."""
        parts = list(parts)
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ALL_COLUMNS
        }
        names = zip(columns["dataset"], columns["video_id"], strict=True)
        columns["video_id"] = [f"{dataset}/{video}" for dataset, video in names]
        return cls(**columns)

    def write_csv(self, path: str | Path) -> None:
        """Writes the columns and `score` to a CSV file, whole or not at all.

        Raises:
            NotWrittenError: If it cannot be written; one that is there stays.
        """
        names = (*ALL_COLUMNS, "score")
        columns = [getattr(self, name) for name in names]
        with (
            atomic_write(Path(path)) as temporary,
            # File names that are no UTF-8 reach us as surrogates, go back as bytes.
            temporary.open(
                "w", encoding="utf-8", errors="surrogateescape", newline=""
            ) as file,
        ):
            # Python 3.11 leaves a lone carriage return unquoted unless all text is
            # quoted.
            writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
            writer.writerow(names)
            for start in range(0, len(self), _ROWS):
                part = [column[start : start + _ROWS].tolist() for column in columns]
                writer.writerows(map(cells, zip(*part, strict=True)))

    @classmethod
    def read_csv(cls, path: str | Path) -> "Predictions":
        """Reads what `write_csv` wrote, bit for bit; `score` is derived anew.

        Raises:
            DataError: If the file or a column is missing, or a value is unreadable.
        """
        path = Path(path)
        hint = "Write it again with `sfcl evaluate`."
        if not path.is_file():
            raise DataError(f"Expected a file {path}. Received: none. {hint}")
        try:
            with path.open(
                encoding="utf-8", errors="surrogateescape", newline=""
            ) as file:
                reader = csv.reader(file, strict=True)
                names = next(reader, [])
                missing = [name for name in COLUMNS if name not in names]
                if missing:
                    raise DataError(
                        f"Expected the columns {list(COLUMNS)} in {path}. "
                        f"Received: {list(names)}, without {missing}. {hint}"
                    )
                return cls(**_read_columns(reader, names))
        except csv.Error as error:
            raise DataError(f"Cannot read {path} as CSV: {error}. {hint}") from error
        except (TypeError, ValueError, IndexError) as error:
            raise DataError(f"Cannot use {path}: {error} {hint}") from error


def _read_columns(reader, names):
    """Reads rows into columns, of which each distinct text is kept once."""
    known = [(name, kind) for name, kind in ALL_COLUMNS.items() if name in names]
    indices = [names.index(name) for name, _ in known]
    columns = {name: _EMPTY[kind]() for name, kind in known}
    texts: dict[str, str] = {}
    appends = [
        (index, columns[name].append, kind)
        for index, (name, kind) in zip(indices, known, strict=True)
    ]
    for row in reader:
        for index, append, kind in appends:
            value = row[index]
            if kind is not str:
                append(kind(value))
            else:
                text = texts.get(value)
                append(
                    texts.setdefault(value, text_of(value)) if text is None else text
                )
    return columns


def _texts(values) -> np.ndarray:
    """An array of texts that holds each distinct one once."""
    values = np.asarray(values)
    kept: dict[str, str] = {}
    texts = [kept.setdefault(text, text) for text in map(str, values.ravel().tolist())]
    result = np.empty(len(texts), object)
    result[:] = texts
    return result.reshape(values.shape)
