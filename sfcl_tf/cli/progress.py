"""What the workflow tells, on the console."""

import contextlib
import time

from sfcl_tf.cli import show
from sfcl_tf.cli.console import console, progress, say
from sfcl_tf.cli.show_check import show_finding
from sfcl_tf.cli.show_prepared import show_coverage
from sfcl_tf.cli.show_training import TrainingDisplay
from sfcl_tf.runs import files
from sfcl_tf.workflow.progress import Progress


class ConsoleProgress(Progress):
    """Bars on a terminal; lines elsewhere."""

    def __init__(self):
        self._started = time.perf_counter()

    def say(self, text):
        """Prints a sentence."""
        say(text)

    @contextlib.contextmanager
    def counting(self, what, total=None):
        """Shows a bar; without a terminal a line a tenth, where there are notes."""
        with progress() as bar:
            task = bar.add_task(what, total=total, note="")

            def count(done, total=total, note=""):
                bar.update(task, completed=done, total=total, note=note)
                if note and total and not console.is_terminal:
                    tenth = -(-total // 10)
                    if not done % tenth:
                        say(f"  {done} of {total} videos; {note}")

            yield count

    def prepared(self, manifest):
        """Prints the coverage of faces."""
        show_coverage(manifest)

    def findings(self, errors):
        """Prints errors, with lines between."""
        for finding in errors:
            say("")
            show_finding(finding)
        say("")

    def training(self, epochs, steps, examples, done):
        """Returns a display of the steps; see `TrainingDisplay`."""
        return TrainingDisplay(epochs, steps, examples, done)

    def evaluated(self, run, evaluation):
        """Prints the figures, and where they lie."""
        show.results(evaluation.results)
        if not run.has(files.CALIBRATION):
            say(
                "Not calibrated: verdicts are by a threshold of 0.5. Find the run's "
                f"own on its validation split: sfcl calibrate {run.location}"
            )
        say(f"Predictions {run.location / files.predictions(evaluation.name)}")
        if evaluation.name == files.OWN_TEST:
            say(f"Report      {run.location / files.REPORT}")
        else:
            say(f"Plots       {run.location / files.plots(evaluation.name)}")

    def finished(self, run, results):
        """Prints what came out, and where it lies."""
        show.results(results)
        show.paths(run.location, results)
        say(f"Done in {time.perf_counter() - self._started:.0f} s.")
