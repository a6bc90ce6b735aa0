"""Environments that break what they declare, found at the step where they do it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np

from a2c_tf import spaces


class BrokenEnvironmentError(RuntimeError):
    """An environment raised, or gave what it had declared otherwise."""


class NotFiniteError(BrokenEnvironmentError):
    """An environment gave a number that is not finite."""


class Guard(gymnasium.Wrapper):
    """Names the sub-environment and the step where it raises, or breaks its observation space.

    Args:
      env: what is watched.
      index: of the sub-environment, from 0.

    Raises:
      BrokenEnvironmentError: from `reset` and `step`; NotFiniteError where that is the fault.
    """

    def __init__(self, env: gymnasium.Env, index: int) -> None:
        super().__init__(env)
        self._index, self._episode, self._step = index, 1, 0

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        if self._step:
            self._episode, self._step = self._episode + 1, 0
        observation, info = self._watched(self.env.reset, **options)
        self._check(observation, 0.0)
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        self._step += 1
        observation, reward, terminated, truncated, info = self._watched(self.env.step, action)
        self._check(observation, reward)
        return observation, reward, terminated, truncated, info

    @property
    def _where(self) -> str:
        return f"sub-environment {self._index}, episode {self._episode}, step {self._step}"

    def _watched(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except Exception as error:
            reason = " ".join(str(error).split())
            raise BrokenEnvironmentError(
                f"{self._where} raised {type(error).__name__}: {reason}"
            ) from error

    def _check(self, observation: Any, reward: Any) -> None:
        space = self.env.observation_space
        if isinstance(space, gymnasium.spaces.Dict) and set(space) != set(observation):
            raise BrokenEnvironmentError(
                f"{self._where} observed the keys {sorted(observation)}; expected {sorted(space)}"
            )
        arrays = [np.asarray(x) for x in spaces.arrays(space, observation)]
        for (name, part), array in zip(spaces.parts(space).items(), arrays, strict=True):
            if wrong := _undeclared(part, array, part.shape or ()):
                raise BrokenEnvironmentError(f"{self._where}: {name} {wrong}")
            if _has_bad(array):
                raise NotFiniteError(f"{self._where}: {name} {_not_finite(array)}")
        if not np.isfinite(reward):
            raise NotFiniteError(f"{self._where}: reward is {reward}; expected a finite number")


def check_arrays(
    space: gymnasium.Space, arrays: Sequence[np.ndarray], reward: np.ndarray, step: int
) -> None:
    """Checks what a vector environment gives, `[B, ...]`, where each is not watched on its own.

    Raises:
      BrokenEnvironmentError: for another shape or dtype, with the step, counted from the reset
        of all.
      NotFiniteError: with the sub-environment, too.
    """
    parts = spaces.parts(space)
    for (name, part), array in zip(parts.items(), arrays, strict=True):
        if wrong := _undeclared(part, array, (len(reward), *(part.shape or ()))):
            raise BrokenEnvironmentError(f"step {step}: {name} {wrong}")
    for name, array in zip([*parts, "reward"], [*arrays, reward], strict=True):
        if _has_bad(array):
            index = np.argwhere(~np.isfinite(array))[0, 0]
            where = f"sub-environment {index}, step {step}"
            raise NotFiniteError(f"{where}: {name} {_not_finite(array)}")


def _undeclared(space: gymnasium.Space, array: np.ndarray, shape: tuple[int, ...]) -> str:
    """How the array differs from its declaration, or nothing."""
    if array.shape != shape:
        return f"has shape {list(array.shape)}; its space declares {list(shape)}"
    if not np.can_cast(array.dtype, space.dtype or array.dtype, "same_kind"):
        return f"has dtype {array.dtype}; its space declares {space.dtype}"
    return ""


def _has_bad(array: np.ndarray) -> bool:
    return array.dtype.kind == "f" and not np.isfinite(array).all()


def _not_finite(array: np.ndarray) -> str:
    return f"holds {array[~np.isfinite(array)][0]}; expected finite numbers"
