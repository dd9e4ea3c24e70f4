"""Which model scores: found by a path or an address, or the newest run."""

from collections.abc import Callable
from pathlib import Path

from sfcl_tf.runs import Run, files
from sfcl_tf.system.errors import ModelError, UsageError

# What is imported below brings TensorFlow along: an error is told sooner without.

NO_MODEL = """Expected a trained model. Received: {received}.
To see how it works, make one of a synthetic demo in five minutes:
    make demo          (sfcl train --dataset demo --preset tiny --frames 6 --epochs 3)
It proves the plumbing and says nothing of real clips. For a real one, train on real
data, such as FaceForensics++ (https://github.com/ondyari/FaceForensics):
    sfcl train --dataset ff_c23 --data-root DIR
or give one that you have: --model RUN."""


def newest_run(runs: Path) -> Path:
    """Returns the run that was finished last.

    Args:
        runs: The folder of runs.

    Raises:
        ModelError: If there is none; it tells how to make one.
    """
    newest = Run.newest(runs)
    if newest is None:
        raise ModelError(NO_MODEL.format(received=f"no finished run in {runs}"))
    return newest.folder


def load_model(
    path: Path,
    engine: str = "auto",
    precision: str = "float32",
    threads: int | None = None,
    batch: int = 4,
    say: Callable[[str], None] = lambda text: None,
    trust: bool = False,
):
    """Loads a run, a SavedModel or an engine as a `ScoringModel`; see `Detector.load`.

    Raises:
        ModelError: If nothing that can be loaded is there.
        UsageError: For an engine or a precision that it cannot be had in.
    """
    from sfcl_tf.detect.engines import ENGINES, engine_of_run
    from sfcl_tf.detect.models import ExportedModel, LocalModel

    if engine not in ENGINES:
        raise UsageError(
            f"Expected an engine of {', '.join(ENGINES)}. Received: {engine!r}."
        )
    if (path / files.CONFIG).is_file() and not (path / "engine.json").is_file():
        loaded = engine_of_run(path, engine, precision, threads=threads, say=say)
        return LocalModel(path, loaded, batch)
    if (path / "engine.json").is_file() and (path / files.CONFIG).is_file():
        return _of_engine(path, engine, precision, threads, batch)
    version = _newest_version(path)
    if version is None:
        there = "no such folder" if not path.exists() else "another thing"
        raise ModelError(
            "Expected a run's directory, a SavedModel or an engine's folder. Received: "
            f"{path}, which is {there}. `sfcl runs` lists the runs there are."
        )
    if engine not in ("auto", "tensorflow") or precision != "float32":
        raise UsageError(
            "Expected a run for another engine or precision. Received: "
            f"{path}, a SavedModel, with {engine} in {precision}. Give the run it was "
            "exported from, or what `sfcl export --format` wrote."
        )
    return ExportedModel(version, batch, trust)


def _of_engine(path, engine, precision, threads, batch):
    from sfcl_tf.detect.models import LocalModel
    from sfcl_tf.engines import load_engine

    requested = None if precision == "float32" else precision
    loaded = load_engine(path, requested, threads)
    if engine not in ("auto", loaded.name):
        raise UsageError(
            f"Expected a model for {engine}. Received: {path}, which is for "
            f"{loaded.name}."
        )
    return LocalModel(path, loaded, batch)


def served_model(address: str, name=None, run=None, credentials=None):
    """Connects to a server, as a `ServedModel`; see `Detector.connect`."""
    from sfcl_tf.detect.models import ServedModel
    from sfcl_tf.serving import Client
    from sfcl_tf.serving.names import MODEL_NAME

    name = name or MODEL_NAME
    client = Client(address, model=name, credentials=credentials)
    return ServedModel(client, f"{address}/{name}", Path(run) if run else None)


def _newest_version(path):
    """Returns the folder of a SavedModel, or of the newest of its versions."""
    if (path / "saved_model.pb").is_file():
        return path
    versions = [
        version
        for version in path.glob("*/saved_model.pb")
        if version.parent.name.isdecimal()
    ]
    newest = max(versions, key=lambda v: int(v.parent.name), default=None)
    return newest.parent if newest else None
