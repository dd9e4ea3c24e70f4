"""Redo the paper's ablations and figures on your data.

table3 and table4 train each row with several seeds, each as an ordinary run, and
write mean and spread of the test AUC as Markdown, CSV and LaTeX. The same command
goes on with what was ended. figure1 and figure7 are drawn as PNG and SVG.

  sfcl reproduce table3 --dataset demo --preset tiny --seeds 2 --frames 6 --epochs 3
  sfcl reproduce figure7 --dataset ff_c23 --data-root /data
  sfcl reproduce all --dataset ff_c23 --data-root /data
"""

import signal
import subprocess
import sys
import time

from sfcl_tf.cli import options
from sfcl_tf.cli.console import console, progress, say, table
from sfcl_tf.quiet import import_tensorflow

_TABLES = ("table3", "table4")
_FIGURES = {"figure1": "test", "figure7": "train"}
# Of the demo, where nothing else is asked for: a table in minutes.
_DEMO = (("data.frames", 6), ("train.epochs", 3))
_PATIENCE = 60  # seconds a training has to end after Ctrl-C


def add_arguments(parser):
    """Adds the subcommand's arguments."""
    parser.add_argument(
        "what",
        choices=("all", *_TABLES, *_FIGURES),
        help="which table or figure of the paper",
    )
    parser.add_argument(
        "--dataset", required=True, metavar="CARD", help="data set, such as ff_c23"
    )
    parser.add_argument(
        "--seeds",
        type=int,
        default=3,
        metavar="N",
        help="trainings of each row of a table (default: 3)",
    )
    parser.add_argument("--epochs", type=int, metavar="N")
    parser.add_argument(
        "--split",
        choices=("train", "val", "test"),
        help="faces that a figure shows (default: test for figure1, train for figure7)",
    )
    options.add_data(parser)
    options.add_preparation(parser)
    options.add_engine(parser)
    options.add_config(parser)
    options.add_runs(parser)


def run(args):
    """Runs the subcommand."""
    from sfcl_tf.errors import UsageError
    from sfcl_tf.storage import is_remote

    if args.seeds < 1:
        raise UsageError(f"Expected --seeds of at least 1. Received: {args.seeds}.")
    if is_remote(options.runs(args)):
        raise UsageError(
            f"Expected a folder. Received: {options.runs(args)}. Give one by --runs."
        )
    config = _config(args)
    names = [n for n in (*_TABLES, *_FIGURES) if args.what in (n, "all")]
    manifest = _prepare(args, config, trains=bool(set(names) & set(_TABLES)))
    # The figures first: they take minutes.
    for name in sorted(names):
        if name in _FIGURES:
            _draw(args, config, manifest, name)
    return max([_tabulate(args, config, n) for n in names if n in _TABLES], default=0)


def _config(args):
    given = {"data.frames": args.frames, "train.epochs": args.epochs}
    given = {key for key, value in given.items() if value is not None}
    given |= {override.partition("=")[0].strip() for override in args.overrides}
    demo = args.dataset == "demo" and not args.config
    defaults = [pair for pair in _DEMO if demo and pair[0] not in given]
    return options.config(args, ("train.epochs", args.epochs), *defaults)


def _prepare(args, config, trains):
    from sfcl_tf.cli.data import check_data, prepare_data
    from sfcl_tf.models import pretrained
    from sfcl_tf.models.weights import resolve_weights

    check_data(args, config.data)
    if trains:
        for choice, network in pretrained(config.model):
            resolve_weights(choice, network)
    import_tensorflow()
    return prepare_data(args, config.data)


def _folder(args, config, name):
    from sfcl_tf.data.cards import card_name

    card = card_name(config.data.dataset)
    return options.runs(args) / f"reproduce-{name}-{card}-{config.model.preset}"


def _draw(args, config, manifest, name):
    from sfcl_tf.data.pipeline import InputPipeline
    from sfcl_tf.evaluation import paper_figures
    from sfcl_tf.evaluation.plots import save

    pipeline, split = InputPipeline(manifest, config), args.split or _FIGURES[name]
    if name == "figure1":
        found = paper_figures.pair_of_faces(pipeline, split)
        figure = paper_figures.figure1(*found)
    else:
        with progress() as bar:
            task = bar.add_task(f"SIDA of {split}", total=None, note="")
            found = paper_figures.sida_means(
                pipeline, split, on_frame=lambda done: bar.update(task, completed=done)
            )
        figure = paper_figures.figure7(*found)
    folder = _folder(args, config, name)
    folder.mkdir(parents=True, exist_ok=True)
    save(figure, folder / name)
    say(f"Figure {folder / name}.png, .svg, of the split {split}")


