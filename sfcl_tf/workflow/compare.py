"""Two runs on the same faces."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sfcl_tf.evaluation import plots
from sfcl_tf.evaluation.compare import compare as compare_predictions
from sfcl_tf.evaluation.plots_groups import plot_differences
from sfcl_tf.evaluation.summary import write_results
from sfcl_tf.runs import Run, files
from sfcl_tf.workflow.arguments import require_split
from sfcl_tf.workflow.evaluate import Choice, evaluate, scores_of
from sfcl_tf.workflow.progress import Progress
from sfcl_tf.workflow.sources import Sources


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What comparing two runs gave.

    Attributes:
        one: Name of the run it is written into.
        two: Name of the other.
        data: By name of what was scored, see `sfcl_tf.evaluation.compare.compare`.
        file: Where it lies as JSON.
        plot: Where its plot lies; an SVG lies beside.
    """

    one: str
    two: str
    data: dict[str, Any]
    file: Path
    plot: Path


def compare(
    one: Run | str | Path,
    two: Run | str | Path,
    *,
    choices: Iterable[Choice] = (Choice(),),
    split: str = "test",
    sources: Sources | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compares two runs on the same faces.

    A run's own whole split is taken as it was scored; other data is scored.

    Args:
        one: A run, into which the comparison is written.
        two: Another.
        choices: Which data; by default the runs' own.
        split: `"train"`, `"val"` or `"test"`.
        sources: Where data lies.
        progress: Is told how it goes.

    Raises:
        ModelError: If one is no finished run.
        DataError: If data is not to be found.
        UsageError: If `split` is no split.
    """
    require_split(split)
    sources, progress = sources or Sources(), progress or Progress()
    with Run.open(one) as one, Run.open(two) as two:
        comparisons = {}
        for choice in choices:
            name, mine = _stored_or_scored(one, choice, split, sources, progress)
            _, theirs = _stored_or_scored(two, choice, split, sources, progress)
            comparisons[name] = compare_predictions(mine, theirs)
        # The plain names are for the whole of the run's own test split.
        others = (
            "" if [*comparisons] == [files.OWN_TEST] else f"_{'+'.join(comparisons)}"
        )
        path, folder = f"paired_{two.name}{others}.json", f"{files.PLOTS}{others}"
        values = {"one": one.name, "two": two.name, "data": comparisons}
        write_results(one.path(path), values)
        one.path(folder).mkdir(exist_ok=True)
        plot = f"{folder}/paired_{two.name}"
        plots.save(plot_differences(comparisons, one.name, two.name), one.path(plot))
        return Comparison(
            one.name,
            two.name,
            comparisons,
            one.location / path,
            one.location / f"{plot}.png",
        )


def _stored_or_scored(run, choice, split, sources, progress):
    if choice.is_own and (scores := scores_of(run, split, sources)) is not None:
        return split, scores
    chosen = dataclasses.asdict(choice)
    scored = evaluate(run, split=split, sources=sources, progress=progress, **chosen)
    return scored.name, scored.predictions
