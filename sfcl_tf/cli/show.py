"""What a run prints."""

import math

from sfcl_tf.cli.console import percent, say, table


def epoch(row) -> str:
    """Returns an epoch's line."""
    auc = row["val_auc"]
    return (
        f"epoch {row['epoch']}: loss {row['loss']:.4f}, train AUC {row['auc']:.3f}, "
        f"val AUC {'n/a' if math.isnan(auc) else format(auc, '.4f')}, val loss "
        f"{row['val_loss']:.4f}, {row['images_per_second']:.1f} images/s, "
        f"{row['seconds']:.0f} s"
    )


def results(values):
    """Returns the table of a split's figures, in percent."""
    shown = table(
        f"{values['dataset']}, {values['split']} split, in %",
        "method",
        "level",
        "AUC",
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
                *(percent(row[k]) for k in ("auc", "acc", "balanced_acc", "eer")),
                str(row["n"]),
            )
        shown.add_section()
    return shown


def paths(place, report, values) -> None:
    """Prints where everything lies."""
    export = values["export"]
    say(f"Run         {place}")
    say(f"Report      {report}")
    say(f"Predictions {place / 'predictions_test.csv'}")
    say(
        f"SavedModel  {export['path']} (differs from Keras by at most "
        f"{export['max_abs_difference']:.1e} in the logit on {export['frames']} "
        "test frames)"
    )
    if values["dataset"] == "demo":
        say("The demo's AUC proves the plumbing, not the detector.")
