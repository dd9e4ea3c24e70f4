"""What a run prints."""

import math

from sfcl_tf.cli.console import console, percent, say, table
from sfcl_tf.evaluation.calibrate import Calibration
from sfcl_tf.runs import files


def epoch(row) -> str:
    """Returns an epoch's line."""
    auc = row["val_auc"]
    return (
        f"epoch {row['epoch']}: loss {row['loss']:.4f}, train AUC {row['auc']:.3f}, "
        f"val AUC {'n/a' if math.isnan(auc) else format(auc, '.4f')}, val loss "
        f"{row['val_loss']:.4f}, {row['images_per_second']:.1f} images/s, "
        f"{row['seconds']:.0f} s"
    )


def results(values) -> None:
    """Prints the table of a split's figures, the verdicts, and the baseline."""
    shown = table(
        f"{values['dataset']}, {values['split']} split, in %",
        "method",
        "level",
        "AUC",
        "95 %",
        "Acc",
        "bal. Acc",
        "EER",
        "n",
    )
    summary = values["summary"]
    for name, figures in [("all", summary), *summary["methods"].items()]:
        for level in ("frame", "video"):
            row = figures[level]
            shown.add_row(
                name if level == "frame" else "",
                level,
                percent(row["auc"]),
                _interval(
                    row.get("intervals", {}).get("auc"),
                    measured="videos_real" in row and row["auc"] is not None,
                ),
                *(percent(row[k]) for k in ("acc", "balanced_acc", "eer")),
                str(row["n"]),
            )
        shown.add_section()
    console.print(shown)
    _print_verdicts(values)
    if "baseline" in values:
        _print_baseline(values["baseline"])


def _print_verdicts(values):
    calibration = Calibration.from_dict(values["calibration"])
    if why := calibration.why:
        say(f"Verdicts    all uncertain: not calibrated, {why}.")
        return
    for name, level in (("frame", calibration.frame), ("video", calibration.video)):
        verdicts = values["verdicts"][name]
        say(
            f"Verdicts    by {name} real up to {level.real_to:.3f}, fake from "
            f"{level.fake_from:.3f}: {percent(verdicts['uncertain'])} % uncertain, "
            f"{percent(verdicts['error'])} % of the others wrong."
        )
    frame = values["verdicts"]["frame"]
    balanced = frame["balanced_ece"]
    say(
        f"Calibration ECE by frame {frame['ece']:.3f}, with as many fakes as reals "
        f"{'n/a' if balanced is None else format(balanced, '.3f')}."
    )


def _print_baseline(baseline):
    if "differences" in baseline:
        say(
            f"Baseline    none was trained alike; {baseline['model']} "
            f"({baseline['run']}) comes closest: "
            f"{'; '.join(baseline['differences'])}."
        )
        return
    frame = baseline["frame"]
    if frame["difference"] is None:
        return
    difference = f"{100 * frame['difference']:+.2f}"
    say(
        f"Baseline    {baseline['model']} ({baseline['run']}): frame AUC "
        f"{percent(frame['two'])}; the difference is {difference} points "
        f"(95 % interval {_interval(frame['interval'], ' to ', measured=True)}), on "
        f"{baseline['n']} frames."
    )


def comparison(comparisons, one: str, two: str):
    """Returns the table of a paired comparison, in percent."""
    shown = table(
        f"AUC of {one} against {two}, in %",
        "data",
        "level",
        one,
        two,
        "difference",
        "95 % interval",
        "n",
    )
    for name, figures in comparisons.items():
        for level in ("frame", "video"):
            row = figures[level]
            difference = row["difference"]
            shown.add_row(
                name if level == "frame" else "",
                level,
                percent(row["one"]),
                percent(row["two"]),
                "n/a" if difference is None else f"{100 * difference:+.2f}",
                _interval(row["interval"], " to ", measured=difference is not None),
                str(figures["n"]) if level == "frame" else "",
            )
        if figures["left_out"]:
            say(
                f"{name}: {figures['left_out']} faces that one run alone has, left out."
            )
    return shown


def _interval(pair, between="-", *, measured=False):
    """Formats an interval; without one, why, where it would be told of more videos."""
    if not pair:
        return "too few" if measured else "n/a"
    return f"{100 * pair[0]:.1f}{between}{100 * pair[1]:.1f}"


def paths(location, values) -> None:
    """Prints where everything of a run lies."""
    say(f"Run         {location}")
    say(f"Report      {location / files.REPORT}")
    say(f"Predictions {location / files.predictions(files.OWN_TEST)}")
    if export := values.get("export"):
        say(
            f"SavedModel  {export['path']} (differs from Keras by at most "
            f"{export['max_abs_difference']:.1e} in the logit on {export['frames']} "
            "test frames)"
        )
    if values["dataset"] == "demo":
        say("The demo's AUC proves the plumbing, not the detector.")
