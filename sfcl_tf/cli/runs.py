"""List runs and compare them: figures in a table, curves over one another.

sfcl runs
sfcl runs runs/ONE runs/TWO --plot curves.png
"""

import datetime

from sfcl_tf.cli import options
from sfcl_tf.cli.console import console, percent, say, table
from sfcl_tf.evaluation.plots import plot_curves, save
from sfcl_tf.runs import Run, files
from sfcl_tf.system.errors import DataError, ModelError, SfclError, UsageError
from sfcl_tf.system.storage import is_remote, parse_location


def add_arguments(parser):
    """Adds the subcommand's arguments."""
    parser.add_argument(
        "run_dir", metavar="RUN", nargs="*", help="runs (default: all of the folder)"
    )
    parser.add_argument(
        "--plot",
        metavar="PNG",
        help="draw loss and AUC by epoch of these runs; an SVG is written beside",
    )
    options.add_runs(parser)


def run(args):
    """Runs the subcommand."""
    plot = options.new_file(args.plot, "--plot", ".png") if args.plot else None
    folder = options.runs(args)
    paths = [parse_location(text) for text in args.run_dir]
    if any(map(is_remote, [folder, *paths])):
        raise UsageError("Expected runs in a folder. Received: a URL. Copy them here.")
    if not paths:
        paths = sorted(folder.glob("*")) if folder.is_dir() else []
        paths = [path for path in paths if (path / files.CONFIG).is_file()]
    if not paths:
        raise DataError(
            f"Expected runs in {folder}. Received: none. Make one by `sfcl train`, or "
            "name another folder by --runs."
        )
    rows, unread = [], []
    for path in paths:
        try:
            rows.append(_read(path))
        except (SfclError, ValueError, KeyError, TypeError, AttributeError) as error:
            if args.run_dir:
                raise
            unread.append(f"Left out    {path}: {error}")
    rows.sort(key=lambda row: -1 if row["auc"] is None else row["auc"], reverse=True)
    console.print(_table(rows))
    for line in unread:
        say(line)
    if plot:
        _draw(rows, plot)
        say(f"Curves {plot}, {plot.with_suffix('.svg')}")


def _read(path):
    run = Run(path)
    if not run.has(files.CONFIG):
        raise ModelError(
            f"Expected a run's directory. Received: {path}, which has no config.toml. "
            "`sfcl runs` alone lists those there are."
        )
    config, history, results = run.config, run.history, run.results
    frame = results.get("summary", {}).get("frame", {})
    begun = datetime.datetime.fromtimestamp(run.path(files.CONFIG).stat().st_mtime)
    if not history:
        state = "begun"
    elif not run.has(files.MODEL):
        state = f"epoch {history[-1]['epoch']}/{config.train.epochs}"
    else:
        state = "done" if results else "trained"
    return {
        "name": run.name,
        "model": f"{config.model.name} ({config.model.preset})",
        "data": config.data.dataset,
        "state": state,
        "val_auc": max((r["val_auc"] for r in history), default=None, key=_or_zero),
        "auc": frame.get("auc"),
        "interval": frame.get("intervals", {}).get("auc"),
        "begun": begun,
        "history": history,
    }


def _or_zero(value):
    return value if value == value else 0.0  # NaN of a split with one class


def _table(rows):
    columns = ("run", "model", "data", "begun", "state", "val AUC", "test AUC", "95 %")
    shown = table("Runs, frame AUC in %, best on test first", *columns)
    for column in shown.columns[:5]:
        column.justify = "left"
        column.overflow = "fold"
    for row in rows:
        interval = row["interval"]
        shown.add_row(
            row["name"],
            row["model"],
            row["data"],
            f"{row['begun']:%m-%d %H:%M}",
            row["state"],
            percent(row["val_auc"]),
            percent(row["auc"]),
            "n/a"
            if not interval
            else f"{100 * interval[0]:.1f}-{100 * interval[1]:.1f}",
        )
    return shown


def _draw(rows, path):
    curves = {row["name"]: row["history"] for row in rows if row["history"]}
    save(plot_curves(curves), path.with_suffix(""))
