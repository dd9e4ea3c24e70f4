"""Rules about what is listed; no file is opened for them."""

import collections
import re
from collections.abc import Iterator

from sfcl_tf.catalog.listing import REAL, SPLITS, identity_leaks
from sfcl_tf.check.collection import Collection
from sfcl_tf.check.findings import Finding, number, share

# Their lists come with this software and tell what the whole data set holds. Those
# of the others lie in the collection, and tell what it holds itself.
_BUNDLED_LISTS = ("faceforensics",)
_LEAST_SHARE = 0.05
_WORDS = (
    {"real", "reals", "original", "originals", "pristine", "genuine", "authentic"},
    {"fake", "fakes", "manipulated", "synthesis", "forged", "deepfake", "deepfakes"},
)


def missing_files(collection: Collection) -> Iterator[Finding]:
    """Files that are named and not there.

    An error where the collection's own list names them. FaceForensics++'s official
    splits name all of it, of which any part may be used: there it is a warning.
    """
    missing = collection.listing.missing
    if not missing:
        return
    files = [collection.relative_path(video.path) for video in missing]
    figures = {
        "missing": len(missing),
        "named": len(collection.named),
        "files": files,
    }
    if collection.card.layout not in _BUNDLED_LISTS:
        yield Finding(
            "missing_files",
            "error",
            f"{share(len(missing), len(collection.named), 'file')} that the "
            "collection's own list names "
            f"{'is' if len(missing) == 1 else 'are'} not there.",
            "Get them again from where the rest came from. Without them the rest can "
            "be used, but results are not comparable with those of others.",
            tuple(files),
            figures,
        )
        return
    yield Finding(
        "missing_files",
        "warning",
        f"{share(len(missing), len(collection.named), 'video')} of the official splits "
        f"{'is' if len(missing) == 1 else 'are'} not there; a part is used as it is.",
        "For results that compare with those of others, get the whole data set.",
        tuple(_parts_there(collection)),
        figures,
    )


def _parts_there(collection: Collection) -> Iterator[str]:
    """Yields how much of real and of each method is there, where it is not all."""
    there = collections.Counter((v.method, v.split) for v in collection.listing.videos)
    named = collections.Counter((v.method, v.split) for v in collection.named)
    for method in sorted({method for method, _ in named}, key=lambda m: (m != REAL, m)):
        parts = [(method, split) for split in SPLITS if named[method, split]]
        if any(there[part] < named[part] for part in parts):
            counts = (f"{part[1]} {there[part]:,} of {named[part]:,}" for part in parts)
            yield f"{method}: {', '.join(counts)}"


def unlisted_files(collection: Collection) -> Iterator[Finding]:
    """Files beside the listed ones; nothing tells their label."""
    unlisted = collection.listing.unlisted
    if unlisted:
        yield Finding(
            "unlisted_files",
            "warning",
            f"{number(len(unlisted), 'file or folder', 'files or folders')} beside the "
            "others cannot be used: no list names them, they are neither video nor "
            "image, or are in no folder called real, fake, train, val or test.",
            "Add them to the list, rename or remove them.",
            tuple(collection.relative_path(path) for path in unlisted),
            {"unlisted": len(unlisted)},
        )


def left_out(collection: Collection) -> Iterator[Finding]:
    """Fakes of people of two splits, which no split can take."""
    crossing = collection.listing.left_out
    if crossing:
        yield Finding(
            "left_out",
            "info",
            f"{number(len(crossing), 'video')} left out: their people stand in both "
            "train and val.",
            details=tuple(collection.relative_path(video.path) for video in crossing),
            figures={"left_out": len(crossing)},
        )


def published_counts(collection: Collection) -> Iterator[Finding]:
    """What is there against the numbers that the data set's authors give."""
    if collection.data.methods:
        return  # a choice of methods is no whole data set
    published = collection.card.published
    differing, figures = [], {}
    for part in ("", *SPLITS):
        expected = published.get(part, {}) if part else published
        listed = collection.listing.split(part) if part else collection.listing.videos
        videos = listed if part else (*listed, *collection.listing.left_out)
        fakes = sum(video.label for video in videos)
        counts = {"real": len(videos) - fakes, "fake": fakes, "videos": len(videos)}
        for kind, count in counts.items():
            if kind not in expected:
                continue
            name = f"{part} {kind}".strip()
            figures[name] = {"published": expected[kind], "found": count}
            if count != expected[kind]:
                differing.append(
                    f"{name}: {count:,} there, {expected[kind]:,} published"
                )
    if differing:
        yield Finding(
            "published_counts",
            "warning",
            "The collection is not the one that was published: other numbers of "
            "videos.",
            "Say so where you report results, or get the whole data set.",
            tuple(differing),
            figures,
        )
    elif figures:
        text = ", ".join(f"{v['found']:,} {name}" for name, v in figures.items())
        yield Finding(
            "published_counts", "info", f"As published: {text}.", figures=figures
        )


