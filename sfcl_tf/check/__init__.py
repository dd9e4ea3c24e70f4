"""What is wrong with a collection, before or after it was prepared.

Findings are of three severities. An **error**: the collection contradicts itself or
its card, or part of it cannot be read, or no result on it would mean anything. A
**warning**: it can be used, but results would be worse than need be or mislead. An
**info**: what there is.

A list that lies in the collection (DFDC's `metadata.json` and `labels.csv`, the
preview's `dataset.json`, Celeb-DF's test list, a CSV) tells what the collection holds:
a file that it names and that is not there is an error. FaceForensics++'s official
splits come with this software and tell what the whole data set holds, of which any
part may be used: what is not there is a warning.

As JSON, a report is:

| key | what |
|---|---|
| `schema` | 1; raised when a key changes its meaning or goes |
| `sound` | whether there is no error |
| `counts` | findings by severity: `error`, `warning`, `info` |
| `card`, `title` | the data set |
| `root`, `records` | the collection's and the records' folder, or null |
| `videos` | number of videos and images |
| `read` | whether files were opened, not only listed |
| `findings` | worst first |

and each finding has `code`, `severity`, `message`, `next_step`, `details` (every file
or group that it is about, as text) and `figures` (its numbers, which differ by code).
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from sfcl_tf.catalog.cards import Card
from sfcl_tf.catalog.layouts import reader
from sfcl_tf.catalog.listing import Listing, Video
from sfcl_tf.check import file_rules, record_rules
from sfcl_tf.check.collection import Collection
from sfcl_tf.check.findings import SEVERITIES, Finding, Report
from sfcl_tf.check.list_rules import LIST_RULES
from sfcl_tf.check.shortcuts import shortcuts
from sfcl_tf.check.survey import FileFacts, survey
from sfcl_tf.config import DataConfig
from sfcl_tf.records.manifest import Manifest, Settings, read_manifest, records_folder
from sfcl_tf.system.errors import DataError

# Of files, what preparation has seen already.
PREPARED_RULES = (file_rules.compression, file_rules.pixel_formats)
FILE_RULES = (
    file_rules.unreadable_files,
    file_rules.duplicates,
    file_rules.compression,
    file_rules.pixel_formats,
    shortcuts,
    file_rules.few_frames,
    file_rules.small_pictures,
    file_rules.summary,
)
_NO_COLLECTION = Finding(
    "no_collection",
    "warning",
    "The collection is not to be found: its records alone were looked at.",
    "Give its folder by --data-root or SFCL_DATA.",
)


def check(
    card: Card,
    root: Path | None,
    data: DataConfig,
    records: Path,
    *,
    read: bool = True,
    deep: bool = False,
    complete: bool = False,
    workers: int = 1,
    timeout: float = 600.0,
    on_file: Callable[[int, int], None] | None = None,
) -> Report:
    """Goes through a collection and its records.

    Args:
        card: The data set.
        root: Its collection; `None` to look at records alone.
        data: How it is, or is to be, prepared.
        records: The folder for all records.
        read: Opens every file; otherwise only lists and records are looked at.
        deep: Reads every record as well.
        complete: Whether the collection is complete though the lists name more, as the
            demo's is.
        workers: Processes that read files.
        timeout: Seconds after which a file is given up.
        on_file: Called with the number of files read, and of all.

    Raises:
        UsageError: If `data` names unknown methods.
    """
    findings: list[Finding] = []
    listing = Listing(())
    if root is None:
        findings.append(_NO_COLLECTION)
    else:
        try:
            listing = reader(card.layout).read(card, root, tuple(data.methods))
        except DataError as error:
            findings.append(_unreadable_list(error))
        else:
            if complete:
                listing = dataclasses.replace(listing, missing=())
            collection = Collection(card, root, listing, data)
            findings += _of_collection(collection, read, workers, timeout, on_file)
    folder = records_folder(card, Settings.of(data), records)
    prepared, record_findings = _of_records(card, root, listing, data, folder, deep)
    return Report(
        card.name,
        card.title,
        root,
        folder if prepared else None,
        len(listing.videos),
        read and root is not None,
        (*findings, *record_findings),
    )


def check_prepared(
    card: Card,
    root: Path | None,
    listing: Listing,
    data: DataConfig,
    manifest: Manifest,
) -> tuple[Finding, ...]:
    """Applies the rules that cost nothing to what was just prepared.

    These are the rules about lists, those about codecs, which the reports of
    preparation tell, and those about records. No file is opened.

    Args:
        card: The data set.
        root: Its collection; `None` where its records alone are there.
        listing: All of its files; empty without a collection.
        data: How it was prepared.
        manifest: What that gave.

    Returns:
        The findings, worst first.
    """
    listed = {video.video_id: video for video in listing.videos}
    facts = [_facts(report, listed) for report in manifest.videos]
    known = listing if listing.videos else Listing(tuple(f.video for f in facts))
    collection = Collection(card, root or manifest.folder, known, data)
    findings = [finding for rule in LIST_RULES for finding in rule(collection)]
    findings += [f for rule in PREPARED_RULES for f in rule(collection, facts)]
    findings += record_rules.failed_videos(manifest)
    findings += record_rules.coverage(manifest)
    return tuple(sorted(findings, key=lambda f: SEVERITIES.index(f.severity)))


def _facts(report, listed) -> FileFacts:
    """What preparation saw of a file."""
    name = report["video_id"]
    video = listed.get(name) or Video(
        name,
        Path(name.split("/", 1)[-1]),
        report["split"],
        report["label"],
        report["method"],
        tuple(report.get("sources", ())),
    )
    known = "pixel_format" in report
    return FileFacts(
        video,
        "" if known else report.get("reason", "") or "not read",
        pixel_format=report.get("pixel_format", ""),
        crf=report.get("crf"),
    )


def _of_collection(collection, read, workers, timeout, on_file) -> list[Finding]:
    videos = collection.listing.videos
    if not videos:
        expected = reader(collection.card.layout).expected_path(collection.card)
        return [
            Finding(
                "no_videos",
                "error",
                f"No videos of {collection.card.title}.",
                f"They belong into `{expected}`.",
            )
        ]
    findings = [finding for rule in LIST_RULES for finding in rule(collection)]
    if read:
        facts = survey(videos, workers=workers, timeout=timeout, on_file=on_file)
        findings += [f for rule in FILE_RULES for f in rule(collection, facts)]
    return findings


def _of_records(card, root, listing, data, folder, deep):
    try:
        manifest = read_manifest(folder)
    except DataError as error:
        step = "Remove that file and prepare again: no shard is lost."
        return True, [Finding("damaged_manifest", "error", str(error), step)]
    if manifest is None:
        step = "`sfcl prepare` with the same options does it."
        message = "Not prepared with these settings: nothing is known of faces."
        return False, [Finding("no_records", "info", message, step)]
    manifest = manifest.of_methods(data.methods)
    findings: list[Finding] = []
    if listing.videos:
        collection = Collection(card, root, listing, data)
        findings += record_rules.out_of_date(collection, manifest)
    findings += record_rules.failed_videos(manifest)
    findings += record_rules.damaged_shards(manifest)
    if deep:
        findings += record_rules.unreadable_records(manifest)
    findings += record_rules.coverage(manifest)
    return True, findings


def _unreadable_list(error: DataError) -> Finding:
    step = "Nothing else could be looked at: put this right, and check again."
    return Finding("contradiction", "error", str(error), step)
