"""What scores faces: a run on an engine here, a SavedModel, or a server.

```
faces -> crops -> {image, sida} -> engine -> logit -> score
```
"""

import abc
import dataclasses
import hashlib
import itertools
import math
import types
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from sfcl_tf.config import Config, read_config
from sfcl_tf.detect.samples import DetectedFace
from sfcl_tf.evaluation import Calibration
from sfcl_tf.evaluation.reference import Reference
from sfcl_tf.evaluation.thresholds import Thresholds
from sfcl_tf.runs import Run, files
from sfcl_tf.runs.run import require_size
from sfcl_tf.serving.model_card import model_card
from sfcl_tf.serving.names import EXTRA
from sfcl_tf.system.errors import ModelError

if TYPE_CHECKING:
    from sfcl_tf.serving.signatures import Signatures

BATCH = 4
"""Faces scored together."""


@dataclasses.dataclass(frozen=True)
class Score:
    """What a model says of a face.

    Attributes:
        logit: Its raw output.
        score: P(fake), calibrated.
        problem: Why there is none, the numbers being NaN; else empty.
    """

    logit: float
    score: float
    problem: str = ""


class ScoringModel(abc.ABC):
    """A model, wherever it is computed.

    Attributes:
        name: What it is called.
        engine: What computes it.
        calibration: Its thresholds; of a server, as its answers tell them.
        reference: What its training faces looked like, if known.
        card: Its model card, Markdown; empty if there is none.
        digest: Of its weights; empty if unknown.
        results: Figures of its own test split, `results.json`; empty if unknown.
    """

    name: str
    engine: str
    calibration: Calibration = Calibration()
    reference: Reference | None = None
    card: str = ""
    digest: str = ""
    results: Mapping[str, Any] = types.MappingProxyType({})

    def __init__(self, config: Config):
        self.config = config

    @abc.abstractmethod
    def scores(self, faces: Iterable[DetectedFace]) -> Iterator[Score]:
        """Scores faces, in order, as they come; none depends on another."""

    @abc.abstractmethod
    def explain(self, crop: np.ndarray) -> dict[str, np.ndarray]:
        """Returns what a crop's score rests on; empty if that cannot be told.

        Args:
            crop: `(side, side, 3)` uint8 RGB, of `crop`.

        Returns:
            `logit`, `score`, `heatmap` `(h, w)`, and where the model has them
            `attention` `(H, H)`, `bands` `(C, 64)` and `blocks` `(h, w)`; see
            `sfcl_tf.serving.signatures`.
        """

    def crop(self, face: DetectedFace) -> np.ndarray:
        """Cuts out what the model sees of a face, `(side, side, 3)` uint8."""
        return _preprocessor(self.config).crop(face.region, face.inner).numpy()


class LocalModel(ScoringModel):
    """A run's model on an engine of this machine.

    Args:
        folder: The run, or an engine's folder.
        engine: An engine of `sfcl_tf.engines`.
        batch: Faces scored together.
    """

    def __init__(self, folder: Path, engine, batch: int = BATCH):
        super().__init__(read_config(folder / files.CONFIG))
        require_size(folder, self.config, engine.image_size)
        self.name = folder.resolve().name
        self.engine = f"{engine.name}, {engine.precision}"
        self.calibration = Calibration.read(folder)
        self.reference = Reference.read(folder)
        self._folder, self._engine, self._batch = folder, engine, batch
        self._prepare = _preprocessor(self.config).traced()
        self._signatures: Signatures | None = None
        if (folder / files.MODEL).is_file():
            self.digest = sha256(folder / files.MODEL)
            known = Run(folder)
            self.results = known.results
            self.card = model_card(
                self.config,
                self.calibration,
                known.environment,
                self.results,
            )

    def scores(self, faces):
        """Scores faces in batches; see `ScoringModel`."""
        for batch in _batches(faces, self._batch):
            prepared = [self._prepare(f.region, np.int32(f.inner)) for f in batch]
            inputs = {
                name: np.stack([each[name].numpy() for each in prepared])
                for name in prepared[0]
            }
            logits = self._engine(inputs)
            for logit, score in zip(
                logits, self.calibration.score(logits), strict=True
            ):
                yield Score(float(logit), float(score))

    def explain(self, crop):
        """Explains by the run's Keras model; see `ScoringModel`."""
        if self._signatures is None:
            if not self.digest:
                return {}
            from sfcl_tf.models import load_model
            from sfcl_tf.serving.signatures import Signatures

            model = load_model(self._folder)
            self._signatures = Signatures(model, self.config, self.calibration)
        return _first(self._signatures.explain([encode_png(crop)]))


