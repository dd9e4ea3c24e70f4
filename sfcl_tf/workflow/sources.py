"""Where collections and records lie, and what prepares the one from the other."""

import dataclasses
import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sfcl_tf.catalog.cards import Card, find_root, load_card
from sfcl_tf.catalog.listing import SPLITS
from sfcl_tf.config import Config, DataConfig
from sfcl_tf.records.manifest import Manifest, Settings, read_manifest, records_folder
from sfcl_tf.system.errors import DataError, UsageError
from sfcl_tf.system.storage import is_remote, parse_location
from sfcl_tf.workflow.arguments import require_one_of, require_several
from sfcl_tf.workflow.progress import Progress

if TYPE_CHECKING:
    from sfcl_tf.inputs.pipeline import InputPipeline
    from sfcl_tf.records.workers import Engine


def _roots() -> tuple[str, ...]:
    given = os.environ.get("SFCL_DATA", "")
    if is_remote(given):
        raise not_local("SFCL_DATA", given)
    return tuple(root for root in given.split(os.pathsep) if root)


@dataclasses.dataclass(frozen=True)
class Sources:
    """Where data lies, and how it is prepared.

    Attributes:
        roots: Collections, or folders that hold them; `card=DIR` for one data set
            alone. By default those of `SFCL_DATA`.
        records: Folder for prepared records, or `s3://BUCKET/PREFIX`. By default
            `SFCL_RECORDS`, or `records`.
        demo: Where the clips of the data set `demo` are made.
        workers: Processes that read videos.
        timeout: Seconds after which a video is given up.
        engine: `"local"`, or `"ray"` for a Ray cluster.
        address: Of the cluster; see `sfcl_tf.records.ray_workers`.

    Raises:
        UsageError: If a value is out of range, or a URL that cannot be one.
    """

    roots: Sequence[str | Path] = dataclasses.field(default_factory=_roots)
    records: str | Path = dataclasses.field(
        default_factory=lambda: os.environ.get("SFCL_RECORDS") or "records"
    )
    demo: str | Path = "demo_data"
    workers: int = os.cpu_count() or 1
    timeout: float = 6 * 3600
    engine: Literal["local", "ray"] = "local"
    address: str | None = None

    def __post_init__(self):
        require_several("roots", self.roots)
        require_one_of("engine", self.engine, ("local", "ray"))
        if type(self.workers) is not int or self.workers < 1:
            raise UsageError(
                f"Expected --workers of at least 1. Received: {self.workers!r}."
            )
        if not isinstance(self.records, str | Path) and not is_remote(self.records):
            raise UsageError(
                f"Expected a folder for records. Received: {self.records!r}."
            )
        if not self.timeout > 0:
            raise UsageError(f"Expected --timeout above 0. Received: {self.timeout:g}.")
        if self.address and self.engine != "ray":
            raise UsageError(
                f"Expected --engine ray with --address. Received: {self.engine}."
            )
        for root in self.roots:
            if is_remote(root):
                raise not_local("--data-root", root)

    @functools.cached_property
    def records_path(self) -> Path:
        """The folder for all records; on `s3://` an `etils.epath.Path`.

        Raises:
            UsageError: If it is a URL of another kind; see
                `sfcl_tf.system.storage.parse_location`.
        """
        return (
            parse_location(self.records)
            if isinstance(self.records, str)
            else self.records
        )

    def is_made_here(self, card: Card) -> bool:
        """Tells whether a collection is made by this software."""
        return card.name == "demo" and not self.roots

    def collection(self, card: Card, progress: Progress) -> Path:
        """Returns the folder of a collection; the demo's is made.

        Raises:
            DataError: If it is not to be found.
        """
        if self.is_made_here(card):
            return make_demo_data(Path(self.demo), progress)
        return find_root(card, list(self.roots))

    def folder(self, data: DataConfig) -> Path:
        """Returns where the records of a configuration lie.

        Raises:
            DataError: If its data set or its file of boxes is not to be found.
        """
        return records_folder(
            load_card(data.dataset), Settings.of(data), self.records_path
        )

    def manifest(self, data: DataConfig) -> Manifest | None:
        """Returns the manifest of what is prepared, of all methods; `None` if nothing.

        Raises:
            DataError: If the data set is not to be found, or a manifest is damaged.
        """
        return read_manifest(self.folder(data))

    def pipeline(
        self, config: Config, split: str | None = None
    ) -> "InputPipeline | None":
        """Returns a configuration's own records, if those of a split are at hand.

        Args:
            config: Of a run.
            split: The split; any if left out.
        """
        from sfcl_tf.inputs.pipeline import InputPipeline

        try:
            manifest = self.manifest(config.data)
        except DataError:
            return None  # the data set's path, or its file of boxes, is gone
        manifest = manifest and manifest.of_methods(config.data.methods)
        if not manifest or (split and not manifest.split(split)):
            return None
        return InputPipeline(manifest, config)

    def require(self, data: DataConfig) -> None:
        """Raises at once where neither a collection nor its records are to be found.

        Raises:
            UsageError: If there can be no records where they are to go.
            DataError: It says what to obtain, from whom, and where to put it.
        """
        card = load_card(data.dataset)
        self.folder(data)
        if self.is_made_here(card):
            return
        try:
            find_root(card, list(self.roots))
        except DataError:
            if self.manifest(data) is None:
                raise

    def preparing(self) -> "Engine":
        """Returns what prepares videos; see `sfcl_tf.records.workers`."""
        if self.engine == "ray":
            from sfcl_tf.records.ray_workers import ray_cluster

            return ray_cluster(self.address, self.timeout, workers=self.workers)
        from sfcl_tf.records.workers import process_pool

        return process_pool(self.workers, self.timeout)

    def prepared(self, data: DataConfig, splits: Sequence[str] = SPLITS) -> Manifest:
        """Returns the manifest of what was prepared before.

        For several workers, of which each would prepare the same.

        Raises:
            DataError: If there is none, or a split has no records.
        """
        card, manifest = load_card(data.dataset), self.manifest(data)
        if manifest is None:
            raise DataError(
                f"Expected records of {card.name} in {self.folder(data)}: several "
                "workers do not prepare. Received: none. Run `sfcl prepare` with the "
                "same options first, and give its folder by --records, to each worker."
            )
        return chosen(manifest, data).require(tuple(splits))


def chosen(manifest: Manifest, data: DataConfig) -> Manifest:
    """Returns the records of the methods that a configuration names.

    Raises:
        DataError: If there are none of one of them, anywhere.
    """
    there = sorted({video["method"] for video in manifest.videos if video["label"]})
    methods = manifest.choice(data.methods)  # none where it is all of the card's
    if unknown := [method for method in methods if method not in there]:
        raise DataError(
            f"Expected records of {', '.join(unknown)} in {manifest.folder}. Received: "
            f"of {', '.join(there) or 'reals alone'}. Prepare them: sfcl prepare "
            f"{data.dataset} --methods {','.join(data.methods)}"
        )
    return manifest.of_methods(data.methods)


def make_demo_data(folder: Path, progress: Progress) -> Path:
    """Makes the demo's clips if they are not there; returns the collection."""
    from sfcl_tf.catalog.demo import make_demo

    with progress.counting("making demo clips") as count:
        return make_demo(folder, workers=os.cpu_count() or 1, on_progress=count)


def keep_out(root: Path, path: Path, option: str) -> None:
    """Refuses to write below a collection.

    Raises:
        UsageError: If the path lies below the collection's folder.
    """
    if is_remote(path) or not root.is_dir():
        return
    if path.resolve().is_relative_to(root.resolve()):
        raise UsageError(
            f"Expected to write outside of the collection {root}. Received: {path}. "
            f"Give another place by {option}."
        )


def not_local(option: str, text: str | Path) -> UsageError:
    """Returns the error of a URL where a file is needed."""
    return UsageError(
        f"Expected a path on this machine for {option}. Received: {text}. Videos and "
        "settings are read from files: mount the bucket, or copy them here. On s3:// "
        "may lie records, runs and exports."
    )
