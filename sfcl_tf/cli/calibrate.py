"""Calibrate a run on its validation split, for scores and verdicts.

Writes RUN/calibration.json, by which `evaluate`, `detect` and exports turn a logit
into a score and a verdict. `train` does it at its end, and nothing else does. It is
for runs that were never calibrated, or whose validation records changed. The whole
validation split of the run's own data is taken: as it was scored before, or scored
now. Training faces are measured too (reference.json), if that was never done.

  sfcl calibrate runs/NAME
  sfcl calibrate runs/NAME --records /records
"""

import sfcl_tf
from sfcl_tf.cli import options
from sfcl_tf.cli.console import say
from sfcl_tf.cli.progress import ConsoleProgress
from sfcl_tf.runs import files


def add_arguments(parser):
    """Adds the subcommand's arguments."""
    parser.add_argument("run_dir", metavar="RUN", help="a run's directory, or its URL")
    options.add_data(parser)
    options.add_workers(parser)
    options.add_engine(parser)


def run(args):
    """Runs the subcommand."""
    sources = options.sources(args)
    with sfcl_tf.Run.open(args.run_dir) as run:
        sfcl_tf.calibrate(run, sources=sources, progress=ConsoleProgress())
        _list_outdated(run)


def _list_outdated(run):
    """Names what was made with the calibration before, and how to make it anew."""
    location, folder = run.location, run.folder
    made = [
        (version, f"--version {version.name}")
        for version in sorted((folder / files.SAVED_MODELS).glob("[0-9]*"))
    ] + [
        (record.parent, _engine(record.parent.name))
        for record in sorted((folder / files.ENGINES).glob("*/engine.json"))
    ]
    for path, how in made:
        say(
            f"{location / path.relative_to(folder)} carries the calibration before. "
            f"Make it anew: sfcl export {location} {how}"
        )
    say(
        "So do exports elsewhere (--to, --kit). Figures of evaluations and results of "
        f"`sfcl detect` are by it until made anew: sfcl evaluate {location}"
    )


def _engine(name):
    form, _, precision = name.partition("-")
    return f"--format {form} --precision {precision}"
