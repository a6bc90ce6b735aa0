"""The user's own factories and wrappers of gymnasium environments, by their names."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium

from a2c_tf.config import WrapperConfig, nearest
from a2c_tf.envs.registration import import_module
from a2c_tf.errors import ConfigError

Wrap = Callable[[gymnasium.Env], gymnasium.Env]


def wrap_by(wrappers: Sequence[WrapperConfig], first: Wrap | None = None) -> Wrap | None:
    """Returns what puts the wrappers around an environment; None where there is nothing to do.

    Args:
      wrappers: the innermost first; each is looked up at once, so that none is missing later.
      first: puts others around it before them.

    Returns:
      A picklable function.

    Raises:
      ConfigError: for a name that leads to no wrapper.
    """
    for wrapper in wrappers:
        _find(wrapper.name)
    return functools.partial(_wrap, tuple(wrappers), first) if wrappers else first


def find_factory(path: str) -> Callable[..., Any]:
    """Returns the function at `my_module:make`.

    Raises:
      ConfigError: where there is none.
    """
    return _attribute("env.factory", path)


def make_by_factory(
    path: str, kwargs: dict[str, Any], max_episode_steps: int | None = None
) -> gymnasium.Env:
    """Returns the environment that a factory makes.

    Args:
      path: of the factory, `my_module:make`.
      kwargs: its arguments; `render_mode` is left out where it takes none.
      max_episode_steps: after which episodes are truncated; None: the environment's own limit.

    Returns:
      The environment, in a `TimeLimit` if there is a limit.

    Raises:
      ConfigError: where there is no factory, or it returns something else.
    """
    factory = find_factory(path)
    known = inspect.signature(factory).parameters.values()
    takes_any = any(p.kind is p.VAR_KEYWORD for p in known)
    if not takes_any and "render_mode" not in [p.name for p in known]:
        kwargs = {name: value for name, value in kwargs.items() if name != "render_mode"}
    env = factory(**kwargs)
    if not isinstance(env, gymnasium.Env):
        raise ConfigError(f"env.factory={path}: returned {env!r}; expected a gymnasium.Env")
    return gymnasium.wrappers.TimeLimit(env, max_episode_steps) if max_episode_steps else env


def _wrap(
    wrappers: tuple[WrapperConfig, ...], first: Wrap | None, env: gymnasium.Env
) -> gymnasium.Env:
    env = first(env) if first else env
    for wrapper in wrappers:
        try:
            wrapped = _find(wrapper.name)(env, **wrapper.kwargs)
        except Exception as error:  # the user's code may raise anything
            reason = " ".join(str(error).split())
            raise ConfigError(
                f"env.wrappers: {wrapper.name} raised {type(error).__name__}: {reason}"
            ) from error
        if not isinstance(wrapped, gymnasium.Env):
            raise ConfigError(
                f"env.wrappers: {wrapper.name} returned {wrapped!r}; expected a gymnasium.Env"
            )
        env = wrapped
    return env


def _find(name: str) -> Callable[..., Any]:
    if ":" in name:
        return _attribute("env.wrappers", name)
    if name in gymnasium.wrappers.__all__:
        wrapper: Callable[..., Any] = getattr(gymnasium.wrappers, name)
        return wrapper
    hint = nearest(name, gymnasium.wrappers.__all__)
    raise ConfigError(
        f"env.wrappers: gymnasium.wrappers has no {name}{hint}; "
        "expected one of its names, or my_module:MyWrapper"
    )


def _attribute(setting: str, path: str) -> Callable[..., Any]:
    """Returns what `module:name` names, which can be called."""
    module, _, name = path.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"{setting}={path}: {error}; expected my_module:name") from None
    except Exception as error:  # the user's module may raise anything
        raise ConfigError(f"{setting}={path}: raised {type(error).__name__}: {error}") from None
    if not callable(found):
        raise ConfigError(f"{setting}={path}: received {found!r}; expected a function or class")
    function: Callable[..., Any] = found
    return function
