"""From a run and a split to predictions, figures and plots."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sfcl_tf.catalog.cards import dataset_path
from sfcl_tf.config import DataConfig
from sfcl_tf.evaluation.calibrate import Calibration, operating_point
from sfcl_tf.evaluation.predictions import Predictions
from sfcl_tf.evaluation.predictor import Predictor
from sfcl_tf.evaluation.report import write_report
from sfcl_tf.evaluation.scoring import describe, draw, result_name
from sfcl_tf.evaluation.scoring import evaluate as evaluate_split
from sfcl_tf.evaluation.stored import stored
from sfcl_tf.evaluation.summary import write_results
from sfcl_tf.faces.finder import require_finder
from sfcl_tf.inputs.degrade import parse_degradations
from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.runs import Run, files
from sfcl_tf.runs.selection import logged_digest
from sfcl_tf.system.errors import DataError, UsageError
from sfcl_tf.workflow.arguments import (
    FACES,
    require_one_of,
    require_several,
    require_split,
)
from sfcl_tf.workflow.prepare import ready_records
from sfcl_tf.workflow.progress import Progress
from sfcl_tf.workflow.sources import Sources

POOLED = "pooled"


@dataclasses.dataclass(frozen=True)
class Choice:
    """Which part of which data is scored; what is `None` is as in the run.

    Attributes:
        dataset: A card's name, or the path of data of your own.
        frames: Frames of each video.
        faces: `"largest"`, `"all"` or `"full"`.
        boxes: A JSON of face boxes instead of a detector.
        detector: Of faces, `"hog"` or `"yunet"`.
        methods: Manipulation methods.
        degrade: What is done to each face, such as `jpeg=50`.

    Raises:
        UsageError: If `faces` or `detector` is another word, or a text stands for a
            list.
    """

    dataset: str | Path | None = None
    frames: int | None = None
    faces: str | None = None
    boxes: str | None = None
    detector: str | None = None
    methods: Sequence[str] | None = None
    degrade: Sequence[str] = ()

    def __post_init__(self):
        require_several("methods", self.methods)
        require_several("degrade", self.degrade)
        if self.faces is not None:
            require_one_of("faces", self.faces, FACES)
        if self.detector is not None:
            require_finder(self.detector)

    def of(self, own: DataConfig) -> DataConfig:
        """Returns a run's `DataConfig`, changed by what is chosen.

        Raises:
            UsageError: If a number is out of range.
        """
        if self.frames is not None and self.frames < 1:
            raise UsageError(
                f"Expected --frames of at least 1. Received: {self.frames}."
            )
        given: dict[str, Any] = {
            name: value
            for name in ("frames", "faces", "boxes", "detector")
            if (value := getattr(self, name)) is not None
        }
        if self.methods is not None:
            given["methods"] = tuple(self.methods)
        dataset = self.dataset and dataset_path(self.dataset)
        if dataset and dataset != own.dataset:
            # Boxes and methods are those of the data set trained on.
            given = {"dataset": dataset, "boxes": "", "methods": (), **given}
        return dataclasses.replace(own, **given)

    @property
    def is_own(self) -> bool:
        """Whether nothing is chosen but what the run has."""
        return self == Choice()


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What a model's scores of a split are worth.

    Attributes:
        name: In the names of its files; see `sfcl_tf.runs.Selection.name`.
        predictions: A row a face.
        results: Figures, as `results.json` has them: `summary` with AUC by `frame`
            and by `video`, `verdicts`, `calibration`, `coverage`.
    """

    name: str
    predictions: Predictions
    results: dict[str, Any]


