"""Which settings are searched, and between which values."""

import dataclasses
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras_tuner

from sfcl_tf.config import Config, override
from sfcl_tf.system.errors import UsageError

SECTION = "search"
_EXAMPLE = (
    "[search.train]\nlearning_rate = {low = 1e-5, high = 1e-3, log = true}\n"
    "[search.model]\nhcma_dim = {choices = [64, 128]}"
)
# They decide what is prepared, which is done once.
_FIXED = (
    "data.dataset",
    "data.methods",
    "data.frames",
    "data.faces",
    "data.boxes",
    "data.detector",
)

DEFAULT: dict[str, dict[str, Any]] = {
    "train.learning_rate": {"low": 1e-4, "high": 3e-3, "log": True},
    "model.dropout": {"low": 0.0, "high": 0.6},
    "model.sbcm_filters": {"choices": [[16, 32, 64], [8, 16, 32]]},
    "model.sbcm_strides": {"choices": [[4, 3, 2], [4, 2, 2], [2, 2, 2]]},
    "model.faae": {"choices": [True, False]},
    "model.hcma_heads": {"choices": [4, 8]},
    "augment.jpeg": {"low": 0.0, "high": 0.5},
    "augment.blur": {"low": 0.0, "high": 0.3},
}
_DIMENSIONS = {"tiny": [64, 128, 256]}


@dataclasses.dataclass(frozen=True)
class Space:
    """What is searched.

    Attributes:
        entries: By key of the configuration, `{"low", "high"[, "log", "step"]}` for
            numbers between two, or `{"choices"}` for one of several values.
    """

    entries: Mapping[str, Mapping[str, Any]]

    def hyperparameters(self, config: Config) -> keras_tuner.HyperParameters:
        """Returns the space as KerasTuner has it; choices are told as JSON.

        Raises:
            UsageError: If a key does not exist, or a value is not of its type.
        """
        space = keras_tuner.HyperParameters()
        for key, entry in self.entries.items():
            _check(key, entry, config)
            if "choices" in entry:
                space.Choice(key, [json.dumps(value) for value in entry["choices"]])
                continue
            section, name = key.split(".")
            integer = type(getattr(getattr(config, section), name)) is int
            kind = space.Int if integer else space.Float
            sampling = "log" if entry.get("log") else "linear"
            step = {"step": entry["step"]} if "step" in entry else {}
            kind(key, entry["low"], entry["high"], sampling=sampling, **step)
        return space

    def apply(self, config: Config, values: Mapping[str, Any]) -> Config:
        """Returns the configuration with a trial's values.

        Args:
            config: The one that the search began with.
            values: By key, as KerasTuner gives them; other keys are left alone.

        Raises:
            UsageError: If they do not fit each other.
        """
        return override(config, self.chosen(values).items())

    def chosen(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Returns a trial's values as the configuration has them."""
        return {
            key: json.loads(values[key]) if "choices" in entry else values[key]
            for key, entry in self.entries.items()
        }


def read_space(file: Path | str | None, config: Config) -> Space:
    """Reads the section `search` of a TOML file.

    Args:
        file: The file; without it, or without the section, a space that suits the
            configuration's preset is taken.
        config: The configuration that the search begins with.

    Raises:
        UsageError: If the section is not what it should be.
    """
    section = {}
    if file:
        section = tomllib.loads(Path(file).read_text("utf-8")).get(SECTION, {})
    entries = _flatten(section)
    if not entries:
        dimensions = _DIMENSIONS.get(config.model.preset, [512, 1024])
        entries = DEFAULT | {"model.hcma_dim": {"choices": dimensions}}
        if config.model.name != "sfcl_hcmf":
            ours = ("model.sbcm", "model.hcma", "model.faae")
            entries = {k: v for k, v in entries.items() if not k.startswith(ours)}
    space = Space(entries)
    space.hyperparameters(config)
    return space


def _flatten(table):
    if not isinstance(table, Mapping):
        raise UsageError(f"Expected [{SECTION}] as a section, such as\n{_EXAMPLE}")
    flat = {}
    for section, entries in table.items():
        if "." in section:  # "train.learning_rate" = {...}
            flat[section] = entries
            continue
        if not isinstance(entries, Mapping):
            raise UsageError(
                f"Expected keys with their section in [{SECTION}], such as\n"
                f"{_EXAMPLE}\nReceived: {section} = {entries!r}."
            )
        flat |= {f"{section}.{key}": entry for key, entry in entries.items()}
    return flat


def _check(key, entry, config):
    choices = isinstance(entry, Mapping) and set(entry) == {"choices"}
    numbers = (
        isinstance(entry, Mapping)
        and {"low", "high"} <= set(entry) <= {"low", "high", "log", "step"}
        and all(type(entry[name]) in (int, float) for name in ("low", "high"))
        and entry["low"] < entry["high"]
    )
    if not numbers and not (choices and entry["choices"]):
        raise UsageError(
            f"Expected {key} in [{SECTION}] as {{low = 0.1, high = 0.5}}, also with "
            f"log = true or step, or as {{choices = [...]}}. Received: {entry}."
        )
    if key in _FIXED:
        raise UsageError(
            f"Expected settings in [{SECTION}] that leave records as they are. "
            f"Received: {key}. Search once for each of its values."
        )
    # Each alone: which of them fit together only a trial tells.
    values = entry["choices"] if choices else (entry["low"], entry["high"])
    for value in values:
        try:
            override(config, [(key, value)])
        except UsageError as error:
            if "model.sbcm_" not in str(error):
                raise
