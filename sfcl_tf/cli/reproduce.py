"""Make the paper's ablation tables and spectral figures from your data.

table3 and table4 train every row with several seeds and give mean and spread as
Markdown, CSV and LaTeX; what is trained already is not trained again. figure1 and
figure7 draw spectra of real and fake faces. The folder is
RUNS/reproduce-<dataset>-<preset>.

  sfcl reproduce table3 --dataset demo --preset tiny --seeds 2
  sfcl reproduce figure7 --dataset ff_c23 --data-root /data --frames 10
"""

import dataclasses
import time

from sfcl_tf.catalog.cards import load_card
from sfcl_tf.catalog.listing import SPLITS
from sfcl_tf.cli import options
from sfcl_tf.cli.console import console, percent, progress, say
from sfcl_tf.cli.progress import ConsoleProgress
from sfcl_tf.config import to_toml
from sfcl_tf.models import with_resolved_weights
from sfcl_tf.reproduce import tables
from sfcl_tf.runs import files
from sfcl_tf.system.errors import DataError, UsageError
from sfcl_tf.system.output import write_text
from sfcl_tf.system.quiet import import_tensorflow
from sfcl_tf.system.storage import is_remote
from sfcl_tf.workflow.prepare import ready_records

_WHAT = ("table3", "table4", "figure1", "figure7")
# What `make demo` takes, or less: the demo shows that it works, no more.
_DEMO = (("data.frames", 4), ("train.epochs", 3))
# Of a figure, evenly over the split: a million frames would say no more.
_FRAMES = 10_000


def add_arguments(parser):
    """Adds the subcommand's arguments."""
    parser.add_argument("what", choices=_WHAT)
    parser.add_argument("--dataset", metavar="CARD", required=True, help="data set")
    parser.add_argument(
        "--seeds", type=int, default=3, metavar="N", help="trainings a row (default: 3)"
    )
    parser.add_argument("--epochs", type=int, metavar="N", help="of each training")
    parser.add_argument("--devices", default="", metavar="N", help="as of `sfcl train`")
    parser.add_argument(
        "--split",
        choices=("train", "val", "test"),
        help="of the figures (default: train for figure7, test for figure1)",
    )
    options.add_data(parser)
    options.add_preparation(parser)
    options.add_engine(parser)
    options.add_config(parser)
    options.add_runs(parser)


def run(args):
    """Runs the subcommand."""
    if args.seeds < 1:
        raise UsageError(f"Expected --seeds of at least 1. Received: {args.seeds}.")
    config = options.config(args, ("train.epochs", args.epochs), *_defaults(args))
    base = options.runs(args)
    if is_remote(base):
        raise UsageError(f"Expected a folder. Received: {base}. Give one by --runs.")
    folder = base / f"reproduce-{load_card(args.dataset).name}-{config.model.preset}"
    folder.mkdir(parents=True, exist_ok=True)
    if args.what.startswith("table"):
        return _table(args, config, folder)
    return _figure(args, config, folder)


def _defaults(args):
    """The demo's settings, as far as nothing else was asked for."""
    if args.dataset != "demo" or args.config:
        return []
    given = {override.partition("=")[0].strip() for override in args.overrides}
    flags = {"data.frames": args.frames, "train.epochs": args.epochs}
    given |= {key for key, value in flags.items() if value is not None}
    return [(key, value) for key, value in _DEMO if key not in given]


