"""What long work tells of itself."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol


class Count(Protocol):
    """Takes how far something is."""

    def __call__(self, done: int, total: int | None = None, note: str = "") -> None:
        """Takes the number of things done, of how many, and a word about them."""


class TrainingHooks:
    """What training tells of its steps; each does nothing here."""

    def on_statistics(self, done: int) -> None:
        """Takes the number of examples that band statistics were taken of so far."""

    def on_batch(self, epoch: int, batch: int, logs: dict[str, float]) -> None:
        """Takes epoch and batch, from 1, and the running metrics.

        Among these are `images_per_second` and `waiting`, the share of the last
        seconds in which there was no data.
        """

    def on_epoch(self, row: dict[str, float]) -> None:
        """Takes what goes to `metrics.jsonl`."""

    def on_interrupt(self) -> None:
        """Is called when training was asked to stop, and saves first."""


class Progress:
    """What the functions of `sfcl_tf.workflow` tell; each method does nothing here.

    Derive from it to see or to log what goes on. An error that a method raises ends
    the work at once: a training goes on from its last checkpoint.
    """

    def say(self, text: str) -> None:
        """Takes a sentence that a person would want to read."""

    @contextlib.contextmanager
    def counting(self, what: str, total: int | None = None) -> Iterator[Count]:
        """Gives what takes how far something is, until the block ends.

        Args:
            what: Is counted, such as `"scoring val"`.
            total: How many there will be; `None` if unknown.
        """
        yield lambda done, total=None, note="": None

    def prepared(self, manifest: Any) -> None:
        """Takes the `Manifest` of what was prepared: coverage, failures."""

    def findings(self, errors: Sequence[Any]) -> None:
        """Takes errors in the data, each a `sfcl_tf.check.findings.Finding`."""

    @contextlib.contextmanager
    def training(
        self, epochs: int, steps: int, examples: int, done: int
    ) -> Iterator[TrainingHooks]:
        """Gives what is told of each step, until training ends.

        Args:
            epochs: Of the run.
            steps: Of an epoch.
            examples: That band statistics are taken of.
            done: Steps that were trained before.
        """
        yield TrainingHooks()

    def evaluated(self, run: Any, evaluation: Any) -> None:
        """Takes a run, and a `sfcl_tf.workflow.evaluate.Evaluation` of it."""

    def finished(self, run: Any, results: dict[str, Any]) -> None:
        """Takes a run that is trained, and the figures of its test split."""


def listed(names: Sequence[str], most: int) -> str:
    """Returns names with commas, and dots for those beyond `most`."""
    return ", ".join(names[:most]) + ", ..." * (len(names) > most)