def class_balance(collection: Collection) -> Iterator[Finding]:
    """Reals and fakes of each split."""
    figures, details, lacking, single = {}, [], [], []
    for split in SPLITS:
        methods = collections.Counter(
            video.method for video in collection.listing.split(split) if video.label
        )
        fakes = methods.total()
        reals = len(collection.listing.split(split)) - fakes
        figures[split] = {"real": reals, "fake": fakes, "methods": dict(methods)}
        text = ", ".join(f"{name} {count:,}" for name, count in methods.items())
        more = f" ({text})" if len(methods) > 1 else ""
        details.append(f"{split}: {reals:,} real, {fakes:,} fake{more}")
        if not reals + fakes:
            lacking.append(f"{split}: nothing")
        elif not min(reals, fakes):
            single.append((split, "fake" if fakes else "real"))
        elif min(reals, fakes) < _LEAST_SHARE * (reals + fakes):
            lacking.append(f"{split}: {reals:,} real, {fakes:,} fake")
    labels = {video.label for video in collection.listing.videos}
    if len(labels) == 1:
        kind = "fake" if labels == {1} else "real"
        yield Finding(
            "one_class",
            "error",
            f"Every file is {kind}.",
            "Nothing can be learnt or measured without the other kind.",
        )
    elif single:
        yield Finding(
            "one_class_split",
            "error",
            f"{number(len(single), 'split')} with files of one class alone.",
            "Add files of the other class to it, or give splits by folders named "
            "train, val and test or by a CSV: without both, nothing is learnt from "
            "train, no epoch is chosen and no score calibrated by val, and test has no "
            "AUC.",
            tuple(f"{split}: every file is {kind}" for split, kind in single),
            dict(single),
        )
    if lacking:
        yield Finding(
            "class_balance",
            "warning",
            f"{number(len(lacking), 'split')} with no or hardly any reals or fakes.",
            "Training needs both in train and val, evaluation in test. "
            "`sfcl evaluate --dataset` scores a collection that has a test split only.",
            tuple(lacking),
            figures,
        )
    yield Finding(
        "split_counts", "info", "Videos by split.", "", tuple(details), figures
    )


def identity_leak(collection: Collection) -> Iterator[Finding]:
    """People in two splits; an error where the card says that there are none."""
    leaks = identity_leaks(collection.named)
    if not leaks:
        return
    promised = collection.card.identity_disjoint
    yield Finding(
        "identity_leak",
        "error" if promised else "warning",
        f"{number(len(leaks), 'identity', 'identities')} in more than one split"
        + (
            "."
            if promised
            else ": the official split of this data set is not by identity."
        ),
        "Move each person's videos to one split (a CSV with a column `group` does it): "
        "a detector would be tested on people it was trained on."
        if promised
        else "Train on another data set and use this one to test, or say so where you "
        "report results.",
        tuple(f"{name}: {', '.join(splits)}" for name, splits in leaks.items()),
        {"identities": len(leaks)},
    )


def label_polarity(collection: Collection) -> Iterator[Finding]:
    """Labels against the names of the folders that the files lie in."""
    named, against = 0, []
    for video in collection.named:
        path = collection.relative_path(video.path)
        if path.startswith("/"):
            continue  # what is above a collection's folder says nothing of its labels
        folders = path.lower().split("/")[:-1]
        words = {word for name in folders for word in re.split(r"[^a-z]+", name)}
        says_real, says_fake = (bool(words & known) for known in _WORDS)
        if says_real == says_fake:
            continue
        named += 1
        if says_fake != bool(video.label):
            label = "fake" if video.label else "real"
            against.append(f"{path}: labelled {label}")
    if against:
        inverted = 2 * len(against) > named
        yield Finding(
            "label_polarity",
            "error",
            f"{share(len(against), named, 'label')} "
            f"{'contradicts' if len(against) == 1 else 'contradict'} the names of the "
            "folders"
            + ("; the labels look inverted: 1 must mean fake." if inverted else "."),
            "Correct the list, or rename the folders if it is they that mislead.",
            tuple(against),
            {"contradicting": len(against), "named": named, "inverted": inverted},
        )


LIST_RULES = (
    label_polarity,
    identity_leak,
    missing_files,
    published_counts,
    class_balance,
    unlisted_files,
    left_out,
)
