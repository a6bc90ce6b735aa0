"""Runs that may be averaged: the same config but for the seed; and what to call them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from a2c_tf.config import Config, flat, load, names
from a2c_tf.config.describing import as_typed
from a2c_tf.runs.run_dir import RunDir

IRRELEVANT = frozenset(
    f"run.{name}"
    for name in (
        "seed",
        "log_every",
        "save_every",
        "keep_checkpoints",
        "eval_every",
        "eval_episodes",
        "eval_deterministic",
        "export",
        "trackers",
    )
)
"""settings that do not change what is learnt, or do so by chance alone."""
MOST_SETTINGS = 3
"""that a name lists."""


class Run(NamedTuple):
    """A run that is drawn."""

    folder: RunDir
    config: Config
    rows: list[dict[str, float]]
    evaluation: dict[str, Any] | None
    """at the end of training; None where there was none."""


Group = tuple[Run, ...]
"""Runs of one config, but for their seeds."""


def by_environment(runs: Sequence[Run]) -> dict[str, list[Group]]:
    """Returns the groups of each environment, in the order in which they first came."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        key = as_typed(_settings(run.config))
        groups.setdefault(key, []).append(run)
    environments: dict[str, list[Group]] = {}
    for group in groups.values():
        environments.setdefault(group[0].config.env.id, []).append(tuple(group))
    return environments


def label_groups(groups: Sequence[Group]) -> list[str]:
    """Returns what tells the groups of an environment apart: the settings that they differ in."""
    settings = [_settings(group[0].config) for group in groups]
    differing = [name for name in settings[0] if len({as_typed(one[name]) for one in settings}) > 1]
    return [
        _listed([f"{name}={as_typed(one[name])}" for name in differing]) or _seeds(group)
        for one, group in zip(settings, groups, strict=True)
    ]


def describe_group(group: Group) -> str:
    """Returns the config that comes with the package, how it was changed, and the seeds."""
    return f"{config_name(group[0].config, group[0].folder.path)}, {_seeds(group)}"


def config_name(config: Config, folder: Path) -> str:
    """Returns the config of the same environment that is most alike, and the settings that differ.

    Args:
      config: of a run.
      folder: of the run, whose name it is called by where no config has its environment.
    """
    settings = _settings(config)
    named = {}
    for name in names():
        shipped = load(name)
        if shipped.env.id == config.env.id:
            known = _settings(shipped)
            named[name] = [f"{n}={as_typed(v)}" for n, v in settings.items() if known[n] != v]
    if not named:
        return f"run {folder.name}"
    name, changes = min(named.items(), key=lambda item: len(item[1]))
    return ", ".join(filter(None, [f"config {name}", _listed(changes)]))


def _settings(config: Config) -> dict[str, Any]:
    return {name: value for name, value in flat(config).items() if name not in IRRELEVANT}


def _listed(changes: Sequence[str]) -> str:
    more = len(changes) - MOST_SETTINGS
    listed = ", ".join(changes[:MOST_SETTINGS])
    return f"{listed} and {more} more" if more > 0 else listed


def _seeds(group: Group) -> str:
    seeds = sorted(run.config.run.seed for run in group)
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    return f"seeds {', '.join(map(str, seeds))}" if len(seeds) <= 6 else f"{len(seeds)} seeds"
