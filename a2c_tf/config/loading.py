"""A run's settings: a YAML file and dotted overrides, checked as a whole before anything starts."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pydantic
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from a2c_tf.config.hints import nearest, nearly_meant
from a2c_tf.config.problems import explain, unknown
from a2c_tf.config.schema import Config
from a2c_tf.errors import ConfigError

PACKAGE_DIR = Path(__file__).resolve().parent.parent

DEFAULT_CONFIG = "minatar_breakout"
ENVIRONMENT = ("env.id", "env.factory")
"""the settings that name an environment."""

RENAMED = {
    "optimizer.schedule": "optimizer.schedule.shape",
    "optimizer.milestones": "optimizer.schedule.milestones",
    "a2c.entropy_schedule": "a2c.entropy_schedule.shape",
    "a2c.entropy_milestones": "a2c.entropy_schedule.milestones",
}
"""setting of before 0.1.0 -> what it is now."""


def load(name_or_path: str | None, overrides: Sequence[str] = ()) -> Config:
    """Reads a config by name or path and applies `section.key=value` overrides; None: those alone.

    Raises:
      ConfigError: with one line that names every setting that is wrong.
    """
    if name_or_path is None:
        return parse({}, overrides)
    path = find(name_or_path)
    tree = _read_yaml(path)
    _refuse_renamed(tree, f"config file {path}: ")
    return parse(tree, overrides)


def default_name(overrides: Sequence[str]) -> str | None:
    """Returns the config that holds where none is named; None: the library's defaults.

    DEFAULT_CONFIG is tuned for one environment, which no override may name another in place of.
    """
    names_environment = any(word.partition("=")[0] in ENVIRONMENT for word in overrides)
    return None if names_environment else DEFAULT_CONFIG


def find(name_or_path: str) -> Path:
    """Returns the YAML file of that path, or of that name in `configs/`."""
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        if path.is_file():
            return path
        raise ConfigError(f"config file {name_or_path}: not found; expected a YAML file")
    if name_or_path in names():
        return _config_dir() / f"{name_or_path}.yaml"
    raise ConfigError(
        f"config {name_or_path!r}: no such name{nearest(name_or_path, names())}; "
        f"expected a .yaml path or one of {', '.join(names())}"
    )


def names() -> list[str]:
    """Returns the names of the configs that come with the package."""
    return sorted(path.stem for path in _config_dir().glob("*.yaml"))


def parse(tree: dict[str, Any], overrides: Sequence[str] = ()) -> Config:
    """Returns the checked config of a tree of sections, which `section.key=value` overrides change.

    Raises:
      ConfigError: with one line that names every setting that is wrong.
    """
    for override in overrides:
        _apply(tree, override)
    _refuse_renamed(tree)
    try:
        return Config.model_validate(tree)
    except pydantic.ValidationError as error:
        raise ConfigError(explain(error.errors(), tree)) from None


def to_yaml(config: Config) -> str:
    """Returns every setting as YAML, from which `load` makes the same config."""
    text = io.StringIO()
    YAML().dump(config.model_dump(mode="json"), text)
    return text.getvalue()


def check_resumable(started_with: Config, config: Config) -> None:
    """Checks that a run can go on with `config`.

    Raises:
      ConfigError: naming the settings that differ and may not: all but those of `run` without
        the seed, and the learning rate.
    """
    before, after = flat(started_with), flat(config)
    differing = [
        f"{name} is {before.get(name)!r} there and {after.get(name)!r} here"
        for name in {**before, **after}
        if before.get(name) != after.get(name) and not _may_change(name)
    ]
    if differing:
        raise ConfigError(f"--resume: {'; '.join(differing)}; start a new run for that")


def _may_change(name: str) -> bool:
    """Returns whether a run may go on with another value of that setting."""
    return name == "optimizer.learning_rate" or (name.startswith("run.") and name != "run.seed")


def flat(config: Config) -> dict[str, Any]:
    """Returns every setting by its dotted name."""
    return dict(_leaves(config.model_dump()))


def _leaves(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _config_dir() -> Path:
    """Returns the folder beside the package in a checkout, inside it once installed."""
    installed = PACKAGE_DIR / "configs"
    return installed if installed.is_dir() else PACKAGE_DIR.parent / "configs"


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        tree = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except (YAMLError, ValueError, OSError) as error:  # ValueError: month 13, and the like
        raise ConfigError(f"config file {path}: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"config file {path}: expected sections such as env: and run:")
    return tree


def _apply(tree: dict[str, Any], override: str) -> None:
    """Sets `section.key=value` in the tree, the value read as YAML."""
    path, equals, text = override.partition("=")
    *sections, key = path.split(".")
    root = tree
    if not (equals and sections and all(sections) and key):
        setting = nearly_meant(key) if equals and not sections else None
        hint = f"; write {setting}={text}" if setting else ", as a2c.gamma=0.99"
        raise ConfigError(f"override {override!r}: expected section.key=value{hint}")
    try:
        value = YAML(typ="safe").load(text)
    except (YAMLError, ValueError):
        raise ConfigError(f"override {override!r}: {text!r} is not a YAML value") from None
    for i, section in enumerate(sections, 1):
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict) and i > 1:
            _refuse_renamed(root)
            raise ConfigError(unknown(path))
        if not isinstance(tree, dict):
            raise ConfigError(f"{section}: received {tree!r}, expected a section of settings")
    tree[key] = value


def _refuse_renamed(tree: dict[str, Any], where: str = "") -> None:
    """Raises a ConfigError that names the new setting for each old one in the tree."""
    changes = [
        f"{name}: received {value!r}, renamed; write {RENAMED[name]}={_plain(value)}"
        for name, value in _leaves(tree)
        if name in RENAMED and value is not None
    ]
    if changes:
        hint = "in YAML a section, as schedule: {shape: linear}"
        raise ConfigError(f"{where}{'; '.join(changes)}; {hint}")


def _plain(value: Any) -> str:
    """Returns the value as one writes it on the command line."""
    return str(value).replace(" ", "")
