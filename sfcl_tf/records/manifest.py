"""What a preparation gave: one manifest a split, beside its shards."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from sfcl_tf.catalog.cards import Card, card_names, load_card, record_settings
from sfcl_tf.catalog.listing import SPLITS
from sfcl_tf.config import DataConfig
from sfcl_tf.config.checks import CONTEXT
from sfcl_tf.system.errors import DataError
from sfcl_tf.system.output import write_json
from sfcl_tf.system.storage import explain_access_errors

MANIFEST = "manifest.json"
SCHEMA = 1
"""Version of the record; raised when a feature changes."""
# Versions of the face detectors; changed when they find other boxes.
_DETECTORS = {"hog": "dlib-hog-2", "yunet": "yunet-2023mar-1"}


@dataclasses.dataclass(frozen=True)
class Settings:
    """What decides which faces records hold, beside the data set.

    Attributes:
        frames: Frames wanted of each video, evenly spaced in time.
        faces: `largest` follows the largest face; `all` every face; `full` takes
            the whole picture for one.
        boxes: Digest of a file of boxes that replaces the detector; else empty.
        detector: Of faces, `hog` or `yunet`.
    """

    frames: int
    faces: Literal["largest", "all", "full"] = "largest"
    boxes: str = ""
    detector: Literal["hog", "yunet"] = "hog"

    @classmethod
    def of(cls, data: DataConfig) -> "Settings":
        """Returns what a configuration says.

        Raises:
            DataError: If the file of boxes cannot be read.
        """
        boxes = ""
        if data.boxes:
            try:
                content = Path(data.boxes).read_bytes()
            except OSError as error:
                raise DataError(
                    f"Expected face boxes in JSON. Received: {data.boxes} "
                    f"({error.strerror}). Give the file by --boxes."
                ) from error
            boxes = hashlib.sha256(content).hexdigest()[:16]
        # Nothing is detected where boxes are given or the picture is the face.
        detects = not boxes and data.faces != "full"
        detector = data.detector if detects else cls.detector
        return cls(data.frames, data.faces, boxes, detector)


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The prepared videos of one or more splits.

    Attributes:
        folder: The records' folder.
        card: The data set's name.
        settings: How they were prepared.
        videos: The report of each video; see `prepare_video`.
        missing: Ids of the videos that the lists name and the collection lacks.
        methods: Manipulation methods chosen, sorted; empty for all of the data set's.
        all_methods: Manipulation methods of the data set; empty where it was not noted.
        errors: What is wrong with the data, a sentence each, where that was looked at.
    """

    folder: Path
    card: str
    settings: Settings
    videos: tuple[dict[str, Any], ...]
    missing: tuple[str, ...]
    methods: tuple[str, ...] = ()
    all_methods: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def frames(self) -> int:
        """Frames wanted of each video."""
        return self.settings.frames

    @property
    def fingerprint(self) -> str:
        """Of the settings; the end of the folder's name."""
        return self.folder.name.rpartition("-")[2]

    def split(self, name: str) -> list[dict[str, Any]]:
        """Returns the reports of a split's videos that gave records."""
        return [v for v in self.videos if v["split"] == name and v["records"]]

    def shards(self, name: str) -> list[Path]:
        """Returns the shards of a split."""
        return [self.folder / video["shard"] for video in self.split(name)]

    def digest(self, name: str) -> str:
        """Returns 16 hex digits that differ where the records of a split do."""
        facts = [
            [v["video_id"], v["label"], v["method"], v["shard"], v["records"]]
            for v in self.split(name)
        ]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

    def require(self, splits: tuple[str, ...]) -> "Manifest":
        """Returns itself if each of the splits has records.

        Raises:
            DataError: If one has none; it says why.
        """
        for split in splits:
            if not self.split(split):
                failed = [v for v in self.videos if v["split"] == split][:5]
                reasons = " ".join(f"{v['video_id']}: {v['reason']}." for v in failed)
                raise DataError(
                    f"Expected faces in the split `{split}` of {self.card}. Received: "
                    f"none. {reasons}"
                )
        return self

    def of_methods(self, methods: tuple[str, ...]) -> "Manifest":
        """Returns the manifest without the fakes of other methods.

        Reals that stand beside one method alone go with it. All of the data set's
        methods by name are the same choice as none.

        Args:
            methods: Manipulation methods; all of the data set's where empty.
        """
        chosen = set(methods) or self._available_methods()
        kept = (
            video
            for video in self.videos
            if (video["method"] if video["label"] else video.get("only_with"))
            in {*chosen, None}
        )
        return dataclasses.replace(
            self, videos=tuple(kept), methods=self.choice(methods)
        )

    def choice(self, methods: tuple[str, ...]) -> tuple[str, ...]:
        """Returns methods in the form in which equal choices are equal."""
        chosen = set(methods)
        return () if chosen == self._available_methods() else tuple(sorted(chosen))

    def _available_methods(self) -> set[str]:
        if self.all_methods:
            return set(self.all_methods)
        # Written before it was noted.
        if self.card in card_names() and (named := load_card(self.card).methods):
            return set(named)
        return {video["method"] for video in self.videos if video["label"]}

    def joined(self, other: "Manifest") -> "Manifest":
        """Returns the manifest of this one's splits and another's."""
        return dataclasses.replace(
            self,
            videos=(*self.videos, *other.videos),
            missing=(*self.missing, *other.missing),
            all_methods=tuple(dict.fromkeys((*self.all_methods, *other.all_methods))),
        )

    def coverage(self, split: str | None = None) -> dict[str, Any]:
        """Counts frames wanted and frames with a face, and names the rest."""
        videos = [v for v in self.videos if split in (None, v["split"])]
        return {
            "videos": len(videos),
            "frames_wanted": sum(v["frames_wanted"] for v in videos),
            "frames_with_face": sum(v["frames_with_face"] for v in videos),
            "records": sum(v["records"] for v in videos),
            "without_records": {
                v["video_id"]: v["status"] for v in videos if not v["records"]
            },
        }


