"""From a collection to records of faces."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from sfcl_tf.catalog.cards import Card, load_card
from sfcl_tf.catalog.layouts import list_videos, require_splits
from sfcl_tf.catalog.listing import SPLITS, Listing
from sfcl_tf.check import check_prepared
from sfcl_tf.check.findings import Finding, number
from sfcl_tf.config import Config, DataConfig, checked
from sfcl_tf.faces.boxes import read_boxes
from sfcl_tf.records.enrich import Enriched
from sfcl_tf.records.enrich import enrich as enrich_records
from sfcl_tf.records.manifest import Manifest, Settings
from sfcl_tf.records.prepare import prepare as prepare_videos
from sfcl_tf.system.errors import DataError, UsageError
from sfcl_tf.workflow.arguments import require_several, require_split
from sfcl_tf.workflow.progress import Progress, listed
from sfcl_tf.workflow.sources import Sources, chosen, keep_out


def prepare(
    config: Config,
    *,
    sources: Sources | None = None,
    splits: Sequence[str] | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Finds the faces of a data set and stores them as records.

    What is prepared already is reused; an interrupted preparation goes on.

    Args:
        config: Its section `data` says which data set, and how.
        sources: Where collection and records lie.
        splits: Of `"train"`, `"val"` and `"test"`; by default all there are.
        limit: At most so many videos of each split.
        progress: Is told how it goes.

    Returns:
        The manifest of the splits; see `sfcl_tf.records.manifest`.

    Raises:
        UsageError: If a method is unknown, or records would lie in the collection.
        DataError: If the collection is not to be found, none of its files shows a
            face, or records cannot be written.
    """
    config = checked(config)
    if splits is not None:
        require_several("splits", splits)
        for split in splits:
            require_split(split)
    sources, progress = sources or Sources(), progress or Progress()
    sources.require(config.data)
    listing = list_collection(config, sources, splits, limit, progress)
    card = load_card(config.data.dataset)
    manifest = _prepare(config.data, card, listing, sources, progress)
    _require_records(manifest)
    if limit:  # of which nothing follows for the whole
        return manifest
    return _with_errors(config.data, card, listing, manifest, sources, progress)


def enrich(
    config: Config,
    features: Sequence[str],
    *,
    sources: Sources | None = None,
    progress: Progress | None = None,
) -> Enriched:
    """Adds features to records that are there, without preparing anew.

    Args:
        config: Its section `data` says which records.
        features: Keys of `sfcl_tf.records.enrich.FEATURES`.
        sources: Where the records lie.
        progress: Is told how it goes.

    Raises:
        UsageError: For an unknown feature.
        DataError: If there are no records.
    """
    config = checked(config)
    require_several("features", features)
    sources, progress = sources or Sources(), progress or Progress()
    manifest = sources.manifest(config.data)
    if manifest is None:
        raise DataError(
            f"Expected records in {sources.folder(config.data)}. Received: none. "
            "Prepare them first: sfcl prepare with the same options, without --enrich."
        )
    with progress.counting("enriching") as count:
        result = enrich_records(
            manifest,
            features,
            workers=sources.workers,
            timeout=sources.timeout,
            on_video=count,
        )
    progress.say(
        f"{' and '.join(features)}: added to {result.shards} videos in "
        f"{manifest.folder}; {result.before} had it before."
    )
    for video, reason in result.failed.items():
        progress.say(f"  {video}: {reason}")
    return result


