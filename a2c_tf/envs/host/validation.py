"""Environments that break what they declare, found at the step where they do it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np

from a2c_tf import spaces
from a2c_tf.envs.host.declarations import undeclared
from a2c_tf.errors import NonFiniteError

LARGEST_REWARD = 1e15
"""beyond it squares of returns overflow float32."""

_SCALE_REWARD = f"expected at most {LARGEST_REWARD:.0e}; scale the rewards in a wrapper"


class ContractError(RuntimeError):
    """An environment breaks its contract; whoever knows where adds it."""


class BrokenEnvironmentError(RuntimeError):
    """An environment raised, or returned what contradicts its declaration, and where."""


@contextlib.contextmanager
def locate_errors(where: str, *passing: type[Exception]) -> Iterator[None]:
    """Raises an error of one line that says where, for any that an environment raises.

    Args:
      where: sub-environment, episode and step.
      passing: exceptions that are raised as they are.

    Raises:
      BrokenEnvironmentError: in place of the exception.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, (BrokenEnvironmentError, NonFiniteError, *passing)):
            raise
        reason = " ".join(str(error).split())
        if isinstance(error, ContractError):
            raise BrokenEnvironmentError(f"{where}: {reason}") from error
        raise BrokenEnvironmentError(f"{where} raised {type(error).__name__}: {reason}") from error


class ValidatedEnv(gymnasium.Wrapper):
    """Names the sub-environment and the step where it raises, or breaks its observation space.

    Args:
      env: the environment that is checked.
      index: the number of the sub-environment, from 0.

    Raises:
      BrokenEnvironmentError: from `reset` and `step`.
      NonFiniteError: likewise, where a number is not finite.
    """

    def __init__(self, env: gymnasium.Env, index: int) -> None:
        super().__init__(env)
        self._index, self._episode, self._step = index, 1, 0
        self._parts = spaces.parts(env.observation_space)

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        if self._step:
            self._episode, self._step = self._episode + 1, 0
        with locate_errors(self._where):
            observation, info = self.env.reset(**options)
            self._check(observation, 0.0)
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        self._step += 1
        with locate_errors(self._where):
            observation, reward, terminated, truncated, info = self.env.step(action)
            self._check(observation, reward)
        return observation, reward, terminated, truncated, info

    @property
    def _where(self) -> str:
        return f"sub-environment {self._index}, episode {self._episode}, step {self._step}"

    def _check(self, observation: Any, reward: Any) -> None:
        space = self.env.observation_space
        if isinstance(space, gymnasium.spaces.Dict) and set(space) != set(observation):
            raise ContractError(
                f"observed the keys {sorted(observation)}; expected {sorted(space)}"
            )
        arrays = [np.asarray(x) for x in spaces.arrays(space, observation)]
        for (name, part), array in zip(self._parts.items(), arrays, strict=True):
            if wrong := undeclared(part, array, part.shape or ()):
                raise ContractError(f"{name} {wrong}")
            if _has_bad(array):
                raise NonFiniteError(f"{self._where}: {name} {_not_finite(array)}")
        if not _are_numbers(reward, ()):
            raise ContractError(f"reward is {reward!r}; expected a number")
        if not np.isfinite(reward):
            raise NonFiniteError(f"{self._where}: reward is {reward}; expected a finite number")
        if abs(reward) > LARGEST_REWARD:
            raise ContractError(f"reward is {reward}; {_SCALE_REWARD}")


def check_declared(
    parts: Mapping[str, gymnasium.Space], arrays: Sequence[np.ndarray], num_envs: int, step: int
) -> None:
    """Checks what a vector environment observes, whose sub-environments are not checked each.

    Args:
      parts: the space of each array, by name.
      arrays: what was observed, in the same order.
      num_envs: B.
      step: counted from the reset of all.

    Raises:
      BrokenEnvironmentError: for another shape than `[num_envs, ...]`, or another dtype, with the
        step.
    """
    for (name, part), array in zip(parts.items(), arrays, strict=True):
        if wrong := undeclared(part, array, (num_envs, *(part.shape or ()))):
            raise BrokenEnvironmentError(f"step {step}: {name} {wrong}")


def check_rows(reward: Any, ends: Sequence[Any], num_envs: int, step: int) -> None:
    """Checks that there are a possible reward and both flags of an end for each sub-environment.

    Args:
      reward: expected to be numbers `[B]`.
      ends: terminated and truncated, expected to be bool `[B]`.
      num_envs: B.
      step: counted from the reset of all.

    Raises:
      BrokenEnvironmentError: where one is missing, with the step.
    """
    if not _are_numbers(reward, (num_envs,)):
        raise BrokenEnvironmentError(
            f"step {step}: reward is {_described(reward)}; expected numbers of shape [{num_envs}]"
        )
    rewards = np.asarray(reward)
    for index in np.flatnonzero(np.isfinite(rewards) & (np.abs(rewards) > LARGEST_REWARD)):
        raise BrokenEnvironmentError(
            f"sub-environment {index}, step {step}: reward is {rewards[index]}; {_SCALE_REWARD}"
        )
    for name, flags in zip(("terminated", "truncated"), ends, strict=True):
        array = np.asarray(flags)
        if array.shape != (num_envs,) or array.dtype != bool:
            raise BrokenEnvironmentError(
                f"step {step}: {name} is {_described(flags)}; expected bool of shape [{num_envs}]"
            )


def check_finite(name: str, array: np.ndarray, step: int) -> None:
    """Checks that the numbers of an array are finite.

    Args:
      name: of the array, for the error.
      array: `[B, ...]` in the dtype that TensorFlow receives.
      step: counted from the reset of all.

    Raises:
      NonFiniteError: for a number that is not finite, with the sub-environment and the step.
    """
    if _has_bad(array):
        index = np.argwhere(~np.isfinite(array))[0, 0]
        where = f"sub-environment {index}, step {step}"
        raise NonFiniteError(f"{where}: {name} {_not_finite(array)}")


def _are_numbers(x: Any, shape: tuple[int, ...]) -> bool:
    array = np.asarray(x)
    return array.shape == shape and array.dtype.kind in "biuf"


def _described(x: Any) -> str:
    array = np.asarray(x)
    return f"{array.dtype} of shape {list(array.shape)}"


def _has_bad(array: np.ndarray) -> bool:
    return array.dtype.kind == "f" and not np.isfinite(array).all()


def _not_finite(array: np.ndarray) -> str:
    return f"holds {array[~np.isfinite(array)][0]}; expected finite numbers"
