"""The ids of graph-native environments: ours, and those that users register.

Nothing of TensorFlow is imported until an environment is made or registered.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from a2c_tf.envs.base import GraphEnvironment

Factory = Callable[..., Any]
"""(num_envs, **settings) -> a GraphEnvironment."""

PACKAGE = "a2c_tf.envs"
MINATAR = {
    f"MinAtar/{game}-{version}": (f"minatar.{module}", game, version)
    for module, game in (
        ("asterix", "Asterix"),
        ("breakout", "Breakout"),
        ("freeway", "Freeway"),
        ("seaquest", "Seaquest"),
        ("space_invaders", "SpaceInvaders"),
    )
    for version in ("v0", "v1")
}
"""id -> module, class and version."""
BUILT_IN = {
    "Acrobot-v1": ("classic_control.acrobot", "Acrobot", None),
    "CartPole-v1": ("classic_control.cartpole", "CartPole", None),
    "Catch-v0": ("catch", "Catch", None),
    **MINATAR,
    "MountainCar-v0": ("classic_control.mountain_car", "MountainCar", None),
    "MountainCarContinuous-v0": (
        "classic_control.mountain_car",
        "MountainCarContinuous",
        None,
    ),
    "Pendulum-v1": ("classic_control.pendulum", "Pendulum", None),
}
REQUIRED = ("observation_space", "action_space")
_REGISTERED: dict[str, Factory] = {}
"""the users' own."""


def register(env_id: str, factory: Factory) -> None:
    """Makes a graph-native environment of one's own known by an id, for `env.id` and all commands.

    Registering the same class or function again replaces it, as a notebook's cell does that runs
    twice.

    Args:
      env_id: such as `MyGame-v0` or `mine/MyGame-v0`.
      factory: a subclass of `GraphEnvironment`, or a function of `num_envs` and settings that
        returns one. `env.max_episode_steps`, `env.sticky_action_probability` and
        `env.difficulty_ramping` reach it as `max_episode_steps`, `sticky_action_probability` and
        `ramping`, where it has a parameter of that name.

    Raises:
      ValueError: for an id that is taken or malformed, or a class that cannot be made.
    """
    where = f"register({env_id!r}, {_named(factory)})"
    if not re.fullmatch(r"(?:[\w-]+/)?\w[\w.-]*", env_id):
        raise ValueError(f"{where}: malformed id; expected one such as MyGame-v0")
    if env_id in BUILT_IN:
        raise ValueError(f"{where}: the id is one of a2c_tf's own; choose another")
    if env_id in _REGISTERED and not _is_same(_REGISTERED[env_id], factory):
        raise ValueError(
            f"{where}: the id is taken by {_named(_REGISTERED[env_id])}; choose another"
        )
    if wrong := _what_is_wrong(factory):
        raise ValueError(f"{where}: {wrong}")
    _REGISTERED[env_id] = factory


def unregister(env_id: str) -> None:
    """Forgets an id that `register` was given; one that is not there is ignored."""
    _REGISTERED.pop(env_id, None)


def graph_native_ids() -> list[str]:
    """Returns the ids of all graph-native environments, ours first."""
    return [*BUILT_IN, *_REGISTERED]


def graph_native(env_id: str) -> str | None:
    """Returns the id by which an `env.id` is registered here; None where it is not graph-native.

    `my_module:MyGame-v0` imports the module, for what that registers.

    Raises:
      Exception: whatever the user's module raises.
    """
    module, _, name = env_id.rpartition(":")
    if not module:
        return name if name in BUILT_IN or name in _REGISTERED else None
    import_module(module)
    return name if name in _REGISTERED else None


def is_graph_native(env_id: str) -> bool:
    """Returns whether an `env.id` names a graph-native environment; False for a broken module."""
    with contextlib.suppress(Exception):  # which is reported where the environment is made
        return graph_native(env_id) is not None
    return False


def factory_of(env_id: str) -> Factory:
    """Returns what makes the environment of that registered id."""
    if env_id in _REGISTERED:
        return _REGISTERED[env_id]
    module, name, version = BUILT_IN[env_id]
    game = getattr(importlib.import_module(f"{PACKAGE}.{module}"), name)
    return functools.partial(game, version=version) if version else game


def takes(factory: Factory, argument: str) -> bool:
    """Returns whether a factory has a parameter of that name, by itself or by a base class."""
    factory = factory.func if isinstance(factory, functools.partial) else factory
    if not inspect.isclass(factory):
        return _names(factory, argument) is not False
    for base in factory.__mro__:
        init = vars(base).get("__init__")
        if init is not None and (named := _names(init, argument)) is not None:
            return named
    return False


def import_module(name: str) -> Any:
    """Imports a module of the user's, from the working directory, too.

    A console script, unlike `python -m`, does not look there.
    """
    folder = os.getcwd()  # noqa: PTH109  as sys.path has it
    if not {"", folder} & set(sys.path):
        sys.path.append(folder)
    return importlib.import_module(name)


def check_made(env: Any, factory: Factory) -> GraphEnvironment:
    """Returns what a factory has made.

    Raises:
      ValueError: where that is no graph-native environment.
    """
    from a2c_tf.envs.base import GraphEnvironment

    if not isinstance(env, GraphEnvironment):
        raise ValueError(
            f"{_named(factory)} returned {type(env).__name__}; expected an instance of a subclass "
            "of a2c_tf.envs.GraphEnvironment"
        )
    return env


def _names(function: Callable[..., Any], argument: str) -> bool | None:
    """Returns whether the function names the parameter; None where it hands on all it is given."""
    parameters = inspect.signature(function).parameters
    if argument in parameters:
        return True
    kinds = {parameter.kind for parameter in parameters.values()}
    return None if inspect.Parameter.VAR_KEYWORD in kinds else False


def _what_is_wrong(factory: Factory) -> str:
    """Returns why nothing can be made of it; empty where that is not seen from outside."""
    if not inspect.isclass(factory):
        return "" if callable(factory) else "expected a class, or a function that returns its games"
    from a2c_tf.envs.base import GraphEnvironment

    if not issubclass(factory, GraphEnvironment):
        return (
            "expected a subclass of a2c_tf.envs.GraphEnvironment; "
            "a gymnasium.Env is registered by gymnasium.register"
        )
    if missing := sorted(factory.__abstractmethods__):
        return f"the class has no {' and no '.join(missing)}; see a2c_tf.envs.GraphEnvironment"
    if factory.__init__ is not GraphEnvironment.__init__:
        return ""  # it may set them
    if lacking := [name for name in REQUIRED if not hasattr(factory, name)]:
        return f"the class has no {' and no '.join(lacking)}; expected a space of gymnasium.spaces"
    return ""


def _is_same(one: Factory, other: Factory) -> bool:
    """Returns whether both are the same, or by their names the same class or function again."""
    names = [
        (getattr(f, "__module__", None), getattr(f, "__qualname__", None)) for f in (one, other)
    ]
    is_named = names[0][1] is not None and "<lambda>" not in str(names[0][1])
    return one is other or (is_named and names[0] == names[1])


def _named(factory: Factory) -> str:
    return str(getattr(factory, "__qualname__", factory))