def list_collection(
    config: Config,
    sources: Sources,
    splits: Sequence[str] | None,
    limit: int | None,
    progress: Progress,
) -> Listing:
    """Returns the videos that `prepare` would prepare.

    Raises:
        UsageError: If a method is unknown, or `limit` is no number of videos.
        DataError: If the collection, or a split of it, is not to be found.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"Expected --limit of at least 1. Received: {limit}.")
    listing = _find_videos(config.data, sources, {}, progress)
    if splits:
        require_splits(load_card(config.data.dataset), listing, splits)
    listing = listing.of_splits(splits or SPLITS)
    return listing.limited(limit) if limit else listing


def ready_records(
    data: DataConfig,
    sources: Sources,
    progress: Progress,
    splits: Sequence[str] = SPLITS,
    written: Mapping[str, Path] | None = None,
) -> Manifest:
    """Prepares what is not prepared yet.

    Where the collection is not to be found but was prepared before, its records
    are used, with a word about it.

    Args:
        data: Which data set, and how.
        sources: Where it lies.
        progress: Is told how it goes.
        splits: Those that are needed.
        written: What else will be written, by the option that names it: not below
            the collection.

    Returns:
        The manifest, with records of the methods chosen in each of the splits.
    """
    card = load_card(data.dataset)
    try:
        listing = _find_videos(data, sources, written or {}, progress)
    except DataError:
        manifest = sources.manifest(data)
        if manifest is None:
            raise
        progress.say(f"{card.title}: collection not found; using {manifest.folder}.")
        manifest = chosen(manifest, data).require(tuple(splits))
        return _with_errors(data, card, Listing(()), manifest, sources, progress)
    require_splits(card, listing, splits)
    manifest = _prepare(data, card, listing.of_splits(splits), sources, progress)
    manifest = manifest.of_methods(data.methods).require(tuple(splits))
    return _with_errors(data, card, listing, manifest, sources, progress)


def _find_videos(
    data: DataConfig,
    sources: Sources,
    written: Mapping[str, Path],
    progress: Progress,
) -> Listing:
    """Returns the listing of a data set, and says what is there and what is not."""
    card = load_card(data.dataset)
    root = sources.collection(card, progress)
    keep_out(root, sources.records_path, "--records")
    for option, path in written.items():
        keep_out(root, path, option)
    listing = list_videos(card, root, data.methods)
    message = f"{card.title}: {len(listing.videos)} files in {root}"
    if listing.missing and not sources.is_made_here(card):
        message += f"; not there, but named by its lists: {len(listing.missing)}"
    if listing.left_out:
        message += f"; left out, with people of two splits: {len(listing.left_out)}"
    if listing.unlisted:
        names = [path.name for path in listing.unlisted]
        message += f"; beside them and not used: {listed(names, 5)}"
    progress.say(message)
    return listing


def _prepare(
    data: DataConfig, card: Card, listing: Listing, sources: Sources, progress: Progress
) -> Manifest:
    boxes = read_boxes(Path(data.boxes)) if data.boxes else None
    reused = failed = 0
    with progress.counting("preparing", len(listing.videos)) as count:

        def on_video(now):
            nonlocal failed, reused
            failed += now.report["status"] != "ok"
            reused += now.reused
            count(now.done, note="" if now.reused else f"{failed} failed")

        manifest = prepare_videos(
            card,
            listing,
            Settings.of(data),
            records=sources.records_path,
            boxes=boxes,
            engine=sources.preparing(),
            on_video=on_video,
        )
    progress.prepared(manifest)
    if reused:
        progress.say(f"{reused} of {len(manifest.videos)} videos were prepared before.")
    return manifest


def _require_records(manifest: Manifest) -> None:
    if not any(video["records"] for video in manifest.videos):
        first, count = manifest.videos[0], len(manifest.videos)
        raise DataError(
            f"Expected faces in at least one of {count} files. Received: none. The "
            f"first is {first['video_id']}: {first['reason']}."
        )


def _with_errors(
    data: DataConfig,
    card: Card,
    listing: Listing,
    manifest: Manifest,
    sources: Sources,
    progress: Progress,
) -> Manifest:
    """Returns the manifest with the errors that `sfcl check` finds in it."""
    if sources.is_made_here(card):  # it is whole, though the lists name more
        listing = dataclasses.replace(listing, missing=())
    root = sources.collection(card, progress) if listing.videos else None
    findings = check_prepared(card, root, listing, data, manifest)
    errors = [finding for finding in findings if finding.severity == "error"]
    if not errors:
        return manifest
    warnings = sum(finding.severity == "warning" for finding in findings)
    progress.findings(errors)
    counts = number(len(errors), "error")
    if warnings:
        counts += f" and {number(warnings, 'warning')}"
    progress.say(
        f"The data has {counts}; `sfcl check {data.dataset}` tells all. It is used as "
        "is."
    )
    return dataclasses.replace(manifest, errors=tuple(map(_in_one_line, errors)))


def _in_one_line(finding: Finding) -> str:
    shown = "; ".join(finding.details[:3])
    more = len(finding.details) - 3
    return finding.message + (
        f" ({shown}{f'; and {more} more' if more > 0 else ''})" if shown else ""
    )
