"""Search for settings with KerasTuner: the best validation AUC.

The space is the section [search] of --config; without it, one that suits the preset.
The same command goes on with a search that was ended. The test split is not read.

  sfcl tune --dataset demo --preset tiny --frames 6 --epochs 2 --trials 10 --name first
  sfcl train --config runs/first/best.toml

On several machines that share --runs and --records, after `sfcl prepare`:

  sfcl tune ... --name first --role chief --chief HOST:PORT
  sfcl tune ... --name first --role worker --chief HOST:PORT --worker-id one
"""

import contextlib
import dataclasses
import math
import time

from sfcl_tf.cli import options
from sfcl_tf.cli.console import console, percent, say, table
from sfcl_tf.cli.progress import ConsoleProgress
from sfcl_tf.models import with_resolved_weights
from sfcl_tf.system.errors import DataError, SfclError, UsageError
from sfcl_tf.system.output import alone
from sfcl_tf.system.quiet import import_tensorflow
from sfcl_tf.system.storage import is_remote
from sfcl_tf.workflow.prepare import ready_records

_SHOWN = 4


def add_arguments(parser):
    """Adds the subcommand's arguments."""
    parser.add_argument("--dataset", metavar="CARD", help="data set, such as ff_c40")
    parser.add_argument(
        "--algorithm",
        choices=("random", "hyperband", "bayesian"),
        default="random",
        help="how values are chosen (default: random)",
    )
    parser.add_argument(
        "--trials",
        type=int,
        default=20,
        metavar="N",
        help="how many; hyperband takes as many as it needs (default: 20)",
    )
    parser.add_argument(
        "--epochs", type=int, metavar="N", help="of each trial, at most"
    )
    parser.add_argument(
        "--keep-checkpoints", action="store_true", help="keep each trial's weights"
    )
    parser.add_argument(
        "--name", default="search", help="the search's name (default: search)"
    )
    options.add_data(parser)
    options.add_preparation(parser)
    options.add_engine(parser)
    options.add_config(parser)
    options.add_runs(parser)
    group = parser.add_argument_group("several machines")
    group.add_argument(
        "--role", choices=("chief", "worker"), help="chooses trials, or trains them"
    )
    group.add_argument(
        "--chief",
        default="127.0.0.1:8600",
        metavar="HOST:PORT",
        help="where the chief listens (default: 127.0.0.1:8600, this machine alone); "
        "anyone who reaches it can take part: keep it inside a private network",
    )
    group.add_argument("--worker-id", default="", metavar="ID", help="of each its own")
    group.add_argument(
        "--worker-timeout",
        type=float,
        default=600,
        metavar="S",
        help="give up a worker's trial, or the chief, after so many seconds of silence "
        "(default: 600)",
    )


def run(args):
    """Runs the subcommand."""
    if not args.dataset and not args.config:
        raise UsageError(
            "Expected --dataset CARD, or --config with data.dataset. Received: neither."
        )
    if args.trials < 1 or not args.worker_timeout > 0:
        raise UsageError(
            "Expected --trials of at least 1 and --worker-timeout above 0. Received: "
            f"{args.trials} and {args.worker_timeout:g}."
        )
    config = options.config(args, ("train.epochs", args.epochs))
    folder = options.runs(args)
    if is_remote(folder):
        raise UsageError(
            f"Expected a folder for a search. Received: {folder}. Give one by --runs."
        )
    if not args.role:
        return _search(args, config, folder / args.name)
    import_tensorflow()
    from sfcl_tf.tuning.chief import as_role

    with as_role(args.role, args.chief, args.worker_id):
        return _search(args, config, folder / args.name)


def _search(args, config, folder):
    sources = options.sources(args)
    sources.require(config.data)
    config = dataclasses.replace(config, model=with_resolved_weights(config.model))
    import_tensorflow()
    from sfcl_tf.tuning.space import read_space
    from sfcl_tf.tuning.tuner import make_oracle

    space = read_space(args.config, config)
    oracle = make_oracle(args.algorithm, space, config, args.trials)
    with contextlib.ExitStack() as held:
        if args.role != "worker":
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(
                alone(
                    folder / ".lock",
                    f"search in {folder}",
                    "is searching there. Wait for it, or end it: the same command then "
                    "goes on where it stopped",
                )
            )
        return _go_on(args, config, sources, space, oracle, folder)


