"""Splits for collections that have none: what belongs together stays together.

A forgery is named after what it was made from (`real/519`, `fake/519_515`), so names
tell what shares a face. Files are grouped by that, or by the groups that a list gives,
and groups are dealt to the splits, reals and fakes alike 80 : 10 : 10.
"""

import collections
import dataclasses
import hashlib
import re
from collections.abc import Iterable, Sequence

from sfcl_tf.catalog.listing import SPLITS, Video, linked

_SHARES = {"test": 0.1, "val": 0.1}  # the rest is for training
_DELIMITERS = re.compile(r"[\s_.+-]+")
# A part of names that so many files share tells no face: `video`, `2023`.
_GENERIC_SHARE, _GENERIC_FILES = 0.1, 10
# Where chains of pairs link more than this, only what a fake begins with links.
_MOST_LINKED = 1 / 3


def group_by_name(videos: Sequence[Video]) -> list[str]:
    """Returns for each video the name of its group.

    Files with the same stem share one. A file is also linked with the reals whose whole
    stem is a part of its own, or whose first part is, if that has a digit, as in
    Celeb-DF's `id0_0000` and `id0_id1_0000`; parts are divided by `_`, `-`, `.`, `+`
    and spaces. Where that links most of a collection, through pairs that share a source
    by turns, a fake is linked by what its name begins with alone: its target.
    """
    reals = {video.path.stem for video in videos if not video.label}
    known = reals | {_parts(stem)[0] for stem in reals if _has_digit(_parts(stem)[0])}
    counts = collections.Counter(
        part for video in videos for part in set(_parts(video.path.stem))
    )
    most = max(_GENERIC_FILES, _GENERIC_SHARE * len(videos))
    known = {name for name in known if counts[name] <= most}
    for wanted in (slice(None), slice(1)):
        names = [
            (
                f"file {video.path.stem}",
                *(
                    f"part {part}"
                    for part in _beginnings(video.path.stem, known)[wanted]
                ),
            )
            for video in videos
        ]
        groups = linked(names)
        largest = max(collections.Counter(groups).values(), default=0)
        if largest <= max(_MOST_LINKED * len(videos), 2):
            break
    return groups


def _beginnings(stem: str, known: set[str]) -> list[str]:
    """The known names that a stem is made of, the longest that it begins with first."""
    parts = _parts(stem)
    starts = [
        stem[: match.start()]
        for match in reversed(list(_DELIMITERS.finditer(stem)))
        if match.start()
    ]
    names = [name for name in (stem, *starts, *parts) if name in known]
    return list(dict.fromkeys(names))


def _parts(stem: str) -> list[str]:
    return [part for part in _DELIMITERS.split(stem) if part] or [stem]


def _has_digit(part: str) -> bool:
    return any(character.isdigit() for character in part)


def assign_splits(groups: Sequence[str], labels: Sequence[int]) -> list[str]:
    """Deals groups to the splits, reals and fakes alike about 80 : 10 : 10.

    Groups of reals, of fakes and of both are dealt apart, in an order that their names
    alone decide, so that neither the order nor the place of files matters. Each split
    gets both classes where there are three groups of each.

    Args:
        groups: The group of each file.
        labels: Its label, 1 = fake, 0 = real.

    Returns:
        `train`, `val` or `test` for each file.
    """
    sizes = collections.Counter(groups)
    classes: dict[str, set[int]] = {}
    for group, label in zip(groups, labels, strict=True):
        classes.setdefault(group, set()).add(label)
    kinds: dict[frozenset, list[str]] = {}
    for group in sorted(sizes, key=_digest):
        kinds.setdefault(frozenset(classes[group]), []).append(group)
    splits: dict[str, str] = {}
    covered: dict[str, set[int]] = {split: set() for split in SPLITS}
    # Those of both classes first: they are worth most where there are few.
    for kind in sorted(kinds, key=lambda kind: (-len(kind), sorted(kind))):
        assigned = _assign(kinds[kind], sizes)
        _spare(assigned, kinds[kind], [s for s in SPLITS if not kind <= covered[s]])
        for split in assigned.values():
            covered[split] |= kind
        splits |= assigned
    return [splits[group] for group in groups]


def _assign(groups: Sequence[str], sizes) -> dict[str, str]:
    """Gives val and test their shares of the files, from groups that are not large."""
    total = sum(sizes[group] for group in groups)
    room = {split: share * total for split, share in _SHARES.items()}
    assigned = {}
    for group in groups:
        size = sizes[group]
        # Half of it at least must fit, so that the shares are met in the mean.
        fitting = [split for split in room if size / 2 <= room[split]]
        split = fitting[0] if fitting and size <= 0.1 * total else "train"
        assigned[group] = split
        if split in room:
            room[split] -= size
    return assigned


def _spare(assigned: dict[str, str], groups: Sequence[str], lacking: list[str]) -> None:
    """Moves a group each to the splits that lack its kind, where one can be spared."""
    for split in lacking:
        counts = collections.Counter(assigned.values())
        if counts[split]:
            continue
        donor = max(SPLITS, key=lambda other: counts[other])
        if counts[donor] > 1:
            moved = next(g for g in reversed(groups) if assigned[g] == donor)
            assigned[moved] = split


def _digest(group: str) -> str:
    return hashlib.sha256(group.encode()).hexdigest()


def with_splits(videos: Iterable[Video]) -> list[Video]:
    """Gives a split to the videos that have none.

    Those with `sources` are grouped by these, the others by name. What is linked with a
    video whose split is given follows it.
    """
    videos = list(videos)
    named = dict(
        zip(
            [v.video_id for v in videos if not v.sources],
            group_by_name([v for v in videos if not v.sources]),
            strict=True,
        )
    )
    groups = linked(
        [
            tuple(f"group {name}" for name in v.sources) or (named[v.video_id],)
            for v in videos
        ]
    )
    given: dict[str, set[str]] = {}
    for video, group in zip(videos, groups, strict=True):
        if video.split:
            given.setdefault(group, set()).add(video.split)
    unassigned = [
        (video, group)
        for video, group in zip(videos, groups, strict=True)
        if not video.split and group not in given
    ]
    assigned = assign_splits(
        [group for _, group in unassigned], [video.label for video, _ in unassigned]
    )
    splits = {v.video_id: s for (v, _), s in zip(unassigned, assigned, strict=True)}
    return [
        video
        if video.split
        else dataclasses.replace(
            video,
            split=splits.get(video.video_id)
            or next(s for s in SPLITS if s in given[group]),
        )
        for video, group in zip(videos, groups, strict=True)
    ]
