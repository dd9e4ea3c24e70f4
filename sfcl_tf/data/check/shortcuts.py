"""What a detector could cheat with: facts of the files that tell their label.

A data set whose fakes are 4:2:0 and whose reals are 4:4:4 can be told apart without
a look at any face, and a detector of frequencies will. The same goes for rate
factors, sizes and whatever else the two were not given alike.

Lengths are left out: no detector of frames sees them.
"""

from collections.abc import Callable, Iterator, Sequence

from sfcl_tf.data.check.collection import Collection
from sfcl_tf.data.check.findings import Finding
from sfcl_tf.data.check.separation import Separation, separation
from sfcl_tf.data.check.survey import FileFacts

FACTS: dict[str, Callable[[FileFacts], str | float]] = {
    "pixel format": lambda f: f.pixel_format,
    "crf": lambda f: "unknown" if f.crf is None else f"{f.crf:g}",
    "JPEG quantisation": lambda f: f"{f.quantisation:g}" if f.quantisation else "none",
    "pixels a picture": lambda f: f.width * f.height,
    "frame rate": lambda f: round(f.rate, 1),
    "codec": lambda f: f.codec,
    "container": lambda f: f.container,
    "written by": lambda f: f.writer or "unknown",
    "sound": lambda f: "with" if f.audio else "without",
}
"""Numbers are compared as such, text by equality."""

WARNING = 0.6
ERROR = 0.95
CHANCE = 0.001
"""A balanced accuracy that labels dealt out at random reach more often is chance."""
_VALUES_SHOWN = 3


def shortcuts(collection: Collection, facts: Sequence[FileFacts]) -> Iterator[Finding]:
    """Facts that tell reals from all fakes, or from those of one method.

    A warning from a balanced accuracy of 60 %, an error from 95 %, at most one
    finding in all.
    """
    read = [found for found in facts if not found.problem]
    groups = {"all fakes": read}
    methods = sorted({f.video.method for f in read if f.video.label})
    if len(methods) > 1:
        for method in methods:
            kept = [f for f in read if not f.video.label or f.video.method == method]
            groups[method] = kept
    worst: dict[str, tuple[str, Separation]] = {}
    for name, fact in FACTS.items():
        for group, files in groups.items():
            found = separation([fact(f) for f in files], [f.video.label for f in files])
            if found is None or found.accuracy < WARNING or found.p > CHANCE:
                continue
            if name not in worst or found.accuracy > worst[name][1].accuracy:
                worst[name] = group, found
    if not worst:
        return
    ranked = sorted(worst.items(), key=lambda item: -item[1][1].accuracy)
    name, (group, best) = ranked[0]
    yield Finding(
        "shortcuts",
        "error" if best.accuracy >= ERROR else "warning",
        "The files give their labels away: whoever knows nothing but the "
        f"{name} tells real from {_against(group)} with a balanced accuracy of "
        f"{100 * best.accuracy:.0f} %.",
        "Get both classes from the same source, or encode both alike before "
        "preparing. Results on this data would say little about faces.",
        tuple(_told(name, group, found) for name, (group, found) in ranked),
        {
            name: {
                "against": group,
                "balanced_accuracy": found.accuracy,
                "p": found.p,
                "real_and_fake": found.counts,
            }
            for name, (group, found) in ranked
        },
    )


def _against(group: str) -> str:
    return "fake" if group == "all fakes" else group


def _told(name: str, group: str, found: Separation) -> str:
    common = list(found.counts.items())[:_VALUES_SHOWN]
    values = "; ".join(f"{v}: {real} real, {fake} fake" for v, (real, fake) in common)
    more = len(found.counts) - len(common)
    tail = f"; {more} more" if more else ""
    return (
        f"{name}, real against {_against(group)}: {100 * found.accuracy:.0f} % "
        f"({values}{tail})"
    )
