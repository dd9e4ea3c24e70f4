"""What a detector could cheat with: facts of the files that tell their label.

A data set whose fakes are 4:2:0 and whose reals are 4:4:4 can be told apart without
a look at any face, and a detector of frequencies will. The same goes for rate
factors, sizes and whatever else the two were not given alike.

Lengths are left out: no detector of frames sees them.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from sfcl_tf.check.collection import Collection
from sfcl_tf.check.findings import Finding
from sfcl_tf.check.separation import Separation, separation
from sfcl_tf.check.survey import FileFacts

Facts: TypeAlias = dict[str, Callable[[FileFacts], str | float]]

IN_THE_PICTURES: Facts = {
    "pixel format": lambda f: f.pixel_format,
    "crf": lambda f: "unknown" if f.crf is None else f"{f.crf:g}",
    "JPEG quantisation": lambda f: f"{f.quantisation:g}" if f.quantisation else "none",
    "number of pixels": lambda f: f.width * f.height,
    "codec": lambda f: f.codec,
}
"""What leaves its trace in pixels. Numbers are compared as such, text by equality."""

AROUND_THEM: Facts = {
    "frame rate": lambda f: round(f.rate, 1),
    "container": lambda f: f.container,
    "writing software": lambda f: f.writer or "unknown",
    "sound": lambda f: "with" if f.audio else "without",
}
"""What no picture shows."""

WARNING = 0.6
ERROR = 0.95
CHANCE = 0.001
"""A balanced accuracy that labels dealt out at random reach more often is chance."""
_VALUES_SHOWN = 3

Separations: TypeAlias = dict[str, tuple[str, Separation]]
"""For each fact: against which fakes, and how well."""


def shortcuts(collection: Collection, facts: Sequence[FileFacts]) -> Iterator[Finding]:
    """Facts that tell reals from all fakes, or from those of one method.

    A warning from a balanced accuracy of 60 %, an error from 95 %: only a warning,
    however, where no picture shows the fact.
    """
    groups = _groups([file for file in facts if not file.problem])
    separations = _separations(groups, IN_THE_PICTURES)
    if separations:
        name, (group, best) = next(iter(separations.items()))
        yield _finding(
            "shortcuts",
            "error" if best.accuracy >= ERROR else "warning",
            "The files give their labels away: whoever knows nothing but the "
            f"{name} tells real from {_group_name(group)} with a balanced accuracy of "
            f"{100 * best.accuracy:.0f} %.",
            "Get both classes from the same source, or encode both alike before "
            "preparing. Results on this data would say little about faces.",
            separations,
        )
    separations = _separations(groups, AROUND_THEM)
    if separations:
        yield _finding(
            "made_differently",
            "warning",
            f"Reals and fakes differ in {' and '.join(separations)}: no picture shows "
            "that, but they were not made alike.",
            "Look for what else differs between the two, such as an encoding more.",
            separations,
        )


def _groups(read: list[FileFacts]) -> dict[str, list[FileFacts]]:
    """Returns reals with all fakes, and with those of each of several methods."""
    groups = {"": read}
    methods = sorted({f.video.method for f in read if f.video.label})
    if len(methods) > 1:
        for method in methods:
            kept = [f for f in read if not f.video.label or f.video.method == method]
            groups[method] = kept
    return groups


def _separations(groups: dict[str, list[FileFacts]], facts: Facts) -> Separations:
    """Returns the facts that tell labels, best first, each for the worst group."""
    worst: Separations = {}
    for name, fact in facts.items():
        for group, files in groups.items():
            values, labels = [fact(f) for f in files], [f.video.label for f in files]
            result = separation(values, labels, WARNING)
            if result is None or result.p > CHANCE:
                continue
            if name not in worst or result.accuracy > worst[name][1].accuracy:
                worst[name] = group, result
    return dict(sorted(worst.items(), key=lambda item: -item[1][1].accuracy))


def _finding(code, severity, message, step, separations: Separations) -> Finding:
    details = (
        _detail(name, group, result) for name, (group, result) in separations.items()
    )
    figures = {
        name: {
            "against": group or "all fakes",
            "balanced_accuracy": result.accuracy,
            "p": result.p,
            "real_and_fake": {v: list(pair) for v, pair in result.counts.items()},
        }
        for name, (group, result) in separations.items()
    }
    return Finding(code, severity, message, step, tuple(details), figures)


def _group_name(group: str) -> str:
    return group or "fake"


def _detail(name: str, group: str, result: Separation) -> str:
    common = list(result.counts.items())[:_VALUES_SHOWN]
    values = "; ".join(f"{v}: {real} real, {fake} fake" for v, (real, fake) in common)
    more = len(result.counts) - len(common)
    tail = f"; {more} more" if more else ""
    return (
        f"{name}, real against {_group_name(group)}: {100 * result.accuracy:.0f} % "
        f"({values}{tail})"
    )
