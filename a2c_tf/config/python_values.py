"""A config from Python values, by the rules of the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pydantic

from a2c_tf.config.loading import default_name, load, parse
from a2c_tf.config.schema import Config
from a2c_tf.errors import ConfigError

Source = str | Path | Config | Mapping[str, Any]
"""the name or path of a config, one that is read already, or its sections."""


def resolve(source: Source | None, overrides: Mapping[str, Any]) -> Config:
    """Returns the config of `source` with overrides, such as `{"run.seed": 3}`.

    Args:
      source: settings that a mapping leaves out have the library's defaults; None: the default
        config, or where an override names an environment, no other settings.
      overrides: a value for each dotted name, or mappings of them by section.

    Raises:
      ConfigError: with one line that names every setting that is wrong.
    """
    words = override_words(overrides)
    match source:
        case None:
            return load(default_name(words), words)
        case str() | Path():
            return load(str(source), words)
        case Config():
            return (
                parse(source.model_dump(mode="json", exclude_unset=True), words)
                if words
                else source
            )
        case Mapping():
            return parse({}, [*override_words(source), *words])
    raise ConfigError(
        f"config: received {source!r}; expected a name, a YAML path, a Config, or a mapping"
    )


def override_words(overrides: Mapping[str, Any]) -> list[str]:
    """Returns the overrides as `section.key=value`, each value as YAML.

    Raises:
      ConfigError: for a value that no YAML file could hold.
    """
    return [f"{name}={_yaml(name, value)}" for name, value in _settings(overrides, Config())]


def _settings(
    overrides: Mapping[str, Any], section: pydantic.BaseModel | None, prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Yields each setting by its dotted name; a mapping is its value where it is no section."""
    for name, value in overrides.items():
        inner = getattr(section, str(name), None)
        if isinstance(value, Mapping) and isinstance(inner, pydantic.BaseModel):
            yield from _settings(value, inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _yaml(name: str, value: Any) -> str:
    try:
        return json.dumps(value, default=_plain)  # JSON is YAML
    except (TypeError, ValueError):
        raise ConfigError(
            f"{name}: received {value!r}; expected a value as in YAML: a number, text, true or "
            "false, None, a list or a mapping"
        ) from None


def _plain(value: Any) -> Any:
    """Returns what JSON has for paths, and for the numbers and arrays of NumPy."""
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError
