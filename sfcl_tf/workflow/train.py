"""From a configuration to a trained, calibrated, evaluated and exported run."""

import dataclasses
import os
import time
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import tensorflow as tf

from sfcl_tf.catalog.cards import load_card
from sfcl_tf.config import Config, checked, override, to_toml
from sfcl_tf.evaluation.report import write_report
from sfcl_tf.evaluation.scoring import evaluate as evaluate_split
from sfcl_tf.evaluation.summary import write_results
from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.models import with_resolved_weights
from sfcl_tf.runs import Run, files
from sfcl_tf.runs.run import new_location
from sfcl_tf.system.errors import DataError, UsageError
from sfcl_tf.system.output import write_text
from sfcl_tf.system.storage import is_remote
from sfcl_tf.training import make_strategy
from sfcl_tf.training.checkpoint import read_progress, require_settings
from sfcl_tf.training.cluster import Cluster, read_cluster
from sfcl_tf.training.environment import note_resumed, write_environment
from sfcl_tf.training.standardize import MOST
from sfcl_tf.training.trainer import Training
from sfcl_tf.training.trainer import train as fit
from sfcl_tf.workflow import say_training
from sfcl_tf.workflow.calibrate import calibrate_on, measure_training_faces
from sfcl_tf.workflow.evaluate import scoring
from sfcl_tf.workflow.export import save_and_verify
from sfcl_tf.workflow.prepare import ready_records
from sfcl_tf.workflow.progress import Progress
from sfcl_tf.workflow.sources import Sources


@dataclasses.dataclass(frozen=True)
class _Job:
    """What stays the same through a training."""

    sources: Sources
    progress: Progress
    cluster: Cluster
    devices: str
    cluster_timeout: float
    download: bool
    export: bool


def _job(sources, progress, *others) -> _Job:
    return _Job(sources or Sources(), progress or Progress(), read_cluster(), *others)


def train(
    config: Config,
    *,
    sources: Sources | None = None,
    runs: str | Path | None = None,
    name: str | None = None,
    devices: str = "",
    export: bool = True,
    download: bool = False,
    cluster_timeout: float = 300.0,
    progress: Progress | None = None,
) -> Run:
    """Trains a model, from videos to a run that can be served.

    Prepares what is not prepared yet, trains, selects the epoch on the validation
    split, calibrates, scores the test split once, writes a report and exports a
    SavedModel. A training that was ended goes on by `resume`.

    Args:
        config: What is trained, on what, and how; see `sfcl_tf.configure`.
        sources: Where collection and records lie.
        runs: The folder for runs, or its URL. By default `SFCL_RUNS`, or `runs`.
        name: Of this run; by default data set, preset and time.
        devices: Replicas, such as `"2"`, `"gpu:2"` or `"cpu:2"`; by default all GPUs,
            else one CPU.
        export: Whether to write a SavedModel.
        download: Whether ImageNet weights may be fetched if they are absent.
        cluster_timeout: Seconds to wait for the other workers of `TF_CONFIG`.
        progress: Is told how it goes.

    Returns:
        The run. Of several workers, the first writes it.

    Raises:
        UsageError: If settings do not fit each other, or the run is there already.
        DataError: If data is missing, or the disk is full.
        ModelError: If initial weights are missing.
        KeyboardInterrupt: When it was interrupted; what was trained is kept.

    Example:
        >>> import sfcl_tf
        >>> config = sfcl_tf.configure("demo", preset="tiny")
        >>> run = sfcl_tf.train(config, name="mine")  # doctest: +SKIP
    """
    config = checked(config)
    job = _job(sources, progress, devices, cluster_timeout, download, export)
    if len(job.cluster) > 1 and not name:
        raise UsageError(
            "Expected --name with TF_CONFIG: all workers must mean the same run. "
            "Received: none."
        )
    runs = runs or os.environ.get("SFCL_RUNS") or "runs"
    name = _default_name(config) if name is None else name
    location = new_location(runs, name)
    _require_shared(location, job.cluster)
    if not job.cluster.is_chief:
        _train(config, Run(location), job)
        return Run(location)
    with Run.create(runs, name) as run, run.trained_alone():
        _train(config, run, job)
    return Run(location)


