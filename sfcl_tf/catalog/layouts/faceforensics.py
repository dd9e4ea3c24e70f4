"""FaceForensics++: official folders and split lists; also the demo's layout.

    original_sequences/youtube/c23/videos/000.mp4
    manipulated_sequences/Deepfakes/c23/videos/000_003.mp4

Frames in place of videos are read as well (`.../c23/images/000/0000.png`, or `frames`,
as the authors' script and DeepfakeBench write them), and the flat form that goes round
at Kaggle (`original/000.mp4`, `Deepfakes/000_003.mp4`), which does not tell its
compression: `sfcl check` looks at it.

`FaceShifter` and `DeepFakeDetection` are read where they are asked for. The latter
has films of actors (`original_sequences/actors`) and no official split: all of it
is for testing.
"""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

from sfcl_tf.catalog.layouts import present
from sfcl_tf.catalog.listing import REAL, SPLITS, Listing, Video
from sfcl_tf.system import resources
from sfcl_tf.system.errors import DataError, UsageError

REALS, FAKES = "original_sequences/youtube", "manipulated_sequences/"
FLAT_REALS = "original"
_FRAMES = ("images", "frames")
OPTIONS = {"compression": (), "methods": (), "splits": "faceforensics"}
ACTORS = "DeepFakeDetection"
ALL_METHODS = (
    "Deepfakes",
    "Face2Face",
    "FaceSwap",
    "NeuralTextures",
    "FaceShifter",
    ACTORS,
)


def expected_path(card) -> str:
    """Returns where the real videos belong."""
    level = card.options["compression"][0]
    return f"{card.folder}/original_sequences/youtube/{level}/videos/*.mp4"


def matches(folder: Path, card) -> bool:
    """Tells whether a folder is laid out as FaceForensics++ is."""
    return any(
        (folder / part).is_dir()
        for part in ("original_sequences", "manipulated_sequences")
    ) or _is_flat(folder)


def read(card, root: Path, methods: tuple[str, ...]) -> Listing:
    """Lists what the official splits name."""
    methods = methods or tuple(card.options["methods"])
    unknown = [method for method in methods if method not in ALL_METHODS]
    if unknown:
        raise UsageError(
            f"Expected methods of {', '.join(ALL_METHODS)}. Received: "
            f"{', '.join(unknown)}."
        )
    sequences = _Sequences(card, root)
    named = [*_pairs(card, sequences, methods), *_actors(card, sequences, methods)]
    known = {video.path for video in named}
    stray = tuple(sequences.stray(known))
    return dataclasses.replace(present(named), unlisted=stray)


class _Sequences:
    """The videos of each sequence of a collection, or their frames, by name."""

    def __init__(self, card, root: Path):
        self._levels, self._root = card.options["compression"], root
        self._found: dict[str, dict[str, Path]] = {}
        self._folders: dict[Path, list[Path]] = {}

    def find(self, part: str) -> dict[str, Path]:
        """Returns what there is of a sequence: of several, videos before frames."""
        if part not in self._found:
            found: dict[str, Path] = {}
            for folder in self._of(part):
                if not folder.is_dir():
                    continue
                self._folders[folder] = sorted(folder.iterdir())
                for path in self._folders[folder]:
                    if path.name.startswith("."):
                        continue
                    if folder.name in _FRAMES and path.is_dir():
                        found.setdefault(path.name, path)
                    elif path.suffix == ".mp4" and folder.name not in _FRAMES:
                        found.setdefault(path.stem, path)
            self._found[part] = found
        return self._found[part]

    def path(self, part: str, name: str) -> Path:
        """Returns where a video is, or where it belongs."""
        return self.find(part).get(name) or self._of(part)[0] / f"{name}.mp4"

    def stray(self, known: set[Path]) -> Iterator[Path]:
        """Yields what is not read: files, or whole folders."""
        for folder, paths in self._folders.items():
            others = [p for p in paths if p not in known and p.name[0] != "."]
            whole = others and len(others) == len(paths)
            yield from [folder] if whole else others

    def _of(self, part: str) -> list[Path]:
        levels = [self._root / part / level for level in self._levels]
        folders = [level / kind for kind in ("videos", *_FRAMES) for level in levels]
        if _is_flat(self._root):
            name = FLAT_REALS if part == REALS else part.rpartition("/")[2]
            folders.append(self._root / name)
        return folders


def _pairs(card, sequences, methods) -> Iterator[Video]:
    lists = resources.path("datasets") / "splits" / card.options["splits"]
    if not lists.is_dir():
        known = ", ".join(sorted(path.name for path in lists.parent.iterdir()))
        raise DataError(
            f"Expected splits of {known}. Received: {card.options['splits']!r} in the "
            f"card {card.name}."
        )
    for split in SPLITS:
        for a, b in json.loads((lists / f"{split}.json").read_text("utf-8")):
            for identity in (a, b):
                path = sequences.path(REALS, identity)
                yield _video(card, path, split, REAL, identity)
            for method in methods:
                if method == ACTORS:
                    continue
                for target, source in ((a, b), (b, a)):
                    path = sequences.path(FAKES + method, f"{target}_{source}")
                    yield _video(card, path, split, method, target, source)


def _actors(card, sequences, methods) -> Iterator[Video]:
    if ACTORS not in methods:
        return
    for name, path in sequences.find("original_sequences/actors").items():
        real = _video(card, path, "test", REAL, f"actor{name.split('__')[0]}")
        yield dataclasses.replace(real, only_with=ACTORS)
    for name, path in sequences.find(FAKES + ACTORS).items():
        people = name.split("__")[0].split("_")
        yield _video(card, path, "test", ACTORS, *(f"actor{p}" for p in people))


def _is_flat(root: Path) -> bool:
    """Tells whether the folders of methods lie side by side."""
    return (root / FLAT_REALS).is_dir() and any(
        (root / method).is_dir() for method in ALL_METHODS
    )


def _video(card, path, split, method, *sources) -> Video:
    video_id = f"{card.name}/{method}/{path.name.removesuffix('.mp4')}"
    return Video(video_id, path, split, int(method != REAL), method, sources)
