"""From a config to an environment: the graph-native one where there is one, else the host's."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium

from a2c_tf.config import AtariConfig, EnvConfig, nearest
from a2c_tf.dependencies import install_extra
from a2c_tf.envs.base import Environment
from a2c_tf.envs.catch import Catch
from a2c_tf.envs.classic_control.acrobot import Acrobot
from a2c_tf.envs.classic_control.cartpole import CartPole
from a2c_tf.envs.classic_control.mountain_car import MountainCar, MountainCarContinuous
from a2c_tf.envs.classic_control.pendulum import Pendulum
from a2c_tf.envs.host import atari, envpool
from a2c_tf.envs.host.adapter import HostEnvironment
from a2c_tf.envs.host.gymnasium_vector import make_vector, registered
from a2c_tf.envs.minatar.asterix import Asterix
from a2c_tf.envs.minatar.board import RampingGame
from a2c_tf.envs.minatar.breakout import Breakout
from a2c_tf.envs.minatar.freeway import Freeway
from a2c_tf.envs.minatar.seaquest import Seaquest
from a2c_tf.envs.minatar.space_invaders import SpaceInvaders
from a2c_tf.errors import CommandError, ConfigError
from a2c_tf.spaces import parts
from a2c_tf.types import EnvSpec

MINATAR = {
    f"MinAtar/{game.__name__}-{version}": (game, version)
    for game in (Asterix, Breakout, Freeway, Seaquest, SpaceInvaders)
    for version in ("v0", "v1")
}
GRAPH_NATIVE: dict[str, Callable[..., Environment]] = {
    "Acrobot-v1": Acrobot,
    "CartPole-v1": CartPole,
    "Catch-v0": Catch,
    **{
        env_id: functools.partial(game, version=version)
        for env_id, (game, version) in MINATAR.items()
    },
    "MountainCar-v0": MountainCar,
    "MountainCarContinuous-v0": MountainCarContinuous,
    "Pendulum-v1": Pendulum,
}
RAMPING = {env_id for env_id, (game, _) in MINATAR.items() if issubclass(game, RampingGame)}
"""ids of the games that have `difficulty_ramping`."""

ARGUMENTS = {  # of the environments, for the settings that may be null
    "max_episode_steps": "max_episode_steps",
    "sticky_action_probability": "sticky_action_probability",
    "difficulty_ramping": "ramping",
}
EXTRAS = {"ale": ("ale_py", "atari"), "envpool": ("envpool", "envpool")}
"""package and extra of each backend that may be missing."""

BACKENDS_OF = {"vectorization": ("gymnasium",), "num_threads": ("ale", "envpool")}
"""which backends have the setting."""


def make(config: EnvConfig) -> Environment:
    """Returns the environment that `config` names, B of them; the caller closes it.

    Raises:
      ConfigError: for an id that is not known, a package that is missing, or a setting that the
        backend does not have.
      CommandError: for what a host environment raises while it is made.
    """
    backend = config.backend if config.backend != "auto" else default_backend(config.id)
    _check_backend_settings(config, backend)
    if backend == "graph":
        return _make_in_graph(config)
    try:
        if backend == "gymnasium" and not _is_known(config.id):
            registered(config.id)  # report an unknown id before checking its settings
        _check_host_settings(config)
        return _make_on_host(config, backend)
    except CommandError:
        raise
    except Exception as error:  # the user's module and environment may raise anything
        raise ConfigError(f"env.id={config.id}: {_reason(config, error)}") from error


def make_spec(config: EnvConfig) -> EnvSpec:
    """Returns the spec of the environment that `config` names, of which it makes one, not B.

    Raises:
      ConfigError, CommandError: as `make`.
    """
    env = make(config.model_copy(update={"num_envs": 1}))
    env.close()
    return env.spec._replace(num_envs=config.num_envs)


def _is_known(env_id: str) -> bool:
    """Returns whether the id is one of ours or an Atari game's."""
    return env_id in GRAPH_NATIVE or env_id.startswith(atari.PREFIX)


def _reason(config: EnvConfig, error: Exception) -> str:
    """Returns what went wrong on the way to an environment, and the ids if it is the id."""
    reason = " ".join(str(error).split()).rstrip(".")
    module, _, _ = config.id.rpartition(":")
    no_module = isinstance(error, ModuleNotFoundError) and error.name == module
    malformed = type(error) is gymnasium.error.Error
    if malformed or no_module or isinstance(error, gymnasium.error.UnregisteredEnv):
        return (
            f"{reason}; expected {', '.join(GRAPH_NATIVE)}, "
            "an id that gymnasium has registered, or my_module:MyEnv-v0"
        )
    is_clear = isinstance(error, ValueError | gymnasium.error.Error)
    return reason if is_clear else f"raised {type(error).__name__}: {reason}"


def make_drawable(config: EnvConfig) -> Environment:
    """Returns what `make` does, or gymnasium's environment where that alone can draw it."""
    drawing = {"render_mode": "rgb_array"}
    if config.id.startswith(atari.PREFIX) and installed("ale"):
        return atari.make_gymnasium_atari(config, **drawing)  # it shows the agent the same
    env = make(config)
    if env.spec.backend == "envpool" and config.id in gymnasium.registry:
        env = _showing_the_same(env, config)
    if env.spec.backend == "gymnasium" and isinstance(env, HostEnvironment) and env.can_render:
        env.close()
        return _make_gymnasium(config, **drawing)
    return env