def evaluate(
    run: Run | str | Path,
    *,
    dataset: str | Path | None = None,
    split: str = "test",
    frames: int | None = None,
    faces: str | None = None,
    boxes: str | None = None,
    detector: str | None = None,
    methods: Sequence[str] | None = None,
    degrade: Sequence[str] = (),
    sources: Sources | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Scores a split of a data set with a trained model.

    Predictions, figures, plots and the report are written into the run; a part of its
    data, or other data, goes to files of its own. Nothing is calibrated.

    Args:
        run: The run.
        dataset: A card's name or a path; by default the run's own.
        split: `"train"`, `"val"` or `"test"`.
        frames: Frames of each video; by default the run's, as all that follows.
        faces: `"largest"`, `"all"` or `"full"`.
        boxes: A JSON of face boxes instead of a detector.
        detector: What finds the faces, `"hog"` or `"yunet"`.
        methods: Manipulation methods.
        degrade: What is done to each face before it is scored, such as `jpeg=50` or
            `blur=2`: see `sfcl_tf.inputs.degrade`. The records stay as they are.
        sources: Where data lies.
        progress: Is told how it goes.

    Returns:
        Predictions and figures.

    Raises:
        ModelError: If there is no finished run.
        DataError: If the data is not to be found.
        UsageError: If a value is out of range.
    """
    sources, progress = sources or Sources(), progress or Progress()
    require_split(split)
    choice = Choice(dataset, frames, faces, boxes, detector, methods, degrade)
    degradations = parse_degradations(degrade)
    with Run.open(run) as run:
        config, data = run.config, choice.of(run.config.data)
        predictor = predictor_of(run)  # told before anything is prepared
        manifest = ready_records(data, sources, progress, (split,))
        pipeline = InputPipeline(manifest, config, degradations)
        with scoring(pipeline, split, progress) as on_batch:
            predictions, results = evaluate_split(
                predictor,
                pipeline,
                run.folder,
                split=split,
                history=run.history,
                on_batch=on_batch,
            )
        write_report(run.folder)
        evaluation = Evaluation(result_name(pipeline, split), predictions, results)
        progress.evaluated(run, evaluation)
        return evaluation


@contextlib.contextmanager
def scoring(
    pipeline: InputPipeline, split: str, progress: Progress
) -> Iterator[Callable[[int], None]]:
    """Gives what is to be called with the number of frames scored so far."""
    frames = sum(video["records"] for video in pipeline.manifest.split(split))
    with progress.counting(f"scoring {split}", frames) as count:
        yield count


def predictor_of(run: Run) -> Predictor:
    """Returns a run's forward pass, traced once for all that is scored in a row."""
    path = run.path(files.MODEL)
    written = path.stat().st_mtime_ns if path.is_file() else 0
    return _predictor(run.folder.absolute(), written)


@functools.lru_cache(maxsize=2)
def _predictor(folder: Path, written: int) -> Predictor:
    return Predictor(Run(folder).model)


def pool(run: Run, evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """Writes figures of several evaluations together, as `results_pooled.json`."""
    pooled = Predictions.pooled([each.predictions for each in evaluations])
    results = {
        "dataset": " + ".join(each.name for each in evaluations),
        "split": POOLED,
        **describe(pooled, Calibration.read(run.folder)),
    }
    write_results(run.path(files.results(POOLED)), results)
    draw(pooled, results, [], run.path(files.plots(POOLED)))
    write_report(run.folder)
    return results


def threshold_at(
    run: Run, evaluation: Evaluation, validation: Predictions, rate: float
) -> dict[str, Any]:
    """Returns what a threshold chosen on validation reals does; by level.

    Args:
        run: The run.
        evaluation: On which it is tried.
        validation: Scores of the run's own validation split.
        rate: Share of that split's reals that it calls fake, in 0..1.

    Returns:
        See `sfcl_tf.evaluation.calibrate.operating_point`.
    """
    calibration = Calibration.read(run.folder)
    return operating_point(validation, evaluation.predictions, calibration, rate)


def validation_scores(run: Run, sources: Sources) -> Predictions:
    """Returns the scores of the run's own whole validation split.

    Raises:
        DataError: If they are not there, are of other records, or have no reals.
    """
    scores = scores_of(run, "val", sources)
    if scores is None:
        raise DataError(
            "Expected scores of the run's whole validation split, of which --fpr is a "
            "share. Received: none, or of other records. Write them: sfcl calibrate "
            f"{run.location}"
        )
    if not (scores.label == 0).any():
        raise DataError(
            "Expected real faces in the validation split, of which --fpr is a share. "
            "Received: none. Add real videos to it."
        )
    return scores


def scores_of(run: Run, split: str, sources: Sources) -> Predictions | None:
    """Returns the scores of the whole of a split of the run's own data.

    Returns:
        The `Predictions`, if they are of the records that are at hand; where none
        are, of those that the run was trained with. Else `None`.
    """
    config = run.config
    if own := sources.pipeline(config, split):
        return stored(run.folder, split, own.manifest, split, data=config.data)
    path = run.path(files.predictions(split))
    trained = run.environment.get("records", {}).get(split)
    if not path.is_file() or trained not in (
        None,
        logged_digest(run.folder, split, config.data),
    ):
        return None
    return Predictions.read_csv(path)
