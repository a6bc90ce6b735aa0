"""Settings that nobody gave, from the environment that is trained on."""

from __future__ import annotations

import gymnasium
import numpy as np

from a2c_tf import config as configs
from a2c_tf import spaces
from a2c_tf.config import Config, Kind
from a2c_tf.envs import registry
from a2c_tf.networks.torsos import choose_torso
from a2c_tf.types import EnvSpec

IMAGE_KINDS: dict[str, Kind] = {"nature": "pixels", "minatar": "grid"}
"""kind of environment, by the torso that its images need."""


def with_defaults(config: Config) -> Config:
    """Returns the config with every setting, for which it makes the environment once at most.

    Raises:
      ConfigError, CommandError: as `registry.make`.
    """
    if configs.is_complete(config):
        return config
    return configs.complete(config, kind_of(registry.make_spec(config.env)))


def kind_of(spec: EnvSpec) -> Kind:
    """Returns the kind of an environment, by its spaces."""
    torso = choose_torso(spec.observation_space)
    if torso in IMAGE_KINDS:
        return IMAGE_KINDS[torso]
    if isinstance(spec.action_space, gymnasium.spaces.Box):
        return "continuous"
    parts = spaces.parts(spec.observation_space).values()
    has_floats = any(np.issubdtype(part.dtype, np.floating) for part in parts)
    return "vector" if has_floats else "tabular"