class ExportedModel(ScoringModel):
    """A SavedModel on TensorFlow.

    Args:
        path: The version's folder.
        batch: Faces scored together.
        trust: Whether it may do more than compute; see `sfcl_tf.serving.trust`.

    Raises:
        ModelError: If it is no export of this package, or is not trusted.
    """

    engine = "tensorflow, SavedModel"

    def __init__(self, path: Path, batch: int = BATCH, trust: bool = False):
        from sfcl_tf.serving.trust import load_savedmodel

        extra = path / EXTRA
        if not (extra / files.CONFIG).is_file():
            raise ModelError(
                f"Expected a SavedModel that `sfcl export` wrote. Received: {path}, "
                f"without {EXTRA}/config.toml."
            )
        super().__init__(read_config(extra / files.CONFIG))
        self._loaded = load_savedmodel(path, trust=trust)
        self._signatures = getattr(self._loaded, "signatures", {})
        if not {"frame", "explain"} <= set(self._signatures):
            raise ModelError(
                f"Expected a SavedModel that `sfcl export` wrote at {path}. Received: "
                f"the signatures {sorted(self._signatures)}. Export it anew: sfcl "
                "export RUN."
            )
        whole = path.resolve()
        self.name = "/".join(whole.parts[-3:])
        self.calibration = Calibration.read(extra)
        self.reference = Reference.read(extra)
        card = extra / "model_card.md"
        self.card = card.read_text("utf-8") if card.is_file() else ""
        self.digest = sha256(*sorted((path / "variables").glob("*.data*")))
        self._batch = batch

    def scores(self, faces):
        """Scores faces in batches; see `ScoringModel`."""
        import tensorflow as tf

        for batch in _batches(faces, self._batch):
            outputs = self._signatures["frame"](
                image_bytes=tf.constant([encode_png(face.region) for face in batch]),
                boxes=tf.constant([[face.inner] for face in batch], tf.float32),
            )
            rows = (
                outputs[name].numpy()[:, 0] for name in ("logit", "score", "status")
            )
            for logit, score, status in zip(*rows, strict=True):
                yield Score(float(logit), float(score), status.decode())

    def explain(self, crop):
        """Asks the signature `explain`; see `ScoringModel`."""
        import tensorflow as tf

        encoded = tf.constant([encode_png(crop)])
        return _first(self._signatures["explain"](image_bytes=encoded))


class ServedModel(ScoringModel):
    """A model behind TensorFlow Serving's gRPC.

    Args:
        client: A `sfcl_tf.serving.Client`.
        name: What it is called.
        run: The run that is served, if it is at hand.

    Raises:
        ModelError: If the run is none. While scoring: if another one is served.
    """

    engine = "gRPC"

    def __init__(self, client, name: str, run: Path | None = None):
        if run is not None and not (run / files.CONFIG).is_file():
            raise ModelError(
                f"Expected the run that is served. Received: {run}, which has no "
                "config.toml."
            )
        super().__init__(read_config(run / files.CONFIG) if run else Config())
        self.name, self._client, self._known = name, client, None
        if run:
            self.reference = Reference.read(run)
            self.results = Run(run).results
            self.calibration = self._known = Calibration.read(run)

    def scores(self, faces):
        """Has a server score faces; see `ScoringModel`."""
        from sfcl_tf.serving.client import FaceRegion

        regions = (FaceRegion(encode_png(f.region), f.inner) for f in faces)
        for answer in self._client.score(regions):
            if math.isfinite(answer.fake_from):
                self._compare(answer)
                self.calibration = _calibration_of(answer)
            yield Score(answer.logit, answer.score, answer.status)

    def _compare(self, answer):
        known = self._known
        if known is None:
            return
        ours, theirs = _edges(known), _edges(_calibration_of(answer))
        if len(ours) != len(theirs) or not np.allclose(ours, theirs):
            raise ModelError(
                f"Expected the run that {self.name} serves. Received: another one, or "
                "one that was calibrated since: its thresholds of a picture are "
                f"{ours[0]:.4f} and {ours[1]:.4f}, the server's {theirs[0]:.4f} and "
                f"{theirs[1]:.4f}. Give the run that was exported, or none; or export "
                "it anew."
            )

    def explain(self, crop):
        """Asks the server; see `ScoringModel`."""
        outputs = self._client.explain(encode_png(crop))
        return {name: value for name, value in outputs.items() if name != "status"}


def _calibration_of(answer):
    """Returns the calibration that a server's answer tells."""
    if answer.calibration:
        return Calibration.parse(answer.calibration, "the server's answer")
    # An export of before has one pair of thresholds, both 0.5 if of no calibration.
    if answer.real_to == answer.fake_from == 0.5:
        return Calibration(reason="the server's thresholds are both 0.5")
    level = Thresholds(answer.real_to, answer.fake_from)
    return Calibration(levels=(level,), calibrated=True)


def _edges(calibration):
    """Returns the thresholds of all levels in a row, the picture's first."""
    return [e for level in calibration.levels for e in (level.real_to, level.fake_from)]


def _preprocessor(config):
    from sfcl_tf.inputs.preprocess import Preprocessor

    return Preprocessor(config)


def encode_png(image: np.ndarray) -> bytes:
    """Returns RGB as PNG."""
    bgr = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def sha256(*paths: Path) -> str:
    """Returns the SHA-256 of files' content, in hexadecimal."""
    hashed = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            hashlib.file_digest(file, lambda: hashed)
    return hashed.hexdigest()


def _batches(items, size):
    items = iter(items)
    while batch := list(itertools.islice(items, size)):
        yield batch


def _first(outputs):
    return {n: np.asarray(x)[0] for n, x in outputs.items() if n != "status"}
