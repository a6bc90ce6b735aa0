"""From a config to an environment: the graph-native one where there is one, else the host's."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

import gymnasium

from a2c_tf.config import AtariConfig, EnvConfig, nearest
from a2c_tf.dependencies import install_extra
from a2c_tf.envs import registration
from a2c_tf.envs.base import Environment
from a2c_tf.envs.host import atari, envpool
from a2c_tf.envs.host.adapter import HostEnvironment
from a2c_tf.envs.host.gymnasium_vector import make_vector, registered, vectorized
from a2c_tf.envs.host.wrapping import find_factory, make_by_factory, wrap_by
from a2c_tf.envs.ids import EXTRAS, all_ids, installed
from a2c_tf.envs.suggestions import hint
from a2c_tf.errors import CommandError, ConfigError
from a2c_tf.spaces import parts
from a2c_tf.types import EnvSpec

ARGUMENTS = {  # of the environments, for the settings that may be null
    "max_episode_steps": "max_episode_steps",
    "sticky_action_probability": "sticky_action_probability",
    "difficulty_ramping": "ramping",
}
BACKENDS_OF = {"vectorization": ("gymnasium",), "num_threads": ("ale", "envpool")}
"""which backends have the setting."""


def make(config: EnvConfig) -> Environment:
    """Returns the environment that `config` names, B of them; the caller closes it.

    Raises:
      ConfigError: for an id that is not known, a package that is missing, or a setting that the
        backend does not have.
      CommandError: for what a host environment raises while it is made.
    """
    backend = backend_of(config)
    _check_backend_settings(config, backend)
    try:
        if backend == "graph":
            return _make_in_graph(config)
        if backend == "gymnasium" and not (config.factory or _is_known(config.id)):
            spec = registered(config.id)  # report an unknown id before checking its settings
            if str(spec.entry_point).startswith("ale_py"):  # which gives bare frames by this name
                raise gymnasium.error.DeprecatedEnv("an Atari game by gym's name")
        _check_host_settings(config)
        return _make_on_host(config, backend)
    except CommandError:
        raise
    except Exception as error:  # the user's module and environment may raise anything
        setting = f"env.factory={config.factory}" if config.factory else f"env.id={config.id}"
        raise ConfigError(f"{setting}: {_reason(config, error)}") from error


def make_spec(config: EnvConfig) -> EnvSpec:
    """Returns the spec of the environment that `config` names, of which it makes one, not B.

    Raises:
      ConfigError, CommandError: as `make`.
    """
    alone = {"num_envs": 1, "vectorization": config.vectorization and "sync"}  # no process for it
    env = make(config.model_copy(update=alone))
    env.close()
    return env.spec._replace(num_envs=config.num_envs)


def _is_known(env_id: str) -> bool:
    """Returns whether the id is one of ours or an Atari game's."""
    return registration.is_graph_native(env_id) or env_id.startswith(atari.PREFIX)


def _reason(config: EnvConfig, error: Exception) -> str:
    """Returns what went wrong on the way to an environment, and the id meant if it is the id."""
    reason = " ".join(str(error).split()).rstrip(".")
    module, _, _ = config.id.rpartition(":")
    no_module = isinstance(error, ModuleNotFoundError) and error.name == module.partition(".")[0]
    unknown = gymnasium.error.UnregisteredEnv | gymnasium.error.DeprecatedEnv
    if type(error) is gymnasium.error.Error or no_module or isinstance(error, unknown):
        fact = re.split(r"\.? (?:Did you mean|Have you installed|Please use)", reason)[0]
        return f"{fact}; {hint(config.id, all_ids())}"
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


def backend_of(config: EnvConfig) -> str:
    """Returns the backend of the config, or the first that has its environment as it asks."""
    if config.backend != "auto":
        return config.backend
    is_customized = config.factory or config.kwargs or config.wrappers
    return "gymnasium" if is_customized else default_backend(config.id)


def default_backend(env_id: str) -> str:
    """Returns the first backend that is installed and has the environment."""
    if registration.is_graph_native(env_id):
        return "graph"
    if env_id.startswith(atari.PREFIX):
        return "envpool" if installed("envpool") and not installed("ale") else "ale"
    return "envpool" if installed("envpool") and envpool.has(env_id) else "gymnasium"


def _make_in_graph(config: EnvConfig) -> Environment:
    env_id = registration.graph_native(config.id)
    if env_id is None:
        raise ConfigError(
            f"env.id={config.id}: not in the graph"
            f"{nearest(config.id, registration.graph_native_ids())}; "
            "see python -m a2c_tf.envs, or set env.backend=gymnasium"
        )
    factory = registration.factory_of(env_id)
    _check_settings(
        config, [name for name in ARGUMENTS if registration.takes(factory, ARGUMENTS[name])]
    )
    arguments = {argument: getattr(config, name) for name, argument in ARGUMENTS.items()}
    given = {argument: value for argument, value in arguments.items() if value is not None}
    env = registration.check_made(factory(config.num_envs, **given), factory)
    env.spec = env.spec._replace(id=env_id)
    return env


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
    wrap = wrap_by(config.wrappers)
    if config.factory:
        kwargs, limit = {**config.kwargs, **settings}, config.max_episode_steps
        find_factory(config.factory)
        make_one = functools.partial(make_by_factory, config.factory, kwargs, limit)
        make = functools.partial(vectorized, make_one, config.num_envs, config.vectorization, wrap)
        return HostEnvironment(make, config.name, "gymnasium", max_episode_steps=limit)
    if config.max_episode_steps is not None:
        settings["max_episode_steps"] = config.max_episode_steps
    settings = {**config.kwargs, **settings}
    count, vectorization = config.num_envs, config.vectorization
    make = functools.partial(make_vector, config.id, count, vectorization, wrap, **settings)
    limit = config.max_episode_steps or registered(config.id).max_episode_steps
    return HostEnvironment(make, config.id, "gymnasium", max_episode_steps=limit)


def _check_installed(config: EnvConfig, backend: str) -> None:
    if not installed(backend):
        package, extra = EXTRAS[backend]
        raise ConfigError(
            f"env.id={config.id}: backend {config.backend} needs {package}; {install_extra(extra)}"
        )


def _check_backend_settings(config: EnvConfig, backend: str) -> None:
    for name in ("factory", "kwargs", "wrappers"):
        if (value := getattr(config, name)) and backend != "gymnasium":
            raise ConfigError(
                f"env.{name}: received {value!r}, which backend {backend} cannot use; "
                "set env.backend=gymnasium"
            )
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
