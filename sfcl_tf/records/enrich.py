"""Adds features to records that are there, without preparing anew.

Each shard is read, each record gets what it lacks, and the shard takes the place of
the one before: whole, or not at all. Pictures, boxes and labels stay as they are.
"""

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from sfcl_tf.catalog.listing import SPLITS
from sfcl_tf.faces.quality import measure
from sfcl_tf.records.index import update_index
from sfcl_tf.records.manifest import Manifest, read_manifest, write_manifest
from sfcl_tf.records.prepare import lock_folder
from sfcl_tf.records.workers import init_remote_worker, init_worker
from sfcl_tf.system.errors import DataError, UsageError
from sfcl_tf.system.output import write_json
from sfcl_tf.system.processes import run_in_processes
from sfcl_tf.system.storage import is_remote, size


def _quality(region: np.ndarray, box: Sequence[int]) -> list[float]:
    x0, y0, x1, y1 = box
    return list(dataclasses.astuple(measure(region[max(y0, 0) : y1, max(x0, 0) : x1])))


FEATURES: dict[str, Callable[[np.ndarray, Sequence[int]], list[float]]] = {
    "quality": _quality
}
"""From a region `(H, W, 3)` uint8 RGB and the face's box in it to a feature's values.

By the feature's name, one of `sfcl_tf.records.record.OPTIONAL`.
"""


@dataclasses.dataclass(frozen=True)
class EnrichShard:
    """One shard to enrich, in whichever process.

    Attributes:
        path: The shard.
        features: Keys of `FEATURES`.
    """

    path: Path
    features: tuple[str, ...]

    def __call__(self) -> list[int] | None:
        """Returns the bytes of each record; `None` where none lacked a feature.

        Raises:
            DataError: If the shard is absent or damaged, or cannot be written.
        """
        import tensorflow as tf

        from sfcl_tf.records.reading import explain_read_errors
        from sfcl_tf.records.record import parse_record, with_features, write_shard

        with explain_read_errors(str(self.path)):
            dataset = tf.data.TFRecordDataset(str(self.path))
            records = [record.numpy() for record in dataset]
            parsed = [parse_record(record) for record in records]
        lacking = [
            [name for name in self.features if not tf.size(each[name])]
            for each in parsed
        ]
        if not any(lacking):
            return None
        return write_shard(
            self.path,
            (
                with_features(record, _compute(each, names))
                for record, each, names in zip(records, parsed, lacking, strict=True)
            ),
        )


def _compute(record, names):
    png = np.frombuffer(record["png"].numpy(), np.uint8)
    region = cv2.cvtColor(cv2.imdecode(png, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return {name: FEATURES[name](region, record["box"].numpy()) for name in names}


@dataclasses.dataclass(frozen=True)
class Enriched:
    """What an enrichment did.

    Attributes:
        shards: How many got a feature.
        before: How many had them all.
        failed: Why others have not, by video.
    """

    shards: int
    before: int
    failed: dict[str, str]


def enrich(
    manifest: Manifest,
    features: Sequence[str],
    *,
    workers: int = 1,
    timeout: float = 3600.0,
    on_video: Callable[[int, int], None] | None = None,
) -> Enriched:
    """Adds features to all records of a manifest that lack them.

    One shard that cannot be read stops none of the others; what was interrupted goes
    on. Trainings and evaluations of these records stay valid.

    Args:
        manifest: Of the records.
        features: Keys of `FEATURES`.
        workers: Processes.
        timeout: Seconds after which a shard is given up.
        on_video: Called with the number of shards done, and of all.

    Raises:
        UsageError: For an unknown feature.
        DataError: If records are being prepared there just now.
    """
    if unknown := [name for name in features if name not in FEATURES]:
        raise UsageError(
            f"Expected features of {', '.join(FEATURES)}. Received: "
            f"{', '.join(unknown)}."
        )
    videos = [video for video in manifest.videos if video["records"]]
    jobs = [
        EnrichShard(manifest.folder / video["shard"], tuple(features))
        for video in videos
    ]
    remote = is_remote(manifest.folder)
    warm_up = init_remote_worker if remote else init_worker
    sizes: dict[str, list[int]] = {}
    failed: dict[str, str] = {}
    done = 0
    with lock_folder(manifest.folder):
        try:
            for outcome in run_in_processes(
                [_ErrorAsResult(job) for job in jobs], workers, timeout, warm_up
            ):
                video, done = videos[outcome.index], done + 1
                if outcome.status != "done" or isinstance(outcome.result, str):
                    failed[video["video_id"]] = outcome.reason or outcome.result
                elif outcome.result is not None:
                    sizes[video["shard"]] = outcome.result
                if on_video:
                    on_video(done, len(jobs))
        finally:
            _update_sizes(manifest.folder, sizes)
    return Enriched(len(sizes), len(videos) - len(sizes) - len(failed), failed)


@dataclasses.dataclass(frozen=True)
class _ErrorAsResult:
    """A job whose expected error is its result: it must not end the others."""

    job: EnrichShard

    def __call__(self):
        try:
            return self.job()
        except DataError as error:
            return str(error)


def _update_sizes(folder: Path, sizes: dict[str, list[int]]) -> None:
    """Writes down how long the new shards are, wherever that is told."""
    for shard, records in sizes.items():
        report = (folder / shard).with_suffix(".json")
        if report.is_file():
            values = json.loads(report.read_text("utf-8"))
            changes = {"shard_bytes": size(folder / shard), "record_bytes": records}
            write_json(report, values | changes)
    for split in SPLITS:
        part = read_manifest(folder, (split,))
        if part is None:
            continue
        changed = {
            v["shard"]: sizes[v["shard"]] for v in part.videos if v["shard"] in sizes
        }
        videos = tuple(
            v | {"shard_bytes": size(folder / v["shard"])}
            if v["shard"] in changed
            else v
            for v in part.videos
        )
        if changed:
            part = dataclasses.replace(part, videos=videos)
            write_manifest(part, split, list(part.missing))
            update_index(folder, split, changed)