def _showing_the_same(env: Environment, config: EnvConfig) -> Environment:
    """Returns gymnasium's environment of the id where it shows the agent the same, else `env`.

    The other of the two is closed.
    """
    other = _make_gymnasium(config)
    kept, closed = (other, env) if _are_alike(env.spec, other.spec) else (env, other)
    closed.close()
    return kept


def _are_alike(a: EnvSpec, b: EnvSpec) -> bool:
    """Returns whether observations are of the same shapes and dtypes, and actions the same."""
    one, two = (parts(spec.observation_space).values() for spec in (a, b))
    shapes, others = ([(part.shape, part.dtype) for part in spaces] for spaces in (one, two))
    return shapes == others and a.action_space == b.action_space


def installed(backend: str) -> bool:
    """Returns whether the package of the backend is installed."""
    package, _ = EXTRAS.get(backend, ("gymnasium", ""))
    return importlib.util.find_spec(package) is not None


def default_backend(env_id: str) -> str:
    """Returns the first backend that is installed and has the environment."""
    if env_id in GRAPH_NATIVE:
        return "graph"
    if env_id.startswith(atari.PREFIX):
        return "envpool" if installed("envpool") and not installed("ale") else "ale"
    return "envpool" if installed("envpool") and envpool.has(env_id) else "gymnasium"


def _make_in_graph(config: EnvConfig) -> Environment:
    if config.id not in GRAPH_NATIVE:
        raise ConfigError(
            f"env.id={config.id}: not in the graph{nearest(config.id, list(GRAPH_NATIVE))}; "
            f"expected one of {', '.join(GRAPH_NATIVE)}, or set env.backend=gymnasium"
        )
    ramps = config.id in RAMPING
    _check_settings(config, [name for name in ARGUMENTS if ramps or name != "difficulty_ramping"])
    arguments = {argument: getattr(config, name) for name, argument in ARGUMENTS.items()}
    given = {argument: value for argument, value in arguments.items() if value is not None}
    return GRAPH_NATIVE[config.id](config.num_envs, **given)


def _make_on_host(config: EnvConfig, backend: str) -> Environment:
    is_atari = config.id.startswith(atari.PREFIX)
    for needed in {backend, "ale"} if is_atari and backend == "gymnasium" else {backend}:
        _check_installed(config, needed)
    if backend == "envpool" and not envpool.has(config.id):
        raise ConfigError(
            f"env.id={config.id}: not in envpool{nearest(config.id, envpool.ids())}; "
            "set env.backend=auto"
        )
    if backend == "envpool":
        return envpool.make_envpool(config)
    if backend == "ale" and not is_atari:
        raise ConfigError(f"env.backend=ale: {config.id} is no Atari game; expected ALE/Pong-v5")
    if backend == "ale":
        return atari.make_ale(config)
    if is_atari:
        return atari.make_gymnasium_atari(config)
    return _make_gymnasium(config)


def _make_gymnasium(config: EnvConfig, **settings: Any) -> Environment:
    if config.max_episode_steps is not None:
        settings["max_episode_steps"] = config.max_episode_steps
    vector_env = make_vector(config.id, config.num_envs, config.vectorization, **settings)
    limit = config.max_episode_steps or registered(config.id).max_episode_steps
    return HostEnvironment(vector_env, config.id, "gymnasium", max_episode_steps=limit)


def _check_installed(config: EnvConfig, backend: str) -> None:
    if not installed(backend):
        package, extra = EXTRAS[backend]
        raise ConfigError(
            f"env.id={config.id}: backend {config.backend} needs {package}; {install_extra(extra)}"
        )


def _check_backend_settings(config: EnvConfig, backend: str) -> None:
    if config.atari != AtariConfig() and not config.id.startswith(atari.PREFIX):
        raise ConfigError(f"env.atari: {config.id} is no Atari game; leave it out")
    for name, backends in BACKENDS_OF.items():
        if (value := getattr(config, name)) and backend not in backends:
            raise ConfigError(
                f"env.{name}={value}: backend {backend} has no such setting; leave it out, "
                f"or set env.backend={' or '.join(backends)}"
            )


def _check_host_settings(config: EnvConfig) -> None:
    is_atari = config.id.startswith(atari.PREFIX)
    known = ["max_episode_steps", *(["sticky_action_probability"] if is_atari else [])]
    _check_settings(config, known, " outside the graph")


def _check_settings(config: EnvConfig, known: Sequence[str], where: str = "") -> None:
    """Raises a ConfigError for a setting that the environment does not have.

    Args:
      config: all settings of the environment.
      known: names of the settings that it has.
      where: ends the message's claim that there is no such setting.
    """
    for name in ARGUMENTS:
        if (value := getattr(config, name)) is not None and name not in known:
            raise ConfigError(
                f"env.{name}={value}: {config.id} has no such setting{where}; leave it null"
            )
