"""The configuration of a run: preset, data set's card, file, values."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sfcl_tf.catalog.cards import dataset_path, load_card
from sfcl_tf.config import Config, load_config
from sfcl_tf.config.load import as_pairs


def configure(
    dataset: str | Path | None = None,
    *,
    preset: str = "paper",
    file: str | Path | None = None,
    overrides: Iterable[str | tuple[str, Any]] = (),
) -> Config:
    """Merges preset, the data set's card, a TOML file and single values; later win.

    Args:
        dataset: A card's name, or the path of a folder, a CSV or a card of your own;
            by default what `file` says in `data.dataset`.
        preset: `"paper"`, `"recommended"` or `"tiny"`.
        file: A run's `config.toml`, or part of one.
        overrides: `"section.key=value"`, or pairs of key and value.

    Raises:
        UsageError: For an unknown data set, preset or key, or a value out of range.
        DataError: If the card is damaged.

    Example:
        >>> configure("demo", preset="tiny", overrides=["data.frames=6"]).data.frames
        6
    """
    overrides = as_pairs(overrides)
    if dataset is None:
        merged = load_config(preset=preset, file=file, overrides=overrides)
        dataset = merged.data.dataset
    card = load_card(dataset)
    return load_config(
        preset=preset,
        card=card.config,
        file=file,
        overrides=[*overrides, ("data.dataset", dataset_path(dataset))],
    )
