"""From a config to an environment: the graph-native one where there is one, else the host's."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from typing import Any

import gymnasium

from a2c_tf.config import ConfigError, EnvConfig, nearest
from a2c_tf.envs.acrobot import Acrobot
from a2c_tf.envs.base import Environment
from a2c_tf.envs.cartpole import CartPole
from a2c_tf.envs.catch import Catch
from a2c_tf.envs.host import make_gymnasium
from a2c_tf.envs.minatar.breakout import Breakout
from a2c_tf.envs.mountain_car import MountainCar, MountainCarContinuous
from a2c_tf.envs.pendulum import Pendulum

GRAPH_NATIVE: dict[str, Callable[..., Environment]] = {
    "Acrobot-v1": Acrobot,
    "CartPole-v1": CartPole,
    "Catch-v0": Catch,
    "MinAtar/Breakout-v0": functools.partial(Breakout, version="v0"),
    "MinAtar/Breakout-v1": functools.partial(Breakout, version="v1"),
    "MountainCar-v0": MountainCar,
    "MountainCarContinuous-v0": MountainCarContinuous,
    "Pendulum-v1": Pendulum,
}


def make(config: EnvConfig) -> Environment:
    """The environment that `config` names, B of them.

    Raises:
      ConfigError: for an id that is not known, a package that is missing, or a setting that the
        backend does not have.
    """
    graph_native = config.id in GRAPH_NATIVE
    if config.backend == "graph" and not graph_native:
        raise ConfigError(
            f"env.id={config.id}: not in the graph{nearest(config.id, list(GRAPH_NATIVE))}; "
            f"expected one of {', '.join(GRAPH_NATIVE)}, or set env.backend=gymnasium"
        )
    if graph_native and config.backend != "gymnasium":
        return GRAPH_NATIVE[config.id](config.num_envs, **_settings(config))
    return _make_on_host(config)


def _make_on_host(config: EnvConfig) -> Environment:
    if config.sticky_action_probability is not None:
        raise ConfigError(
            f"env.sticky_action_probability={config.sticky_action_probability}: "
            f"{config.id} has no such setting outside the graph; leave it null"
        )
    _register_atari(config.id)
    try:
        return make_gymnasium(config.id, config.num_envs, **_settings(config))
    except (gymnasium.error.Error, ModuleNotFoundError, ValueError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise ConfigError(
            f"env.id={config.id}: {reason}; expected {', '.join(GRAPH_NATIVE)}, "
            "an id that gymnasium has registered, or my_module:MyEnv-v0"
        ) from None


def _settings(config: EnvConfig) -> dict[str, Any]:
    """What the config sets; the environment's own value stands for null."""
    names = ("max_episode_steps", "sticky_action_probability")
    return {name: value for name in names if (value := getattr(config, name)) is not None}


def _register_atari(env_id: str) -> None:
    if not env_id.startswith("ALE/"):
        return
    if importlib.util.find_spec("ale_py") is None:
        raise ConfigError(f"env.id={env_id}: needs ale-py; pip install 'a2c_tf[atari]'")
    gymnasium.register_envs(importlib.import_module("ale_py"))
