"""Cards: what a data set is, where it comes from, how it is laid out."""

import dataclasses
import tomllib
from pathlib import Path

from sfcl_tf import resources
from sfcl_tf.errors import DataError, UsageError


@dataclasses.dataclass(frozen=True)
class Card:
    """One data set, as its TOML file in `datasets/` tells it.

    Attributes:
        name: The card's name; the file's stem.
        title: Name in print.
        layout: Reader in `sfcl_tf.data.layouts`.
        folder: Name of the collection's folder below a common data root.
        compression: FaceForensics++'s level, such as `c23`.
        methods: Manipulation methods that belong to the data set.
        splits: Folder below `datasets/splits` with train, val and test lists.
        real_repeat: How often a real video counts in training.
        source: Who gives the data set out, and where.
        licence: Under which terms.
    """

    name: str
    title: str
    layout: str
    folder: str
    compression: str
    methods: tuple[str, ...]
    splits: str
    real_repeat: int
    source: str
    licence: str

    @property
    def config(self) -> dict:
        """Configuration values that the data set recommends."""
        return {"data.real_repeat": self.real_repeat}


def card_names() -> list[str]:
    """Returns the names of all cards, sorted."""
    return sorted(path.stem for path in resources.path("datasets").glob("*.toml"))


def load_card(name: str) -> Card:
    """Reads a card by name.

    Raises:
        UsageError: If there is none of that name.
    """
    path = resources.path("datasets") / f"{name}.toml"
    if name not in card_names():
        raise UsageError(
            f"Expected a data set of {', '.join(card_names())}. Received: {name!r}."
        )
    values = tomllib.loads(path.read_text("utf-8"))
    values["methods"] = tuple(values["methods"])
    return Card(name=name, **values)


def find_root(card: Card, roots: list[str | Path]) -> Path:
    """Finds a card's collection among the given data roots.

    Args:
        card: The data set.
        roots: Each is the collection itself, a folder that holds it under
            `card.folder`, or `card=DIR` for one card alone.

    Returns:
        The collection's folder.

    Raises:
        DataError: If none holds it; the message says whom to ask for it.
    """
    own, common = [], []
    for root in map(str, roots):
        name, separator, folder = root.partition("=")
        if separator and name in card_names():
            own += [folder] if name == card.name else []
        else:
            common.append(root)
    for root in own or common:
        folder = Path(root).expanduser()
        for candidate in (folder / card.folder, folder):
            if is_collection(candidate):
                return candidate
    looked = ", ".join(own or common) or (
        f"nowhere: no --data-root and no SFCL_DATA for {card.name}"
    )
    raise DataError(
        f"Expected {card.title} in a data root. Looked in: {looked}. "
        f"Obtain it from {card.source} ({card.licence}), unpack it so that "
        f"`{card.folder}/original_sequences/youtube/{card.compression}/videos/*.mp4` "
        "exists, and give the folder by --data-root or SFCL_DATA. "
        "Without data, try `--dataset demo`."
    )


def is_collection(folder: Path) -> bool:
    """Tells whether a folder is laid out as FaceForensics++ is."""
    return any(
        (folder / part).is_dir()
        for part in ("original_sequences", "manipulated_sequences")
    )
