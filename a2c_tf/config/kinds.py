"""Defaults that suit the kind of environment, for the settings that nobody gave.

Each learns its environments at the first try, rather than one of them as fast as can be:
docs/results.md says what they were checked on. `configs/` holds settings tuned for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pydantic

from a2c_tf.config.loading import parse
from a2c_tf.config.schema import Config

Kind = Literal["vector", "continuous", "tabular", "grid", "pixels"]
"""vector: floats, discrete actions; continuous: actions of floats; tabular: numbered observations;
grid: images of fewer than 36 pixels a side; pixels: larger ones, as Atari's."""

_MLP = {
    "env.num_envs": 16,
    "network.torso": "mlp",
    "network.hidden": (64, 64),
    "network.activation": "tanh",
    "network.shared": False,
    "network.normalize_observation": True,
    "a2c.unroll_length": 8,
    "a2c.gae_lambda": 0.95,
    "a2c.scale_reward": True,
    "a2c.entropy_coef": 0.0,
    "optimizer.name": "adam",
    "optimizer.learning_rate": 3e-3,
}
DEFAULTS: dict[Kind, dict[str, Any]] = {
    "vector": _MLP,
    "continuous": {**_MLP, "optimizer.learning_rate": 1e-3},
    "tabular": {**_MLP, "a2c.entropy_coef": 0.03},
    "grid": {
        **_MLP,
        "network.torso": "minatar",
        "network.hidden": (128,),
        "network.activation": "relu",
        "network.shared": True,
        "a2c.entropy_coef": 0.01,
        "optimizer.learning_rate": 1e-3,
    },
    "pixels": {
        "env.num_envs": 16,
        "network.torso": "nature",
        "network.hidden": (512,),
        "network.activation": "relu",
        "network.shared": True,
        "network.normalize_observation": False,
        "a2c.unroll_length": 16,
        "a2c.gae_lambda": 0.95,
        "a2c.normalize_advantage": True,
        "a2c.clip_reward": True,
        "a2c.entropy_coef": 0.005,
        "optimizer.learning_rate": 7e-4,
        "run.updates_per_call": 10,
    },
}
"""setting -> value, by the kind of environment; the schema has the others."""
EXCLUDING = (("a2c.scale_reward", "a2c.clip_reward"), ("a2c.clip_reward", "a2c.scale_reward"))
NAMES = frozenset(name for defaults in DEFAULTS.values() for name in defaults)


def is_complete(config: Config) -> bool:
    """Returns whether the config gives every setting that depends on the kind of environment."""
    return config.network.torso != "auto" and all(_is_given(config, name) for name in NAMES)


def complete(config: Config, kind: Kind) -> Config:
    """Returns the config with the defaults of the kind for the settings that it does not give.

    A torso that is `auto` counts as not given. A user's own network has no normalisation.

    Raises:
      ConfigError: where what is given does not fit these defaults.
    """
    values = dict(DEFAULTS[kind])
    if config.network.builder:
        values.pop("network.normalize_observation", None)
    for asked, excluded in EXCLUDING:  # or a default would refuse what was asked for
        if _value(config.model_dump(), asked):
            values.pop(excluded, None)
    return _filled(config, values)


def complete_from(config: Config, other: Config) -> Config:
    """Returns the config with another's values for what it does not give, of these settings.

    Args:
      config: of a run that is resumed, which may leave settings out.
      other: what the run was started with.

    Returns:
      The config with these settings.
    """
    sections = other.model_dump(mode="json")
    return _filled(config, {name: _value(sections, name) for name in sorted(NAMES)})


def _filled(config: Config, values: Mapping[str, Any]) -> Config:
    tree = config.model_dump(mode="json")
    for name, value in values.items():
        is_auto = name == "network.torso" and config.network.torso == "auto"
        if is_auto or not _is_given(config, name):
            section, key = name.split(".")
            tree[section][key] = value
    return parse(tree)


def _value(sections: Mapping[str, Any], name: str) -> Any:
    section, key = name.split(".")
    return sections[section][key]


def _is_given(config: Config, name: str) -> bool:
    section, key = name.split(".")
    group: pydantic.BaseModel = getattr(config, section)
    return section in config.model_fields_set and key in group.model_fields_set
