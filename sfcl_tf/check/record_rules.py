"""Rules about what preparation made of a collection."""

import collections
from collections.abc import Iterator
from typing import Any

from sfcl_tf.catalog.listing import SPLITS
from sfcl_tf.check.collection import Collection
from sfcl_tf.check.findings import Finding, number, share
from sfcl_tf.check.separation import separation
from sfcl_tf.check.shortcuts import CHANCE
from sfcl_tf.records.manifest import Manifest
from sfcl_tf.records.prepare_video import STATUSES
from sfcl_tf.system.storage import size as size_of

_HARMLESS = ("no_face", "too_small")
_LEAST_COVERAGE = 0.5
_MOST_DIFFERENCE = 0.05


def out_of_date(collection: Collection, manifest: Manifest) -> Iterator[Finding]:
    """Records against what the collection holds and says now."""
    reports = {report["video_id"]: report for report in manifest.videos}
    waiting, moved = [], []
    for video in collection.listing.videos:
        report = reports.get(video.video_id)
        if report is None:
            waiting.append(video)
        elif (report["split"], report["label"]) != (video.split, video.label):
            moved.append(video)
    if moved:
        yield Finding(
            "records_of_other_labels",
            "error",
            f"{number(len(moved), 'video')} have another label or split by now than "
            "when they were prepared.",
            "Run `sfcl prepare` again: it prepares these anew.",
            tuple(collection.relative_path(video.path) for video in moved),
            {"videos": len(moved)},
        )
    if waiting:
        yield Finding(
            "not_prepared",
            "warning",
            f"{share(len(waiting), len(collection.listing.videos), 'video')} "
            "are not prepared.",
            "Run `sfcl prepare` again: it goes on where it stopped.",
            tuple(collection.relative_path(video.path) for video in waiting),
            {"waiting": len(waiting), "videos": len(collection.listing.videos)},
        )


def failed_videos(manifest: Manifest) -> Iterator[Finding]:
    """Videos that gave no records, and why."""
    for severity in ("error", "warning"):
        failed = [
            report
            for report in manifest.videos
            if report["status"] != "ok"
            and (report["status"] in _HARMLESS) == (severity == "warning")
        ]
        if not failed:
            continue
        counts = collections.Counter(STATUSES[report["status"]] for report in failed)
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in counts.items())
        yield Finding(
            "failed_videos" if severity == "error" else "faceless_videos",
            severity,
            f"{share(len(failed), len(manifest.videos), 'video')} gave no "
            f"records: {reasons}.",
            "Get these files again and prepare once more, or remove them."
            if severity == "error"
            else "Look at some of them. Faces that the detector misses can be given "
            "by --boxes; of people far from the camera, larger videos help.",
            tuple(
                f"{_name(r)}: {r.get('reason') or STATUSES[r['status']]}"
                for r in failed
            ),
            {"videos": len(manifest.videos), "by_reason": dict(counts)},
        )


def damaged_shards(manifest: Manifest) -> Iterator[Finding]:
    """Shards that are gone, or are not of the size that was written."""
    damaged = []
    for report in manifest.videos:
        if not report["records"]:
            continue
        path = manifest.folder / report["shard"]
        size = size_of(path) if path.is_file() else None
        wanted = report.get("shard_bytes", size)
        if size is None:
            damaged.append(f"{report['shard']}: not there")
        elif size != wanted:
            damaged.append(f"{report['shard']}: {size:,} bytes instead of {wanted:,}")
    yield from _damaged(manifest, damaged)


def unreadable_records(manifest: Manifest) -> Iterator[Finding]:
    """Shards of which a record or its picture cannot be read; reads all of them."""
    import tensorflow as tf

    from sfcl_tf.records.record import decode_region, parse_record

    damaged = []
    for report in manifest.videos:
        path = manifest.folder / report["shard"]
        if not report["records"] or not path.is_file():
            continue
        count = 0
        try:
            for serialized in tf.data.TFRecordDataset(str(path)):
                decode_region(parse_record(serialized)["png"])
                count += 1
        except tf.errors.OpError as error:
            reason = " ".join(error.message.split())[:120]
            damaged.append(f"{report['shard']}: record {count + 1}: {reason}")
            continue
        if count != report["records"]:
            difference = f"{count} records instead of {report['records']}"
            damaged.append(f"{report['shard']}: {difference}")
    yield from _damaged(manifest, damaged, "unreadable_records")


def _damaged(manifest, damaged, code="damaged_shards") -> Iterator[Finding]:
    if damaged:
        shards = sum(bool(report["records"]) for report in manifest.videos)
        yield Finding(
            code,
            "error",
            f"{share(len(damaged), shards, 'shard')} cut off, damaged or gone.",
            "Remove them and run `sfcl prepare` again: it makes what is not there. If "
            "more follow, look at the disk.",
            tuple(damaged),
            {"damaged": len(damaged), "shards": shards},
        )


def coverage(manifest: Manifest) -> Iterator[Finding]:
    """Frames with a face: too few of a video, or more of one label than the other."""
    low = [r for r in manifest.videos if r["records"] and _share(r) < _LEAST_COVERAGE]
    if low:
        yield Finding(
            "low_coverage",
            "warning",
            f"{share(len(low), len(manifest.videos), 'video')} with a face in "
            "less than half of the frames.",
            "Look at some of them: the face may be turned away, small, or missed.",
            tuple(
                f"{_name(r)}: {r['frames_with_face']} of {r['frames_wanted']} frames"
                for r in sorted(low, key=_share)
            ),
            {"low": len(low), "videos": len(manifest.videos)},
        )
    details, figures = [], {}
    for split in SPLITS:
        shares: dict[int, list[float]] = {0: [], 1: []}
        for report in manifest.videos:
            if report["split"] == split and report["frames_wanted"]:
                shares[report["label"]].append(_share(report))
        if not any(shares.values()):
            continue
        mean = {label: sum(s) / len(s) for label, s in shares.items() if s}
        figures[split] = {("real", "fake")[label]: m for label, m in mean.items()}
        text = ", ".join(f"{k} {100 * m:.1f} %" for k, m in figures[split].items())
        details.append(f"{split}: {text}")
        yield from _biased(split, shares, figures[split])
    text = "Frames with a face, mean of each split's videos."
    yield Finding("coverage", "info", text, "", tuple(details), figures)


def _biased(split: str, shares, mean) -> Iterator[Finding]:
    if len(mean) < 2 or abs(mean["real"] - mean["fake"]) < _MOST_DIFFERENCE:
        return
    values = [*shares[0], *shares[1]]
    result = separation(values, [0] * len(shares[0]) + [1] * len(shares[1]))
    if result and result.p <= CHANCE:
        yield Finding(
            "coverage_bias",
            "warning",
            f"In {split}, faces are found in {100 * mean['real']:.1f} % of the frames "
            f"of reals and in {100 * mean['fake']:.1f} % of those of fakes.",
            "The classes are sampled differently, and what is left of one is easier. "
            "Look at videos of low coverage of both.",
            figures=dict(mean),
        )


def _share(report: dict[str, Any]) -> float:
    wanted = report["frames_wanted"]
    return report["frames_with_face"] / wanted if wanted else 0.0


def _name(report: dict[str, Any]) -> str:
    return report["video_id"].split("/", 1)[-1]
