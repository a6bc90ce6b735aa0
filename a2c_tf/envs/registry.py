"""From a config to an environment: the graph-native one where there is one, else the host's."""

from __future__ import annotations

import functools
import importlib.util
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium

from a2c_tf.config import ConfigError, EnvConfig, nearest
from a2c_tf.envs.acrobot import Acrobot
from a2c_tf.envs.base import Environment
from a2c_tf.envs.cartpole import CartPole
from a2c_tf.envs.catch import Catch
from a2c_tf.envs.host import make_gymnasium
from a2c_tf.envs.minatar.asterix import Asterix
from a2c_tf.envs.minatar.breakout import Breakout
from a2c_tf.envs.minatar.freeway import Freeway
from a2c_tf.envs.minatar.seaquest import Seaquest
from a2c_tf.envs.minatar.space_invaders import SpaceInvaders
from a2c_tf.envs.mountain_car import MountainCar, MountainCarContinuous
from a2c_tf.envs.pendulum import Pendulum

GRAPH_NATIVE: dict[str, Callable[..., Environment]] = {
    "Acrobot-v1": Acrobot,
    "CartPole-v1": CartPole,
    "Catch-v0": Catch,
    **{
        f"MinAtar/{game.__name__}-{version}": functools.partial(game, version=version)
        for game in (Asterix, Breakout, Freeway, Seaquest, SpaceInvaders)
        for version in ("v0", "v1")
    },
    "MountainCar-v0": MountainCar,
    "MountainCarContinuous-v0": MountainCarContinuous,
    "Pendulum-v1": Pendulum,
}
ARGUMENTS = {  # of the environments, for the settings that may be null
    "max_episode_steps": "max_episode_steps",
    "sticky_action_probability": "sticky_action_probability",
    "difficulty_ramping": "ramping",
}
HOST_SETTINGS = ("max_episode_steps",)


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
        return _make_in_graph(config)
    return _make_on_host(config)


def _make_in_graph(config: EnvConfig) -> Environment:
    environment = GRAPH_NATIVE[config.id]
    parameters = inspect.signature(environment).parameters
    _check_settings(config, [name for name in ARGUMENTS if ARGUMENTS[name] in parameters])
    return environment(config.num_envs, **_settings(config))


def _make_on_host(config: EnvConfig) -> Environment:
    _check_settings(config, HOST_SETTINGS, " outside the graph")
    _register_atari(config.id)
    try:
        return make_gymnasium(config.id, config.num_envs, **_settings(config))
    except (gymnasium.error.Error, ModuleNotFoundError, ValueError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise ConfigError(
            f"env.id={config.id}: {reason}; expected {', '.join(GRAPH_NATIVE)}, "
            "an id that gymnasium has registered, or my_module:MyEnv-v0"
        ) from None


def _check_settings(config: EnvConfig, known: Sequence[str], where: str = "") -> None:
    """Refuses what the config sets and the environment does not have."""
    for name in ARGUMENTS:
        if (value := getattr(config, name)) is not None and name not in known:
            raise ConfigError(
                f"env.{name}={value}: {config.id} has no such setting{where}; leave it null"
            )


def _settings(config: EnvConfig) -> dict[str, Any]:
    """What the config sets; the environment's own value stands for null."""
    return {
        argument: value
        for name, argument in ARGUMENTS.items()
        if (value := getattr(config, name)) is not None
    }


def _register_atari(env_id: str) -> None:
    if not env_id.startswith("ALE/"):
        return
    if importlib.util.find_spec("ale_py") is None:
        raise ConfigError(f"env.id={env_id}: needs ale-py; pip install 'a2c_tf[atari]'")
    gymnasium.register_envs(importlib.import_module("ale_py"))