def resume(
    run: Run | str | Path,
    *,
    epochs: int | None = None,
    overrides: Iterable[str | tuple[str, Any]] = (),
    sources: Sources | None = None,
    devices: str = "",
    export: bool = True,
    download: bool = False,
    cluster_timeout: float = 300.0,
    progress: Progress | None = None,
) -> Run:
    """Goes on with a training that was ended, at its next batch.

    Args:
        run: The run. A finished one is left as it is, unless it is to be trained for
            more epochs.
        epochs: As many in all, above what the run has.
        overrides: Settings that may differ when a training goes on, such as
            `train.checkpoint_steps=500`.
        sources: Where its data lies.
        devices: As of `train`, like what follows.
        export: Whether to write a SavedModel.
        download: Whether ImageNet weights may be fetched.
        cluster_timeout: Seconds to wait for other workers.
        progress: Is told how it goes.

    Raises:
        ModelError: If there is no run, or its state does not fit.
        UsageError: If it is finished, and other settings were given; or `epochs` are
            not more.
        DataError: If its records changed.
    """
    job = _job(sources, progress, devices, cluster_timeout, download, export)
    overrides = list(overrides)
    with Run.open(run) as run:
        _require_shared(run.location, job.cluster)
        before = run.config
        config = override(before, overrides)
        if epochs is not None:
            config = _prolonged(config, epochs, before.train.epochs, run, job.progress)
        elif _is_finished(run, before, export):
            if overrides:
                given = " --set ".join(map(_as_set, overrides))
                raise UsageError(
                    f"Expected a run that is under way for --set. Received: "
                    f"{run.location}, which is finished, with --set {given}. "
                    f"Train it longer with --epochs above {before.train.epochs}, or a "
                    f"new one with --config {run.location}/config.toml and --set."
                )
            job.progress.say(f"{run.location} is finished: trained and evaluated.")
            return Run(run.location)
        # Of several workers the first one writes.
        first = run.trained_alone() if job.cluster.is_chief else nullcontext()
        with first:
            _train(config, run, job, resumed=True)
        return Run(run.location)


def _as_set(override):
    return override if isinstance(override, str) else f"{override[0]}={override[1]}"


def _default_name(config):
    stamp = time.strftime("%Y%m%d-%H%M%S")
    dataset = load_card(config.data.dataset).name
    model = "" if config.model.name == "sfcl_hcmf" else f"{config.model.name}-"
    return f"{dataset}-{model}{config.model.preset}-{stamp}"


def _require_shared(location, cluster):
    """Several workers need one run directory, which s3:// cannot give them."""
    if len(cluster) > 1 and is_remote(location):
        raise UsageError(
            f"Expected a folder that all workers share. Received: {location}. Runs on "
            "s3:// are made in a folder of one machine: give a shared one by --runs."
        )


def _is_finished(run, config, export):
    """Tells whether a run's results are there, and those of its last epoch."""
    results = run.results
    trained = results.get("trained_epochs", config.train.epochs)
    return (
        "summary" in results
        and trained == config.train.epochs
        and (not export or "export" in results)
    )


def _prolonged(config, epochs, before, run, progress):
    """Returns the configuration of a run that is to be trained for more epochs."""
    if epochs <= before:
        raise UsageError(
            f"Expected --epochs above the {before} that {run.location} has. Received: "
            f"{epochs}. Leave it out to go on with what is left of them."
        )
    if config.train.schedule != "constant":
        progress.say(
            f"The {config.train.schedule} schedule is that of {epochs} epochs now: the "
            "learning rate goes on where that would be, above what it had come to."
        )
    return override(config, [("train.epochs", epochs)])


