"""The scores of a run, one row a face crop, and their CSV file."""

import csv
import dataclasses
import io
from pathlib import Path

import numpy as np
from scipy import special

from sfcl_tf.errors import DataError

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

    def __post_init__(self):
        for name, kind in COLUMNS.items():
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=kind))
        shapes = {name: getattr(self, name).shape for name in COLUMNS}
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
        return Predictions(**{name: getattr(self, name)[mask] for name in COLUMNS})

    def per_video(self) -> VideoScores:
        """Returns the mean score of each video.

        Raises:
            ValueError: If a video has rows of more than one method, which means
                that two videos share an id.
        """
        ids, first, inverse = np.unique(
            self.video_id, return_index=True, return_inverse=True
        )
        method = self.method[first]  # (V,)
        mixed = np.flatnonzero(method[inverse] != self.method)
        if mixed.size:
            raise ValueError(
                "Expected one method a video. Received: several for "
                f"video_id={str(self.video_id[mixed[0]])!r}."
            )
        score = np.bincount(inverse, weights=self.score) / np.bincount(inverse)
        return VideoScores(ids, method, self.label[first], score)

    def write_csv(self, path: str | Path) -> None:
        """Writes the columns and `score` to a CSV file, whole or not at all."""
        text = io.StringIO(newline="")
        # Python 3.11 leaves a lone carriage return unquoted unless all text is quoted.
        writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        writer.writerow([*COLUMNS, "score"])
        columns = [getattr(self, name).tolist() for name in (*COLUMNS, "score")]
        writer.writerows(zip(*columns, strict=True))
        write_text(path, text.getvalue())

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
                reader = csv.DictReader(file, strict=True)
                rows, names = list(reader), reader.fieldnames or []
        except csv.Error as error:
            raise DataError(f"Cannot read {path} as CSV: {error}. {hint}") from error
        missing = [name for name in COLUMNS if name not in names]
        if missing:
            raise DataError(
                f"Expected the columns {list(COLUMNS)} in {path}. "
                f"Received: {list(names)}, without {missing}. {hint}"
            )
        try:
            columns = {k: [kind(row[k]) for row in rows] for k, kind in COLUMNS.items()}
            return cls(**columns)
        except (TypeError, ValueError) as error:
            raise DataError(f"Cannot use {path}: {error} {hint}") from error


def write_text(path: str | Path, text: str) -> None:
    """Writes a text file under a temporary name, then renames it to `path`."""
    path = Path(path)
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        # File names that are no UTF-8 reach us as surrogates and go back as bytes.
        temporary.write_text(
            text, encoding="utf-8", errors="surrogateescape", newline=""
        )
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
