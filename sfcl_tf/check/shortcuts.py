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

Told: TypeAlias = dict[str, tuple[str, Separation]]
"""For each fact: against which fakes, and how well."""


def shortcuts(collection: Collection, facts: Sequence[FileFacts]) -> Iterator[Finding]:
    """Facts that tell reals from all fakes, or from those of one method.

    A warning from a balanced accuracy of 60 %, an error from 95 %: only a warning,
    however, where no picture shows the fact.
    """
    groups = _groups([found for found in facts if not found.problem])
    told = _telling(groups, IN_THE_PICTURES)
    if told:
        name, (group, best) = next(iter(told.items()))
        yield _finding(
            "shortcuts",
            "error" if best.accuracy >= ERROR else "warning",
            "The files give their labels away: whoever knows nothing but the "
            f"{name} tells real from {_against(group)} with a balanced accuracy of "
            f"{100 * best.accuracy:.0f} %.",
            "Get both classes from the same source, or encode both alike before "
            "preparing. Results on this data would say little about faces.",
            told,
        )
    told = _telling(groups, AROUND_THEM)
    if told:
        yield _finding(
            "made_differently",
            "warning",
            f"Reals and fakes differ in {' and '.join(told)}: no picture shows that, "
            "but they were not made alike.",
            "Look for what else differs between the two, such as an encoding more.",
            told,
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


def _telling(groups: dict[str, list[FileFacts]], facts: Facts) -> Told:
    """Returns the facts that tell labels, best first, each for the worst group."""
    worst: Told = {}
    for name, fact in facts.items():
        for group, files in groups.items():
            values, labels = [fact(f) for f in files], [f.video.label for f in files]
            found = separation(values, labels, WARNING)
            if found is None or found.p > CHANCE:
                continue
            if name not in worst or found.accuracy > worst[name][1].accuracy:
                worst[name] = group, found
    return dict(sorted(worst.items(), key=lambda item: -item[1][1].accuracy))


def _finding(code, severity, message, step, told: Told) -> Finding:
    details = (_detail(name, group, found) for name, (group, found) in told.items())
    figures = {
        name: {
            "against": group or "all fakes",
            "balanced_accuracy": found.accuracy,
            "p": found.p,
            "real_and_fake": {v: list(pair) for v, pair in found.counts.items()},
        }
        for name, (group, found) in told.items()
    }
    return Finding(code, severity, message, step, tuple(details), figures)


def _against(group: str) -> str:
    return group or "fake"


def _detail(name: str, group: str, found: Separation) -> str:
    common = list(found.counts.items())[:_VALUES_SHOWN]
    values = "; ".join(f"{v}: {real} real, {fake} fake" for v, (real, fake) in common)
    more = len(found.counts) - len(common)
    tail = f"; {more} more" if more else ""
    return (
        f"{name}, real against {_against(group)}: {100 * found.accuracy:.0f} % "
        f"({values}{tail})"
    )