def fingerprint(card: Card, settings: Settings) -> str:
    """Returns 8 hex digits that differ where prepared records would.

    Methods and splits do not count: they choose videos, not what is in a record.
    """
    values = {
        "schema": SCHEMA,
        "context": CONTEXT,
        **dataclasses.asdict(settings),
        "detector": _DETECTORS[settings.detector],
        **record_settings(card),
    }
    text = json.dumps(values, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def records_folder(card: Card, settings: Settings, records):
    """Returns where a card's records lie below the folder for all records."""
    return records / f"{card.name}-{fingerprint(card, settings)}"


def read_manifest(folder: Path, splits: Iterable[str] = SPLITS) -> Manifest | None:
    """Reads the manifests of the splits that were prepared; `None` without any.

    They hold all methods that were ever chosen: see `Manifest.of_methods`.

    Raises:
        DataError: If one is damaged, or their store cannot be reached.
    """
    manifest = None
    for split in splits:
        path = folder / split / MANIFEST
        with explain_access_errors(path):
            if not path.is_file():
                continue
        try:
            with explain_access_errors(path):
                values = json.loads(path.read_text("utf-8"))
            part = Manifest(
                folder,
                values["card"],
                Settings(**values["settings"]),
                tuple(values["videos"]),
                tuple(values["missing"]),
                all_methods=tuple(values.get("methods", ())),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"Expected a manifest written by `sfcl prepare`. Received: {path} "
                f"({error!r}). Remove that file and prepare again: no shard is lost."
            ) from error
        manifest = part if manifest is None else manifest.joined(part)
    return manifest


def write_manifest(manifest: Manifest, split: str, missing: list[str]) -> None:
    """Writes a split's part of a manifest."""
    values = {
        "card": manifest.card,
        "settings": dataclasses.asdict(manifest.settings),
        "videos": [v for v in manifest.videos if v["split"] == split],
        "missing": missing,
        "methods": list(manifest.all_methods),
    }
    write_json(manifest.folder / split / MANIFEST, values)