def _tabulate(args, config, name):
    """Trains what is not trained yet, and writes the table; returns the exit code."""
    from sfcl_tf.evaluation.ablation import TABLES, to_csv, to_latex, to_markdown

    chosen, folder = TABLES[name], _folder(args, config, name)
    folder.mkdir(parents=True, exist_ok=True)
    # Seeds outside: a table that is ended early has all rows.
    plan = [
        (row, seed, folder / f"{chosen.label(row)}-seed{seed}")
        for seed in range(config.train.seed, config.train.seed + args.seeds)
        for row in chosen.rows
    ]
    wanted = {path: row.config(config, seed) for row, seed, path in plan}
    for path, expected in wanted.items():
        _require_same(path, expected)
    aucs = {row: [] for row in map(chosen.label, chosen.rows)}
    begun, trained, failed = time.monotonic(), 0, []
    left = sum(_auc(path) is None for path in wanted)
    if left < len(plan):
        say(f"{len(plan) - left} of {len(plan)} trainings are finished already.")
    for row, seed, path in plan:
        auc = _auc(path)
        if auc is None:
            each = (time.monotonic() - begun) / trained if trained else None
            about = f", about {each * left / 60:.0f} min left" if each else ""
            label = chosen.label(row)
            say(f"Training {label}, seed {seed}: {left} to go{about}")
            code, reason = train_run(args, wanted[path], path)
            auc, trained, left = _auc(path), trained + 1, left - 1
            if code or auc is None:
                failed.append(path.name)
                say(f"  failed with exit code {code}: {reason}")
                continue
            say(f"  test AUC {100 * auc:.2f} %")
        aucs[chosen.label(row)].append(auc)
    found = list(aucs.values())
    note = (
        f"Frame AUC on the test split of {config.data.dataset}, preset "
        f"{config.model.preset}, {config.data.frames} frames a video, "
        f"{config.train.epochs} epochs, epoch selected on the validation split; std "
        "over n seeds. The paper's figures are of FaceForensics++ c23."
    )
    files = {
        "md": to_markdown(chosen, found, note),
        "csv": to_csv(chosen, found),
        "tex": to_latex(chosen, found, note),
    }
    for ending, text in files.items():
        (folder / f"{name}.{ending}").write_text(text, "utf-8")
    _show(chosen, found)
    say(f"Table {folder / name}.md, .csv, .tex")
    if failed:
        say(f"Failed: {', '.join(failed)}. The same command tries them again.")
    return 1 if failed else 0


def _show(chosen, found):
    from sfcl_tf.cli.console import percent
    from sfcl_tf.evaluation.ablation import spread

    shown = table(chosen.title, "with", "AUC in %", "std", "n", "paper, AUC in %")
    for row, aucs in zip(chosen.rows, found, strict=True):
        cells = [percent(x if x == x else None) for x in spread(aucs)]  # NaN
        shown.add_row(chosen.label(row), *cells, str(len(aucs)), f"{row.paper:.2f}")
    console.print(shown)


def _auc(path):
    """Returns the test AUC of a run, `None` where it has none yet."""
    from sfcl_tf.cli.run_dir import read_results

    return read_results(path).get("summary", {}).get("frame", {}).get("auc")


def _require_same(path, expected):
    from sfcl_tf.config import read_config
    from sfcl_tf.errors import UsageError

    file = path / "config.toml"
    if file.is_file() and read_config(file) != expected:
        raise UsageError(
            f"Expected {path} to be of the same settings as this command. Received: "
            f"others in {file}. Repeat the first command's options, or give another "
            "folder by --runs."
        )


def train_run(args, config, path) -> tuple[int, str]:
    """Trains one run in a process of its own, or goes on with it.

    A process each: memory is given back, and one that dies takes no other along.

    Returns:
        Its exit code, and the last line that it wrote.
    """
    from sfcl_tf.config import to_toml

    settings = path.with_name(f"{path.name}.toml")
    settings.write_text(to_toml(config), "utf-8")
    argv = [sys.executable, "-m", "sfcl_tf.cli", "train", *_where(args)]
    if (path / "config.toml").is_file():
        argv += ["--resume", str(path)]
    else:
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()  # of one that was killed before it began
        argv += ["--config", str(settings), "--name", path.name]
        argv += ["--runs", str(path.parent)]
    log = path.with_name(f"{path.name}.log")
    with log.open("ab") as file:
        # A session of its own: Ctrl-C comes once, from here.
        process = subprocess.Popen(  # noqa: S603  our own command, no shell
            argv, stdout=file, stderr=file, start_new_session=True
        )
        try:
            code = process.wait()
        except BaseException:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
    lines = log.read_text("utf-8", "replace").split("\n")
    return code, next((line for line in reversed(lines) if line.strip()), "")


def _where(args):
    """Returns the options that say where data lies, as they were given."""
    argv = ["--demo-dir", args.demo_dir, "--workers", str(args.workers)]
    for root in args.data_root:
        argv += ["--data-root", root]
    return argv + (["--records", args.records] if args.records else [])
