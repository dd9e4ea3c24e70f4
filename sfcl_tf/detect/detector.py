"""The detector: files in, results out.

```
file -> samples (another thread or process) -> scores -> tracks -> verdict
```
"""

import contextlib
import dataclasses
import itertools
import math
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import overload

import numpy as np

from sfcl_tf.detect.models import BATCH, ScoringModel
from sfcl_tf.detect.results import VERDICTS, Moment, Result
from sfcl_tf.detect.samples import (
    Closed,
    DetectedFace,
    Opened,
    Sample,
    samples_of_array,
    samples_of_file,
    warm_up,
)
from sfcl_tf.detect.verdict import Judgement
from sfcl_tf.faces.face import MIN_FACE
from sfcl_tf.faces.sampling import DETECTOR, SamplingOptions
from sfcl_tf.media.footage import local_path
from sfcl_tf.media.stream import StalledError, StreamProcess, prefetch
from sfcl_tf.system.errors import DataError, ModelError, UsageError

TIMEOUT = 120.0
"""Seconds without a picture after which a file is given up."""

_AHEAD = 16  # samples
_LITTLE = 0.5  # share of the pictures below which it is told
_NO_FACE = "no face was found"
_TOO_SMALL = f"faces under {MIN_FACE} pixels only, too small to be scored"

Source = str | Path | np.ndarray
OnFace = Callable[[Sample, DetectedFace, Moment], None]