def _table(args, config, folder):
    # Else each training would tell it, after hours of preparation.
    sources = options.sources(args)
    sources.require(config.data)
    config = dataclasses.replace(config, model=with_resolved_weights(config.model))
    import_tensorflow()
    _ready(args, config, sources)  # once, for all
    table = tables.TABLES[args.what]
    _keep_settings(folder / files.CONFIG, to_toml(config))
    passed = ["--config", str(folder / files.CONFIG), "--dataset", args.dataset]
    for root in args.data_root:
        passed += ["--data-root", root]
    passed += ["--records", str(sources.records_path), "--demo-dir", args.demo_dir]
    if args.devices:
        passed += ["--devices", args.devices]
    trainings = tables.plan(table, range(args.seeds))
    failed, begun = [], time.monotonic()
    with progress() as bar:
        task = bar.add_task(args.what, total=len(trainings), note="")

        def on_done(training, auc, error):
            bar.advance(task)
            done = trainings.index(training) + 1
            minutes = (time.monotonic() - begun) / 60
            left = minutes / done * (len(trainings) - done)
            outcome = f"AUC {percent(auc)} %" if error is None else f"failed: {error}"
            say(
                f"{done} of {len(trainings)}: {training.name}: {outcome}; "
                f"{minutes:.0f} min so far, about {left:.0f} left"
            )
            if error is not None:
                failed.append(training.name)

        say(f"{len(trainings)} trainings, each with a log in {folder}.")
        aucs = tables.collect(
            table,
            trainings,
            lambda training: tables.train_in_process(training, folder, passed),
            on_done,
        )
    text = tables.write_table(folder, args.what, table, aucs, _setup(config))
    console.print(text, markup=False, highlight=False)
    say(f"Written {folder / args.what}.md, .csv and .tex")
    if failed:
        say(f"Failed: {', '.join(failed)}. The same command tries them again.")
        return 1
    return 0


def _ready(args, config, sources, splits=SPLITS):
    written = {"--runs": options.runs(args)}
    return ready_records(config.data, sources, ConsoleProgress(), splits, written)


def _keep_settings(path, text):
    """All trainings of a folder have the same settings, those of another day too."""
    if path.is_file() and path.read_text("utf-8") != text:
        raise UsageError(
            f"Expected the settings of {path}, with which trainings there were made. "
            "Received others. Give the same options, or another folder by --runs."
        )
    write_text(path, text)


def _setup(config):
    return (
        f"Trained on {config.data.dataset}, preset {config.model.preset}, "
        f"{config.data.frames} frames a video, {config.train.epochs} epochs."
    )


def _figure(args, config, folder):
    import_tensorflow()
    split = args.split or ("train" if args.what == "figure7" else "test")
    manifest = _ready(args, config, options.sources(args), (split,))

    from sfcl_tf.evaluation.plots import save
    from sfcl_tf.inputs.pipeline import InputPipeline

    if len({video["label"] for video in manifest.split(split)}) < 2:
        raise DataError(
            f"Expected real and fake faces in the split {split}. Received: one class "
            "alone. Choose another --split."
        )
    pipeline = InputPipeline(manifest, config)
    draw = _heat_maps if args.what == "figure1" else _sida
    save(draw(pipeline, split), folder / args.what)
    say(f"Written {folder / args.what}.png and .svg")
    return 0


def _sida(pipeline, split):
    from sfcl_tf.evaluation import spectra
    from sfcl_tf.reproduce.figures import plot_sida

    total = sum(video["records"] for video in pipeline.manifest.split(split))
    every = -(-total // _FRAMES)
    with progress() as bar:
        task = bar.add_task("spectra", total=-(-total // every), note="")
        crops = pipeline.crops(split, every)
        curves = spectra.sida_curves(crops, lambda: bar.advance(task))
    return plot_sida(curves)


def _heat_maps(pipeline, split):
    """A real face, and a forgery of the same video where there is one."""
    from sfcl_tf.reproduce.figures import plot_heat_maps

    crops, names = {}, {}  # by label
    for crop, label, meta in pipeline.crops(split):
        kind = int(label)
        if kind not in names or kind == 1:
            crops[kind] = crop.numpy()
            names[kind] = meta["video_id"].numpy().decode()
        if len(names) == 2 and _is_of(names[1], names[0]):
            break
    return plot_heat_maps(crops[0], crops[1], (names[0], names[1]))


def _is_of(fake, real):
    """Whether a forgery is named after a real video, as FaceForensics++ does."""
    return fake.split("/")[-1].startswith(real.split("/")[-1])