def _go_on(args, config, sources, space, oracle, folder):
    from sfcl_tf.tuning.tuner import Tuner, require_same_search

    require_same_search(folder, config, space, args.algorithm)
    splits = ("train", "val")
    if args.role == "worker":
        manifest = sources.prepared(config.data, splits)
    else:
        written = {"--runs": options.runs(args)}
        manifest = ready_records(
            config.data, sources, ConsoleProgress(), splits, written
        )
    if len({video["label"] for video in manifest.split("val")}) < 2:
        raise DataError(
            "Expected a validation split of real and fake faces, whose AUC is searched "
            "for. Received: one class alone. Add videos of the other."
        )
    shown = _Shown(args.trials if args.algorithm != "hyperband" else None)
    tuner = Tuner(
        oracle,
        space,
        config,
        manifest,
        folder,
        keep=args.keep_checkpoints,
        on_trial=shown.on_trial,
        on_epoch=shown.on_epoch,
        on_end=shown.on_end,
    )
    if args.role == "worker":
        return _work(args, tuner)
    lost = {}
    if args.role == "chief":
        from sfcl_tf.tuning.chief import Chief

        chief = Chief(oracle, args.chief, args.worker_timeout)
        say(f"Waiting for workers at {args.chief}.")
        chief.serve()
        lost = chief.lost
    else:
        earlier = sum(t.status == "COMPLETED" for t in oracle.trials.values())
        if earlier:
            say(f"Going on after {earlier} trials.")
        tuner.search()
    return _report(folder, oracle, space, config, lost)


def _work(args, tuner):
    import grpc

    from sfcl_tf.tuning.chief import await_chief

    await_chief(args.chief, args.worker_timeout)
    try:
        tuner.search()
    except grpc.RpcError as error:
        raise SfclError(
            f"Expected the chief at {args.chief} to answer. Received: "
            f"{error.code().name}. Start it again with the same command, then this "
            "worker under the same --worker-id: it takes its trial up again."
        ) from error
    say(f"Worker {args.worker_id} is done.")
    return 0


def _report(folder, oracle, space, config, lost):
    from sfcl_tf.tuning.results import read_trials, write_results

    trials = read_trials(oracle, space)
    console.print(_table(trials, space))
    for trial, worker in lost.items():
        say(f"Lost: trial {trial} of worker {worker}, which fell silent.")
    write_results(folder, trials, space, config)
    say(f"Trials {folder / 'trials.csv'}, {folder / 'search.png'}")
    say(f"Best   {folder / 'best.toml'}: sfcl train --config {folder / 'best.toml'}")
    return 1 if lost else 0


def _table(trials, space):
    """Trials as columns: settings are many, and their names long."""
    best = trials[:_SHOWN]
    shown = table("Trials, the best first", "setting", *(t.name for t in best))
    words = [percent(t.val_auc) if t.status == "done" else t.status for t in best]
    shown.add_row("validation AUC in %", *words)
    shown.add_section()
    for key in space.entries:
        shown.add_row(key, *(_text(trial.values[key]) for trial in best))
    for trial in trials:
        if trial.reason:
            say(f"Trial {trial.name} failed: {trial.reason}")
    return shown


def _text(value):
    return f"{value:.3g}" if isinstance(value, float) else str(value)


class _Shown:
    """Tells of each trial as it goes."""

    def __init__(self, trials):
        self._trials = trials
        self._best = -math.inf
        self._begun = time.monotonic()
        self._done = 0

    def on_trial(self, name, values):
        text = ", ".join(f"{k.partition('.')[2]} {_text(v)}" for k, v in values.items())
        of = f" of {self._trials}" if self._trials else ""
        say(f"Trial {int(name) + 1}{of}: {text}")

    def on_epoch(self, name, row):
        say(
            f"  epoch {row['epoch']}: loss {row['loss']:.4f}, val AUC "
            f"{row['val_auc']:.4f}, {row['seconds']:.0f} s"
            if "seconds" in row
            else f"  epoch {row['epoch']}: val AUC {row['val_auc']:.4f}"
        )

    def on_end(self, trial):
        self._done += 1
        if trial.score is not None:
            self._best = max(self._best, trial.score)
        best = f"best so far {100 * self._best:.2f} %" if self._best > 0 else "none yet"
        each = (time.monotonic() - self._begun) / self._done
        say(f"  ended: {trial.status.lower()}; {best}; {each:.0f} s a trial")
