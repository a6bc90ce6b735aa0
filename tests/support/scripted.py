"""A gymnasium environment whose episodes end as a script says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium.vector import SyncVectorEnv


class Episode(NamedTuple):
    """When and how an episode ends."""

    length: int
    terminated: bool
    truncated: bool


class Scripted(gymnasium.Env):
    """Observes (episode from 1, step), rewards the action by its index, and counts its resets."""

    def __init__(self, script: Sequence[Episode], dtype: Any = np.int16) -> None:
        self.observation_space = gymnasium.spaces.Box(0, 99, (2,), dtype)
        self.action_space = gymnasium.spaces.Discrete(10)
        self.script, self.resets, self.steps, self.closed = script, 0, 0, False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.resets, self.steps = self.resets + 1, 0
        return self._observe(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        episode = self.script[(self.resets - 1) % len(self.script)]
        ends = self.steps == episode.length
        terminated, truncated = ends and episode.terminated, ends and episode.truncated
        return self._observe(), float(action), terminated, truncated, {}

    def close(self) -> None:
        self.closed = True

    def _observe(self) -> np.ndarray:
        return np.array([self.resets, self.steps], self.observation_space.dtype)


def scripted_vector(
    scripts: Sequence[Sequence[Episode]], dtype: Any = np.int16, **settings: Any
) -> SyncVectorEnv:
    def maker(script: Sequence[Episode]) -> Callable[[], Scripted]:
        return lambda: Scripted(script, dtype)

    return SyncVectorEnv([maker(script) for script in scripts], **settings)
