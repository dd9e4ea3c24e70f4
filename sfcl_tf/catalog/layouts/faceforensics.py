"""FaceForensics++: official folders and split lists; also the demo's layout.

    original_sequences/youtube/c23/videos/000.mp4
    manipulated_sequences/Deepfakes/c23/videos/000_003.mp4

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
    )


def read(card, root: Path, methods: tuple[str, ...]) -> Listing:
    """Lists what the official splits name."""
    methods = methods or tuple(card.options["methods"])
    unknown = [method for method in methods if method not in ALL_METHODS]
    if unknown:
        raise UsageError(
            f"Expected methods of {', '.join(ALL_METHODS)}. Received: "
            f"{', '.join(unknown)}."
        )
    return present([*_pairs(card, root, methods), *_actors(card, root, methods)])


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
                path = _folder(card, root, "original_sequences/youtube")
                yield _video(card, path / f"{identity}.mp4", split, REAL, identity)
            for method in methods:
                if method == ACTORS:
                    continue
                path = _folder(card, root, f"manipulated_sequences/{method}")
                for target, source in ((a, b), (b, a)):
                    file = path / f"{target}_{source}.mp4"
                    yield _video(card, file, split, method, target, source)


def _actors(card, root, methods) -> Iterator[Video]:
    if ACTORS not in methods:
        return
    reals = _folder(card, root, "original_sequences/actors")
    for path in sorted(reals.glob("*.mp4")):
        real = _video(card, path, "test", REAL, f"actor{path.stem.split('__')[0]}")
        yield dataclasses.replace(real, only_with=ACTORS)
    for path in sorted(
        _folder(card, root, f"manipulated_sequences/{ACTORS}").glob("*")
    ):
        if path.suffix == ".mp4":
            people = path.stem.split("__")[0].split("_")
            yield _video(card, path, "test", ACTORS, *(f"actor{p}" for p in people))


def _folder(card, root, part) -> Path:
    """Returns a sequence's videos; of several names of a level, the one there is."""
    folders = [root / part / level / "videos" for level in card.options["compression"]]
    return next((folder for folder in folders if folder.is_dir()), folders[0])


def _video(card, path, split, method, *sources) -> Video:
    video_id = f"{card.name}/{method}/{path.stem}"
    return Video(video_id, path, split, int(method != REAL), method, sources)