class Detector:
    """Scores videos, images and arrays; see `load` and `connect`.

    Args:
        model: What scores faces.
        isolated: Whether files are read in a process of their own, so that one that
            crashes or hangs a decoder costs itself alone. A script must then begin
            its work under `if __name__ == "__main__":`. If not, a thread reads them.
        timeout: Seconds without a picture after which an isolated file is given up.

    Example:
        >>> detector = Detector.load("runs/NAME")  # doctest: +SKIP
        >>> result = detector.predict("clip.mp4")  # doctest: +SKIP
        >>> result.verdict, result.score  # doctest: +SKIP
        ('fake', 0.93)
    """

    def __init__(
        self, model: ScoringModel, *, isolated: bool = False, timeout: float = TIMEOUT
    ):
        if not timeout > 0:
            raise UsageError(f"Expected a timeout above 0. Received: {timeout}.")
        self.model = model
        self._timeout = timeout
        self._beside = StreamProcess(warm_up) if isolated else None
        # One process reads, for one caller at a time.
        self._reading = threading.Lock() if isolated else contextlib.nullcontext()

    @classmethod
    def load(
        cls,
        path: str | Path,
        engine: str = "auto",
        precision: str = "float32",
        *,
        threads: int | None = None,
        batch: int = BATCH,
        isolated: bool = False,
        timeout: float = TIMEOUT,
        say: Callable[[str], None] = lambda text: None,
        trust: bool = False,
    ) -> "Detector":
        """Loads a model of this machine.

        Args:
            path: A run's directory; a SavedModel, or the folder of its versions; or
                an engine's folder of `sfcl export --format`.
            engine: `"auto"`: the fastest that is installed, of OpenVINO, ONNX Runtime
                and TensorFlow. A run is converted for it once. Or one of
                `"openvino"`, `"onnx"` and `"tensorflow"`.
            precision: `"float32"`; `"bf16"` and `"int8"` are faster and less exact.
            threads: How many compute; by default one a core.
            batch: Faces scored together.
            isolated: See above.
            timeout: See above.
            say: Told what takes a while.
            trust: Whether a SavedModel may do more than compute: read and write
                files. If not, one that has operations for it is refused unread.

        Raises:
            ModelError: If nothing that can be loaded is there, or it is refused.
            UsageError: If an argument is wrong.
        """
        from sfcl_tf.detect.load import load_model

        if batch < 1:
            raise UsageError(f"Expected a batch of at least 1. Received: {batch}.")
        model = load_model(Path(path), engine, precision, threads, batch, say, trust)
        return cls(model, isolated=isolated, timeout=timeout)

    @classmethod
    def connect(
        cls,
        address: str,
        *,
        name: str | None = None,
        run: str | Path | None = None,
        credentials=None,
        isolated: bool = False,
        timeout: float = TIMEOUT,
    ) -> "Detector":
        """Has a server score: `sfcl serve`, or TensorFlow Serving.

        Faces are found here and sent with their surroundings, losslessly.

        Args:
            address: `HOST:PORT` of its gRPC.
            name: The model's name there.
            run: The run that is served, for what is known of its training faces.
            credentials: See `sfcl_tf.serving.tls_credentials`.
            isolated: See above.
            timeout: See above.

        Raises:
            UsageError: If the extra `[serve]` is missing, or the address is none.
        """
        from sfcl_tf.detect.load import served_model

        model = served_model(address, name, run, credentials)
        return cls(model, isolated=isolated, timeout=timeout)

    def __enter__(self) -> "Detector":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process that reads files."""
        if self._beside is not None:
            self._beside.close()

    @overload
    def predict(  # type: ignore[overload-overlap]
        self,
        source: Source,
        *,
        fps: float | None = ...,
        frames: int | None = ...,
        faces: str = ...,
        thorough: bool = ...,
        detector: str = ...,
    ) -> Result: ...

    @overload
    def predict(
        self,
        source: Iterable[Source],
        *,
        fps: float | None = ...,
        frames: int | None = ...,
        faces: str = ...,
        thorough: bool = ...,
        detector: str = ...,
    ) -> list[Result]: ...

    def predict(
        self,
        source: Source | Iterable[Source],
        *,
        fps: float | None = None,
        frames: int | None = None,
        faces: str = "all",
        thorough: bool = False,
        detector: str = DETECTOR,
    ) -> Result | list[Result]:
        """Scores a file or an array, or several.

        Args:
            source: A video or an image file; an `(H, W, 3)` uint8 RGB array; or
                several of these.
            fps: Pictures a second of a video; without both 2, and 8 of a short clip.
            frames: Pictures of a video, evenly spaced.
            faces: `"all"`, or `"largest"` of each picture.
            thorough: Whether small faces beside large ones are looked for as well.
            detector: What finds faces, `"yunet"` or `"hog"`.

        Returns:
            A result; of several, a list in their order, in which a file that cannot
            be read has a result that says so.

        Raises:
            DataError: If a single file cannot be read.
            ModelError: If a server does not answer.
            UsageError: If an argument is wrong.
        """
        sampling = SamplingOptions(fps, frames, faces, thorough, detector)
        if isinstance(source, Source | bytes) or not isinstance(source, Iterable):
            return self.examine(source, sampling)
        return list(self.results(source, **dataclasses.asdict(sampling)))

    def results(self, sources: Iterable[Source], **options) -> Iterator[Result]:
        """Yields the result of each source, in order, as it is there.

        Args:
            sources: Files and arrays.
            **options: As `predict` has them.

        Raises:
            ModelError: If a server does not answer.
            UsageError: If a source is neither a path nor an array, or an option is
                wrong.
        """
        sampling = SamplingOptions(**options)
        if isinstance(sources, str | bytes | Path) or not isinstance(sources, Iterable):
            raise UsageError(
                "Expected several paths or arrays. Received: "
                f"{type(sources).__name__} {str(sources)[:80]!r}. `predict` takes one."
            )
        for number, source in enumerate(sources):
            try:
                yield self.examine(source, sampling, name=str(number))
            except (UsageError, ModelError):
                raise
            except Exception as error:  # one file must not stop the others
                yield failed(source, error, self.model.name)

    def examine(
        self,
        source: Source,
        sampling: SamplingOptions | None = None,
        *,
        name: str = "0",
        on_sample: Callable[[Sample, int], None] = lambda sample, frames: None,
        on_face: OnFace = lambda sample, face, moment: None,
    ) -> Result:
        """Scores one file or array.

        Memory does not grow with the length of a video, but for what is told of faces.

        Args:
            source: A path, or an `(H, W, 3)` uint8 RGB array.
            sampling: Which pictures and faces are taken.
            name: What an array is called.
            on_sample: Called with each sample as it is found, and the number of
                frames that the file says it has.
            on_face: Called with each face that has a score.

        Raises:
            DataError: If it cannot be read.
            ModelError: If a server does not answer.
            UsageError: If it is neither a path nor an array.
        """
        seen = _Seen(on_sample)
        moments: list[tuple[int, Moment]] = []
        sampling = sampling or SamplingOptions()
        with (
            self._reading,
            contextlib.closing(self._stream(source, sampling)) as stream,
        ):
            to_score, to_report = itertools.tee(seen.faces(stream))
            scores = self.model.scores(face for _, face in to_score)
            for (sample, face), score in zip(to_report, scores, strict=True):
                if score.problem or not math.isfinite(score.score):
                    seen.too_small += 1
                    continue
                moment = self._moment(sample, face, score, seen.opened.facts.crf)
                moments.append((face.track, moment))
                on_face(sample, face, moment)
        label = name if isinstance(source, np.ndarray) else str(source)
        return self._result(label, seen, moments)

    def _stream(self, source, sampling) -> Generator[Opened | Sample | Closed]:
        if isinstance(source, np.ndarray):
            return prefetch(samples_of_array(source, sampling), _AHEAD)
        path = local_path(source)
        if self._beside is None:
            return prefetch(samples_of_file(path, sampling), _AHEAD)
        beside = self._beside(samples_of_file, path, sampling, timeout=self._timeout)
        return prefetch(beside, _AHEAD, cancel=self._beside.abandon)

    def _moment(self, sample, face, score, crf):
        judgement = self._judgement()
        return Moment(
            sample.index,
            sample.time,
            face.box,
            score.logit,
            score.score,
            judgement.verdict(score.score),
            judgement.flags(face.quality, face.frontal, crf),
        )

    def _judgement(self):
        # A server's thresholds come with its first answer.
        return Judgement(self.model.calibration, self.model.reference)

    def _result(self, source, seen, moments):
        facts, (height, width) = seen.opened.facts, seen.opened.size
        judgement = self._judgement()
        tracks = judgement.tracks(moments)
        known = {
            "source": source,
            "pictures": seen.pictures,
            "pictures_with_face": seen.with_face,
            "too_small": seen.too_small,
            "damaged": seen.closed.damaged,
            "frames": facts.frames,
            "width": width,
            "height": height,
            "pixel_format": facts.pixel_format,
            "crf": facts.crf if math.isfinite(facts.crf) else None,
            "model": self.model.name,
        }
        if not tracks:
            reason = _TOO_SMALL if seen.too_small else _NO_FACE
            reason = "; ".join([reason, *seen.closed.doubts, *seen.closed.notes])
            return Result(status="no_face", verdict="no_face", reason=reason, **known)
        deciding = min(tracks, key=lambda track: VERDICTS.index(track.verdict))
        fakes = sum(track.verdict == "fake" for track in tracks)
        verdict, reasons = deciding.verdict, [deciding.reason]
        if fakes and len(tracks) > 1:
            verb = "is" if fakes == 1 else "are"
            reasons.append(f"{fakes} of {len(tracks)} faces {verb} called fake")
        if seen.closed.doubts:
            reasons += seen.closed.doubts
            verdict = "uncertain" if verdict == "real" else verdict
        if verdict == "real" and seen.with_face < _LITTLE * seen.pictures:
            reasons.append(
                f"only {seen.with_face} of {seen.pictures} pictures show a face that "
                "can be scored"
            )
        return Result(
            status="ok",
            verdict=verdict,
            score=tracks[0].score,
            reason="; ".join(filter(None, [*reasons, *seen.closed.notes])),
            tracks=tracks,
            faces_fake=fakes,
            real_to=deciding.real_to,
            fake_from=deciding.fake_from,
            **known,
        )


class _Seen:
    """What a stream of samples shows, counted as it goes by."""

    opened: Opened  # comes first
    closed: Closed  # comes last

    def __init__(self, on_sample):
        self.pictures = self.with_face = self.too_small = 0
        self._on_sample = on_sample

    def faces(self, stream) -> Iterator[tuple[Sample, DetectedFace]]:
        """Yields the faces of a stream, each with its sample."""
        for sample in stream:
            if isinstance(sample, Opened):
                self.opened = sample
                continue
            if isinstance(sample, Closed):
                self.closed = sample
                continue
            self.pictures += 1
            self.with_face += bool(sample.faces)
            self.too_small += sample.too_small
            self._on_sample(sample, self.opened.facts.frames)
            for face in sample.faces:
                yield sample, face


def failed(source: Source, error: Exception, model: str) -> Result:
    """Returns the result of a file that could not be looked at.

    Args:
        source: The file.
        error: Why.
        model: What would have scored it.
    """
    if isinstance(error, StalledError):
        status = "stalled"
    else:
        status = "unreadable" if isinstance(error, DataError) else "failed"
    reason = str(error)
    if status == "failed":
        reason = f"an error of this software, please report it: {error!r}"
    return Result(str(source), status, reason=reason, model=model)
