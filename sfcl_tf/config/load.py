"""From preset, card, file and single values to a configuration, and to TOML."""

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from sfcl_tf.config.checks import check_augment, check_bounds, check_model
from sfcl_tf.config.presets import MADE_FOR, PRESETS
from sfcl_tf.config.sections import Config
from sfcl_tf.system.errors import UsageError

# Keys that files of earlier versions have, and why they mean nothing any more.
RETIRED = {
    "data.shuffle_buffer": "each epoch is shuffled as a whole",
    "train.class_weight": "each batch is half real and half fake",
}


def load_config(
    *,
    preset: str = "paper",
    card: Mapping[str, Any] | None = None,
    file: Path | str | None = None,
    overrides: Iterable[str | tuple[str, Any]] = (),
) -> Config:
    """Merges defaults, preset, the card's values, a TOML file and overrides.

    Later ones win. A baseline (`model.name`) brings the size of image that it was
    made for, after the preset. A key that does not exist is an error.

    Args:
        preset: A key of `PRESETS`.
        card: `{"section.key": value}` that a data set's card recommends.
        file: TOML with sections as in `Config`. A preset named in it or in the
            overrides under `model.preset` is the one that is applied, first.
        overrides: `"section.key=value"` strings, or pairs with a typed value.

    Raises:
        UsageError: For an unknown preset, section or key, a value of the wrong
            type, or a file that is missing or not TOML.

    Example:
        >>> load_config(preset="tiny", overrides=["train.epochs=3"]).train.epochs
        3
    """
    sections = _read_toml(file) if file else {}
    sections.pop("search", None)  # read by sfcl_tf.tuning.space
    loaded = _flatten(sections)
    given = loaded | dict(as_pairs(overrides))
    preset = given.get("model.preset", preset)
    if preset not in list(PRESETS):
        raise UsageError(
            f"Expected a preset of {', '.join(PRESETS)}. Received: {preset!r}."
        )
    made_for = MADE_FOR.get(str(given.get("model.name", "")), {}).get(preset, {})
    return _from_flat({**PRESETS[preset], **made_for, **(card or {}), **given})


def read_config(path: Path | str) -> Config:
    """Reads the merged `config.toml` of a run.

    Raises:
        UsageError: If it cannot be read, or a value is not possible.
    """
    sections = _read_toml(path)
    try:
        return _from_flat(_flatten(sections))
    except UsageError as error:
        raise UsageError(f"In {path}: {error}") from error


def checked(config: Config) -> Config:
    """Returns a configuration that was made or changed in code, checked as if loaded.

    Raises:
        UsageError: If a value is not possible, or it is something else.
    """
    if not isinstance(config, Config):
        raise UsageError(
            "Expected a Config, as sfcl_tf.configure makes one of a data set and a "
            f"preset. Received: {config!r}."
        )
    return _from_flat(_flatten(dataclasses.asdict(config)))


def override(config: Config, overrides: Iterable[str | tuple[str, Any]]) -> Config:
    """Returns a configuration with some values changed, as `--set` gives them."""
    values = _flatten(dataclasses.asdict(config))
    return _from_flat(values | dict(as_pairs(overrides)))


def from_toml(text: str) -> Config:
    """Reads what `to_toml` wrote; what it lacks is as it is by default.

    Raises:
        UsageError: If a value is not possible.
    """
    return _from_flat(_flatten(tomllib.loads(text)))


def to_toml(config: Config) -> str:
    """Returns the configuration as TOML; `load_config(file=...)` reads it back."""
    import tomli_w

    return tomli_w.dumps(dataclasses.asdict(config))


def _read_toml(path) -> dict:
    path = Path(path)
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise UsageError(
            f"Expected a readable TOML file. Received: {path} ({error.strerror})."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"Expected TOML in {path}. Received: {error}.") from error


def _flatten(sections: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for section, entries in sections.items():
        if not isinstance(entries, Mapping):
            raise UsageError(
                f"Expected `{section}` in a section such as [train]. Received it "
                "at the top of the file."
            )
        flat |= {f"{section}.{key}": value for key, value in entries.items()}
    return {key: value for key, value in flat.items() if key not in RETIRED}


def as_pairs(
    overrides: Iterable[str | tuple[str, Any]],
) -> list[tuple[str, Any]]:
    """Returns overrides as pairs of key and value.

    Raises:
        UsageError: If they are no list, or one is no override.
    """
    if isinstance(overrides, str | Mapping):
        raise UsageError(
            'Expected overrides as a list, such as ["train.epochs=3"]. Received: '
            f"{overrides!r}."
        )
    return list(map(_pair, overrides))


def _pair(override: str | tuple[str, Any]) -> tuple[str, Any]:
    if not isinstance(override, str):
        return override
    key, separator, text = override.partition("=")
    if not separator:
        raise UsageError(f"Expected `--set section.key=value`. Received: {override!r}.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    return key.strip(), value


def _from_flat(values: Mapping[str, Any]) -> Config:
    kinds = typing.get_type_hints(Config)
    known = {
        f"{section}.{name}": hint
        for section, kind in kinds.items()
        for name, hint in typing.get_type_hints(kind, include_extras=True).items()
    }
    sections: dict[str, dict[str, Any]] = {section: {} for section in kinds}
    for key, value in values.items():
        if key in RETIRED:
            raise UsageError(
                f"Expected no {key}: {RETIRED[key]}. Received: {value!r}. Leave it out."
            )
        if key not in known:
            close = difflib.get_close_matches(key, known, n=3, cutoff=0.5)
            hint = f" Did you mean {' or '.join(close)}?" if close else ""
            raise UsageError(
                f"Expected a key such as train.epochs. Received: {key!r}, which does "
                f"not exist.{hint}"
            )
        section, name = key.split(".", 1)
        sections[section][name] = _coerce(key, value, known[key])
    config = Config(**{name: kinds[name](**sections[name]) for name in kinds})
    check_model(config.model)
    check_augment(config.augment, config.data.margin)
    return config


def _coerce(key: str, value: Any, hint: Any) -> Any:
    """Returns the value in the field's type, or tells which types it may have."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        value = _coerce(key, value, args[0])
        check_bounds(key, value, args[1])
        return value
    if origin is Literal and value in args:
        return value
    if origin in (typing.Union, types.UnionType):
        for option in args:
            try:
                return _coerce(key, value, option)
            except UsageError:
                continue
    if origin is tuple and isinstance(value, list | tuple):
        if args[-1] is Ellipsis:
            return tuple(_coerce(key, item, args[0]) for item in value)
        if len(value) == len(args):
            return tuple(map(_coerce, [key] * len(args), value, args))
    if hint is float and type(value) in (int, float):
        return float(value)
    if hint in (int, bool, str) and type(value) is hint:
        return value
    raise UsageError(f"Expected {key} to be {_describe(hint)}. Received: {value!r}.")


def _describe(hint) -> str:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _describe(args[0])
    if origin is Literal:
        return " or ".join(repr(arg) for arg in args)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_describe(arg) for arg in args)
    if origin is tuple and args[-1] is Ellipsis:
        return f"a list of {_describe(args[0])}"
    if origin is tuple:
        return f"a list [low, high], each {_describe(args[0])}"
    return {int: "an integer", float: "a number", bool: "true or false"}.get(
        hint, "a string"
    )
