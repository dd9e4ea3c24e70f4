"""What was scored: its name in files, and whether it is a run's own data."""

import contextlib
import dataclasses
import hashlib
import json
import re
import time
from pathlib import Path
from typing import Any

from sfcl_tf.catalog.cards import card_name, card_names, load_card
from sfcl_tf.config import DataConfig
from sfcl_tf.records.manifest import Manifest, Settings, fingerprint
from sfcl_tf.runs import files, schemas
from sfcl_tf.system.errors import DataError, SfclError

_LONGEST = 80  # characters of a file's name that tell methods


@dataclasses.dataclass(frozen=True)
class Selection:
    """Which faces of which data set are scored. Equal selections are the same faces.

    Attributes:
        card: The data set's name.
        fingerprint: Of the records, where the name alone does not tell the data set:
            of data of one's own. Empty for the cards of this package.
        split: `train`, `val` or `test`.
        frames: Frames wanted of each video.
        faces: `largest`, `all` or `full`.
        boxes: Digest of the file of boxes that replaced the detector; else empty.
        methods: Manipulation methods, sorted; empty for all of the data set's.
        degraded: What was done to each face, such as `jpeg=50`; empty for nothing.
        detector: What found the faces, `hog` or `yunet`.
    """

    card: str
    fingerprint: str
    split: str
    frames: int
    faces: str = "largest"
    boxes: str = ""
    methods: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()
    detector: str = "hog"

    @classmethod
    def of(
        cls, manifest: Manifest, split: str, degraded: tuple[str, ...] = ()
    ) -> "Selection":
        """Returns what scoring a manifest's split would score."""
        return cls(
            manifest.card,
            _mark(manifest),
            split,
            **dataclasses.asdict(manifest.settings),
            methods=manifest.methods,
            degraded=degraded,
        )

    @classmethod
    def own(
        cls, data: DataConfig, manifest: Manifest, split: str
    ) -> "Selection | None":
        """Returns the whole split of the data that a run is configured for.

        Args:
            data: The run's configuration.
            manifest: Of the data that is scored; it knows which choices of methods
                are the same.
            split: The split.

        Returns:
            What equals `of` for the run's own data; `None` where that cannot be told,
            since a data set given by its path, or the file of boxes, is gone.
        """
        try:
            settings, mark = Settings.of(data), ""
            if data.dataset not in card_names():
                mark = fingerprint(load_card(data.dataset), settings)
        except SfclError:
            return None
        return cls(
            card_name(data.dataset),
            mark,
            split,
            **dataclasses.asdict(settings),
            methods=manifest.choice(data.methods),
        )

    def name(self, own: "Selection | None") -> str:
        """Returns what the files of its scores are called, such as `dfdc_test_50`.

        Args:
            own: The run's own; the same one is called by its split alone.

        Returns:
            A name of a file, another one for each selection.
        """
        if self == own:
            return self.split
        mark = self.fingerprint or self.boxes[:8]
        parts = [f"{self.card}-{mark}" if mark else self.card, self.split]
        parts.append(str(self.frames))
        if self.faces != "largest":
            parts.append(f"faces-{self.faces}")
        if self.detector != "hog":
            parts.append(f"faces-by-{self.detector}")
        if self.methods:
            parts.append(_methods_slug(self.methods))
        parts += [each.replace("=", "-") for each in self.degraded]
        return "_".join(parts)

    def facts(self) -> dict[str, Any]:
        """Returns the attributes and the title, ready for JSON."""
        values = self.attributes() | {"title": self.title}
        return values | {"methods": list(self.methods)}

    def attributes(self) -> dict[str, Any]:
        """Returns the attributes by name."""
        values = dataclasses.asdict(self)
        # As files have it from before these were known.
        if not self.degraded:
            del values["degraded"]
        if self.detector == "hog":
            del values["detector"]
        return values

    @property
    def title(self) -> str:
        """What a person reads, such as `dfdc, test, 50 frames`."""
        parts = [self.card, self.split, f"{self.frames} frames"]
        if self.faces != "largest":
            parts.append({"all": "all faces", "full": "full frames"}[self.faces])
        if self.boxes:
            parts.append(f"boxes {self.boxes[:8]}")
        if self.detector != "hog":
            parts.append(f"faces by {self.detector}")
        if self.fingerprint:
            parts.append(f"records {self.fingerprint}")
        if self.methods:
            parts.append(" + ".join(self.methods))
        return ", ".join([*parts, *self.degraded])


def _mark(manifest: Manifest) -> str:
    """Returns the fingerprint of records whose data set's name does not tell it."""
    if manifest.card in card_names():
        named = fingerprint(load_card(manifest.card), manifest.settings)
        # A folder of one's own may be called as a card is.
        if manifest.fingerprint in (named, manifest.folder.name):
            return ""
    return manifest.fingerprint


def _methods_slug(methods: tuple[str, ...]) -> str:
    """Returns a part of a file's name, another one for each choice of methods."""
    slug = "+".join(methods)
    plain = all(re.fullmatch(r"[A-Za-z0-9.]+", method) for method in methods)
    if plain and len(slug) <= _LONGEST:
        return slug
    digest = hashlib.sha256(json.dumps(methods).encode()).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9.+]+', '-', slug)[:_LONGEST]}-{digest}"


def log_evaluation(
    run_dir: Path, name: str, selection: Selection, manifest: Manifest, run: str = ""
) -> None:
    """Adds a line to `evaluations.jsonl`: what was looked at, and when.

    Args:
        run_dir: The run's directory.
        name: `predictions_<name>.csv` holds the scores.
        selection: What was scored.
        manifest: Its records.
        run: Whose model scored it, where it was another run's.
    """
    line = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "name": name,
        "dataset": selection.card,
        **selection.attributes(),
        "fingerprint": manifest.fingerprint,
        "records": manifest.digest(selection.split),
    }
    del line["card"]
    if run:
        line["run"] = run
    with (run_dir / files.EVALUATIONS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def logged_digest(
    run_dir: Path, name: str, data: DataConfig | None = None, run: str = ""
) -> str | None:
    """Returns the digest of the records that `predictions_<name>.csv` is of.

    Args:
        run_dir: The run's directory.
        name: Of the predictions; see `Selection.name`.
        data: The run's configuration. Lines of before names were noted are taken for
            its own data by data set and frames, by which files were named then.
        run: Whose model scored them, where it was another run's.

    Returns:
        See `Manifest.digest`; `None` where no evaluation of the name was noted.
    """
    path, digest = Path(run_dir) / files.EVALUATIONS, None
    for text in path.read_bytes().splitlines() if path.is_file() else ():
        with contextlib.suppress(DataError):  # the last one, of a full disk
            line = schemas.EVALUATION.parse(text, path)
            if _logged_name(line, data) == name:
                digest = line["records"] if line.get("run", "") == run else None
    return digest


def _logged_name(line, data):
    if "name" in line or data is None:
        return line.get("name")
    own = (card_name(data.dataset), data.frames)
    return line["split"] if (line["dataset"], line["frames"]) == own else None
