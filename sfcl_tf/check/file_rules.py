"""Rules about what the survey found in the files."""

import collections
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sfcl_tf.check.collection import Collection
from sfcl_tf.check.findings import Finding, Severity, number, share
from sfcl_tf.check.survey import FileFacts, duplicate_groups
from sfcl_tf.faces.face import MIN_FACE

# Kinds of images that keep what a video decodes to; others are encoded again.
_LOSSLESS = ("bmp", "png", "ppm", "tiff")

Facts = Sequence[FileFacts]


def unreadable_files(collection: Collection, facts: Facts) -> Iterator[Finding]:
    """Files that cannot be opened, or of which no frame decodes."""
    bad = [f for f in facts if f.problem]
    if bad:
        yield Finding(
            "unreadable_files",
            "error",
            f"{share(len(bad), len(facts), 'file')} cannot be read.",
            "Get them again. `ffprobe FILE` tells more; if all of them fail, look "
            "whether the disk is mounted and the archives were unpacked whole.",
            tuple(f"{_path(collection, f)}: {_reason(f)}" for f in bad),
            {"unreadable": len(bad), "files": len(facts)},
        )


def duplicates(collection: Collection, facts: Facts) -> Iterator[Finding]:
    """Files with the same content: under both labels, in two splits, or just twice."""
    kinds: dict[str, list[str]] = {
        "duplicates_of_both_labels": [],
        "duplicates_across_splits": [],
        "duplicates": [],
    }
    for group in duplicate_groups(facts):
        videos = [facts[index].video for index in group]
        if len({video.label for video in videos}) > 1:
            kind = "duplicates_of_both_labels"
        elif len({video.split for video in videos}) > 1:
            kind = "duplicates_across_splits"
        else:
            kind = "duplicates"
        paths = (f"{collection.relative_path(v.path)} ({v.split})" for v in videos)
        kinds[kind].append(" = ".join(paths))
    texts: dict[str, tuple[Severity, str, str]] = {
        "duplicates_of_both_labels": (
            "error",
            "under both labels, byte by byte the same",
            "One of the two labels is wrong: look at them, and remove one.",
        ),
        "duplicates_across_splits": (
            "error",
            "in more than one split, byte by byte the same",
            "Remove one of each: a detector would be tested on what it was trained on.",
        ),
        "duplicates": (
            "warning",
            "there more than once, byte by byte the same",
            "Remove the copies: they count twice in training and in results.",
        ),
    }
    for kind, (severity, message, step) in texts.items():
        if kinds[kind]:
            message = f"{number(len(kinds[kind]), 'file')} {message}."
            figures = {"groups": len(kinds[kind])}
            yield Finding(kind, severity, message, step, tuple(kinds[kind]), figures)


def compression(collection: Collection, facts: Facts) -> Iterator[Finding]:
    """X264's rate factor, as the streams tell it, against that of the card."""
    wanted = collection.card.crf
    videos = [f for f in facts if not f.problem and not f.video.is_image]
    if wanted is None or not videos:
        return
    unknown = [f for f in videos if f.crf is None]
    wrong = [f for f in videos if f.crf is not None and abs(f.crf - wanted) > 0.01]
    if wrong:
        yield Finding(
            "crf_differs",
            "error",
            f"{share(len(wrong), len(videos), 'video')} "
            f"{'was' if len(wrong) == 1 else 'were'} not compressed as the card says "
            f"(crf {wanted:g}).",
            "Get them again from the authors, or leave them out: a detector of "
            "frequencies would learn the compression.",
            tuple(
                f"{_path(collection, f)}: crf {f.crf:g} instead of {wanted:g}"
                for f in wrong
            ),
            {"expected": wanted, "differing": len(wrong), "videos": len(videos)},
        )
    if unknown:
        yield Finding(
            "crf_unknown",
            "info",
            f"{share(len(unknown), len(videos), 'video')} whose streams do not "
            f"tell how they were compressed (expected: crf {wanted:g}).",
            details=tuple(_path(collection, f) for f in unknown),
            figures={"unknown": len(unknown), "videos": len(videos)},
        )