def _train(config: Config, run: Run, job: _Job, resumed: bool = False) -> None:
    progress, cluster = job.progress, job.cluster
    # All that can be missing is told before hours of preparation.
    job.sources.require(config.data)
    weights = with_resolved_weights(config.model, download=job.download)
    config = dataclasses.replace(config, model=weights)
    strategy = make_strategy(
        job.devices, config.train.batch_size, cluster, job.cluster_timeout
    )
    if len(cluster) == 1:
        written = {"--runs": run.location.parent}
        manifest = ready_records(config.data, job.sources, progress, written=written)
    else:
        manifest = job.sources.prepared(config.data)
    pipeline = InputPipeline(manifest, config)
    if cluster.is_chief:
        _write_settings(config, run, manifest, strategy, resumed)
    say_training.what_is_trained(
        config, pipeline, strategy.num_replicas_in_sync, run.location, progress
    )
    try:
        training = _fit(config, pipeline, run, strategy, job)
    except KeyboardInterrupt:
        progress.say(f"Go on with: sfcl train --resume {run.location}")
        raise
    if not cluster.is_chief:
        progress.say(f"Worker {cluster.index} is done; worker 0 evaluates and exports.")
        return
    progress.say(f"Selected epoch {training.selected_epoch} on the validation split.")
    _finish(config, pipeline, run, training, job)


def _finish(config, pipeline, run, training: Training, job: _Job) -> None:
    """Calibrates, evaluates and exports what was trained."""
    progress = job.progress
    measure_training_faces(pipeline, run, progress)
    calibrate_on(training.predictor, pipeline, run, progress)
    facts = {
        "selected_epoch": training.selected_epoch,
        "selection": "highest frame AUC on the validation split",
        "trained_epochs": config.train.epochs,
    }
    with scoring(pipeline, "test", progress) as on_batch:
        predictions, results = evaluate_split(
            training.predictor,
            pipeline,
            run.folder,
            split="test",
            facts=facts,
            history=training.history,
            on_batch=on_batch,
        )
    if job.export:
        exported = f"{files.SAVED_MODELS}/{config.export.version}"
        results["export"] = save_and_verify(
            run, run.path(exported), results, pipeline, predictions.logit, progress
        ) | {"path": str(run.location / exported)}
    else:
        results.pop("export", None)  # of what was trained before
    write_results(run.path(files.RESULTS), results)
    write_report(run.folder)
    progress.finished(run, results)


def _write_settings(config, run, manifest, strategy, resumed):
    environment = run.path(files.ENVIRONMENT)
    if resumed and environment.is_file():
        checkpoints = run.path(files.CHECKPOINTS)
        require_settings(checkpoints, config)
        step = read_progress(checkpoints).get("step", 0)
        note_resumed(environment, manifest, strategy, step)
        # Results that are there are of what was trained so far.
        if "summary" in (results := run.results):
            trained = {"trained_epochs": run.config.train.epochs, **results}
            write_results(run.path(files.RESULTS), trained)
    else:
        write_environment(environment, manifest, config, strategy)
    write_text(run.path(files.CONFIG), to_toml(config))


def _fit(
    config: Config,
    pipeline: InputPipeline,
    run: Run,
    strategy: tf.distribute.Strategy,
    job: _Job,
) -> Training:
    steps = pipeline.steps_per_epoch()
    done = read_progress(run.path(files.CHECKPOINTS)).get("step", 0)
    if done:
        epoch, step = divmod(done, steps)
        job.progress.say(f"Going on after step {step} of epoch {epoch + 1}.")
    records = sum(video["records"] for video in pipeline.manifest.split("train"))
    epochs, examples = config.train.epochs, min(records, MOST)
    with job.progress.training(epochs, steps, examples, done) as hooks:

        def on_epoch(row):
            hooks.on_epoch(row)
            try:
                run.save()
            except DataError as error:  # the next epoch tries again
                job.progress.say(f"Not saved yet: {error}")

        return fit(
            config,
            pipeline,
            run.folder,
            strategy=strategy,
            is_chief=job.cluster.is_chief,
            on_statistics=hooks.on_statistics,
            on_batch=hooks.on_batch,
            on_epoch=on_epoch,
            on_interrupt=hooks.on_interrupt,
        )
