"""Calibrate a run on its validation split, for scores and verdicts.

Writes RUN/calibration.json, by which `evaluate`, `detect` and exports turn a logit
into a score and a verdict. `train` does it at its end, and nothing else does. It is
for runs that were never calibrated, or whose validation records changed. The whole
validation split of the run's own data is taken: as it was scored before, or scored
now. Training faces are measured too (reference.json), if that was never done.

  sfcl calibrate runs/NAME
  sfcl calibrate runs/NAME --records /records
"""

from sfcl_tf.cli import options
from sfcl_tf.cli.console import say


def add_arguments(parser):
    """Adds the subcommand's arguments."""
    parser.add_argument("run_dir", metavar="RUN", help="a run's directory, or its URL")
    options.add_data(parser)
    options.add_workers(parser)
    options.add_engine(parser)


def run(args):
    """Runs the subcommand."""
    from sfcl_tf.cli.run_dir import open_run

    options.check_workers(args)
    with open_run(args.run_dir) as (place, run_dir, _):
        _calibrate(args, place, run_dir)


def _calibrate(args, place, run_dir):
    from sfcl_tf.cli.run_dir import load_run

    config, model = load_run(run_dir)

    from sfcl_tf.cli.data import prepare_data
    from sfcl_tf.cli.steps import calibrate_run, measure_run, own_records
    from sfcl_tf.data.pipeline import InputPipeline
    from sfcl_tf.evaluation import Predictor, reference, write_report
    from sfcl_tf.evaluation.selection import stored

    manifest = prepare_data(args, config.data, ("val",))
    _compare_records(run_dir, manifest)
    scores = stored(run_dir, "val", manifest, "val", data=config.data)
    if scores is not None:
        say(f"Scores of {len(scores)} faces are taken from predictions_val.csv.")
    _say_before(run_dir)
    pipeline = InputPipeline(manifest, config)
    calibrate_run(Predictor(model), pipeline, run_dir, scores)
    if not (run_dir / reference.FILE).is_file() and (
        own := own_records(config, args, "train")
    ):
        measure_run(own, run_dir)
    write_report(run_dir)
    _say_what_is_older(place, run_dir)


def _compare_records(run_dir, manifest):
    """Says where the validation split is not what the epoch was chosen by."""
    from sfcl_tf.cli.run_dir import read_environment

    known = read_environment(run_dir).get("records", {}).get("val")
    if known not in (None, manifest.digest("val")):
        say(
            f"Warning: the validation split in {manifest.folder} is not the one that "
            "the run's epoch was chosen by: files were added or removed, or prepared "
            "anew. The run is calibrated on what is there."
        )


def _say_before(run_dir):
    from sfcl_tf.cli.steps import told
    from sfcl_tf.errors import ModelError
    from sfcl_tf.evaluation import Calibration

    try:
        say(f"Before: {told(Calibration.read(run_dir))}.")
    except ModelError:
        say("Before: calibration.json was damaged.")


def _say_what_is_older(place, run_dir):
    """Names what was made with the calibration before, and how to make it anew."""
    made = [
        (folder, f"--version {folder.name}")
        for folder in sorted((run_dir / "savedmodel").glob("[0-9]*"))
    ] + [
        (record.parent, _engine(record.parent.name))
        for record in sorted((run_dir / "engines").glob("*/engine.json"))
    ]
    for folder, how in made:
        say(
            f"{place / folder.relative_to(run_dir)} carries the calibration before. "
            f"Make it anew: sfcl export {place} {how}"
        )
    say(
        "So do exports elsewhere (--to, --kit). Figures of evaluations and results of "
        f"`sfcl detect` are by it until made anew: sfcl evaluate {place}"
    )


def _engine(name):
    form, _, precision = name.partition("-")
    return f"--format {form} --precision {precision}"
