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

REALS, FLAT_REALS = "original_sequences/youtube", "original"
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
    named = [*_pairs(card, root, methods), *_actors(card, root, methods)]
    known = {video.path for video in named}
    stray = (
        path
        for folder in dict.fromkeys(path.parent for path in known)
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if path not in known and not path.name.startswith(".")
    )
    return dataclasses.replace(present(named), unlisted=tuple(stray))


def _pairs(card, root, methods) -> Iterator[Video]:
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
                path = _file(_folder(card, root, REALS), identity)
                yield _video(card, path, split, REAL, identity)
            for method in methods:
                if method == ACTORS:
                    continue
                folder = _folder(card, root, f"manipulated_sequences/{method}")
                for target, source in ((a, b), (b, a)):
                    path = _file(folder, f"{target}_{source}")
                    yield _video(card, path, split, method, target, source)


def _actors(card, root, methods) -> Iterator[Video]:
    if ACTORS not in methods:
        return
    reals = _folder(card, root, "original_sequences/actors")
    for path in _films(reals):
        real = _video(card, path, "test", REAL, f"actor{path.stem.split('__')[0]}")
        yield dataclasses.replace(real, only_with=ACTORS)
    for path in _films(_folder(card, root, f"manipulated_sequences/{ACTORS}")):
        people = path.stem.split("__")[0].split("_")
        yield _video(card, path, "test", ACTORS, *(f"actor{p}" for p in people))


def _films(folder: Path) -> list[Path]:
    return sorted(folder.glob("*" if folder.name in _FRAMES else "*.mp4"))


def _is_flat(root: Path) -> bool:
    """Tells whether the folders of methods lie side by side."""
    return (root / FLAT_REALS).is_dir() and any(
        (root / method).is_dir() for method in ALL_METHODS
    )


def _folder(card, root, part) -> Path:
    """Returns where a sequence's videos, or their frames, lie.

    Of several names of a level, the one there is; videos before frames.
    """
    levels = [root / part / level for level in card.options["compression"]]
    folders = [level / kind for kind in ("videos", *_FRAMES) for level in levels]
    if _is_flat(root):
        name = FLAT_REALS if part == REALS else part.rpartition("/")[2]
        folders.append(root / name)
    filled = (f for f in folders if f.is_dir() and next(f.iterdir(), None))
    return next(filled, folders[0])


def _file(folder: Path, name: str) -> Path:
    return folder / (name if folder.name in _FRAMES else f"{name}.mp4")


def _video(card, path, split, method, *sources) -> Video:
    video_id = f"{card.name}/{method}/{path.name.removesuffix('.mp4')}"
    return Video(video_id, path, split, int(method != REAL), method, sources)
