"""How training is shown while it goes on."""

import math
import time

from sfcl_tf.cli import show
from sfcl_tf.cli.console import console, progress, say
from sfcl_tf.workflow.progress import TrainingHooks

_LINE_EVERY = 30.0  # seconds, where the output is no terminal
# After which it is told how long training takes.
_MEASURED_STEPS, _MEASURED_SECONDS = 10, 5.0


class TrainingDisplay(TrainingHooks):
    """A bar on a terminal; a line every half a minute elsewhere.

    Use as a context manager.

    Args:
        epochs: Of the run.
        steps: Of an epoch.
        examples: That the band statistics are taken of.
        done: Steps that were trained before.
    """

    def __init__(self, epochs, steps, examples, done=0):
        self._epochs = epochs
        self._steps = steps
        self._bar = progress(elapsed=False, width=12)
        if not done:
            self._statistics = self._bar.add_task(
                "band statistics", total=examples, note=""
            )
        self._task = self._bar.add_task(
            "training", total=steps * epochs, completed=done, note="tracing"
        )
        self._reported = time.monotonic()
        self._begun = None  # step and time of the first step that was not traced
        self._estimated = False

    def __enter__(self):
        self._bar.__enter__()
        return self

    def __exit__(self, *error):
        return self._bar.__exit__(*error)

    def on_statistics(self, done):
        """Shows how many examples the statistics were taken of."""
        self._bar.update(self._statistics, completed=done)
        if self._bar.tasks[self._statistics].finished:
            self._bar.update(self._statistics, visible=False)

    def on_batch(self, epoch, batch, logs):
        """Shows a step."""
        done = (epoch - 1) * self._steps + batch
        note = f"epoch {epoch} loss {logs['loss']:.3f} AUC {logs['auc']:.3f}"
        if math.isfinite(logs["images_per_second"]):
            # `wait` is the share of the time without data.
            speed, waiting = logs["images_per_second"], logs["waiting"]
            note += f" {speed:.3g} img/s wait {waiting:.0%}"
        self._bar.update(self._task, completed=done, note=note)
        self._estimate(done)
        if console.is_terminal or time.monotonic() - self._reported < _LINE_EVERY:
            return
        self._reported = time.monotonic()
        left = self._bar.tasks[self._task].time_remaining
        eta = f", {_duration(left)} left" if left else ""
        say(f"  step {done} of {self._steps * self._epochs}: {note}{eta}")

    def _estimate(self, done):
        """Tells once, after some steps, how long it will all take."""
        now = time.monotonic()
        if self._begun is None:
            self._begun = done, now
            return
        steps, seconds = done - self._begun[0], now - self._begun[1]
        if self._estimated or steps < _MEASURED_STEPS or seconds < _MEASURED_SECONDS:
            return
        self._estimated = True
        epoch = self._steps * seconds / steps
        left = (self._steps * self._epochs - done) * seconds / steps
        say(
            f"An epoch takes about {_roughly(epoch)}, by the first {steps} steps; what "
            f"is left of {self._epochs} about {_roughly(left)}, without validation."
        )

    def on_epoch(self, row):
        """Prints an epoch's line."""
        say(show.epoch(row))

    def on_interrupt(self):
        """Tells what becomes of the request to stop."""
        say("Stopping after this step, and saving. Ctrl-C again stops at once.")


def _roughly(seconds: float) -> str:
    """Returns a time as one says it.

    Example:
        >>> [_roughly(s) for s in (40, 600, 11_160, 225_000)]
        ['40 s', '10 min', '3.1 h', '2.6 days']
    """
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.{0 if unit == 'min' else 1}f} {unit}"
    return f"{seconds:.0f} s"


def _duration(seconds) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
    )