def pixel_formats(collection: Collection, facts: Facts) -> Iterator[Finding]:
    """The format of pixels against that of the card; frames kept losslessly pass."""
    wanted = collection.card.pixel_format
    videos = [f for f in facts if not f.problem and not f.video.is_image]
    wrong = [
        f
        for f in videos
        if f.pixel_format != wanted
        and f.pixel_format.partition("-")[0] not in _LOSSLESS
    ]
    if wanted and wrong:
        yield Finding(
            "pixel_format_differs",
            "error",
            f"{share(len(wrong), len(videos), 'video')} "
            f"{'is' if len(wrong) == 1 else 'are'} not {wanted}, as the card says: "
            "encoded again by somebody.",
            "Get them again from the authors: halved chroma and a second compression "
            "change the spectrum that a detector looks at.",
            tuple(f"{_path(collection, f)}: {f.pixel_format}" for f in wrong),
            {"expected": wanted, "differing": len(wrong), "videos": len(videos)},
        )


def few_frames(collection: Collection, facts: Facts) -> Iterator[Finding]:
    """Videos with fewer frames than are wanted of each."""
    wanted = collection.data.frames
    videos = [f for f in facts if not f.problem and not f.video.is_image]
    short = sorted((f for f in videos if f.frames < wanted), key=lambda f: f.frames)
    if short:
        yield Finding(
            "few_frames",
            "warning",
            f"{share(len(short), len(videos), 'video')} with fewer frames than "
            f"the {wanted} wanted; all they have are taken.",
            "Prepare with fewer --frames if that is most of them; remove those of a "
            "single frame.",
            tuple(
                f"{_path(collection, f)}: {number(f.frames, 'frame')}" for f in short
            ),
            {"wanted": wanted, "short": len(short), "videos": len(videos)},
        )


def small_pictures(collection: Collection, facts: Facts) -> Iterator[Finding]:
    """Pictures in which a face can hardly be large enough."""
    # Of a whole frame, a face seldom takes more than half of the shorter side.
    least = MIN_FACE * (1 if collection.data.faces == "full" else 2)
    small = [f for f in facts if not f.problem and min(f.width, f.height) < least]
    if small:
        yield Finding(
            "small_pictures",
            "warning",
            f"{share(len(small), len(facts), 'file')} with a side under {least} "
            f"pixels: faces are likely under the {MIN_FACE} that are needed.",
            "Get them at their original size; enlarging them adds nothing. If they "
            "are face crops already, prepare with --faces full.",
            tuple(f"{_path(collection, f)}: {f.width}x{f.height}" for f in small),
            {"least": least, "small": len(small), "files": len(facts)},
        )


def summary(collection: Collection, facts: Facts) -> Iterator[Finding]:
    """What the files are: counts, sizes, lengths, formats."""
    read = [f for f in facts if not f.problem]
    videos = [f for f in read if not f.video.is_image]
    if not read:
        return
    ranges: dict[str, list[float]] = {
        "width": [f.width for f in read],
        "height": [f.height for f in read],
        "frames": [f.frames for f in videos],
        "seconds": [round(f.seconds, 1) for f in videos if f.seconds],
        "frames per second": [round(f.rate, 1) for f in videos if f.rate],
    }
    figures: dict[str, Any] = {}
    details = []
    for name, values in ranges.items():
        if values:
            low, middle, high = np.percentile(values, [0, 50, 100]).tolist()
            figures[name] = {"min": low, "median": middle, "max": high}
            text = (
                f"{low:g}" if low == high else f"{low:g} to {high:g}, median {middle:g}"
            )
            details.append(f"{name}: {text}")
    for name, texts in {
        "pixel format": [f.pixel_format for f in read],
        "codec": [f.codec for f in read],
        "crf": ["unknown" if f.crf is None else f"{f.crf:g}" for f in videos],
    }.items():
        common = collections.Counter(texts).most_common()
        figures[name] = dict(common)
        if common:
            text = ", ".join(f"{value} {count:,}" for value, count in common[:6])
            more = f" and {len(common) - 6} others" if len(common) > 6 else ""
            details.append(f"{name}: {text}{more}")
    images = len(read) - len(videos)
    size = sum(f.size for f in read)
    counts = [number(len(videos), "video")] if videos else []
    counts += [number(images, "image")] if images else []
    amount = f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"
    message = f"Read {' and '.join(counts)}, {amount}."
    figures |= {"videos": len(videos), "images": images, "bytes": size}
    yield Finding("summary", "info", message, "", tuple(details), figures)


def _path(collection: Collection, file: FileFacts) -> str:
    return collection.relative_path(file.video.path)


def _reason(file: FileFacts) -> str:
    """Returns what is wrong, in short: the path stands before it already."""
    if not file.size and file.video.path.is_file():
        return "empty"
    system = re.search(r"\[Errno \d+\] ([^:)]+)", file.problem)
    if system:
        return system[1]
    path = file.video.path
    return " ".join(file.problem.replace(str(path), path.name).split())
