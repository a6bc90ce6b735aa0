"""The episodes of an evaluation: which count, and what they say together."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

MAX_STEPS = 100_000
"""no episode is longer, or a perfect player of a game without end would hold up the rest."""


class Evaluation(NamedTuple):
    """The episodes played."""

    returns: np.ndarray
    """`[episodes]` float64, undiscounted."""
    lengths: np.ndarray
    """`[episodes]` int64, steps."""
    cut: int = 0
    """of the episodes, those that had not ended after MAX_STEPS."""

    @property
    def mean(self) -> float:
        """The mean return."""
        return float(np.mean(self.returns))

    @property
    def standard_error(self) -> float:
        """The standard error of the mean return, s / √episodes; nan of a single episode."""
        count = len(self.returns)
        return float(np.std(self.returns, ddof=1) / np.sqrt(count)) if count > 1 else math.nan

    def summary(self) -> dict[str, Any]:
        """Returns episodes, and mean, std, median, min and max of the return, as plain numbers.

        `standard_error` is None for a single episode; `cut` is there where episodes were.
        """
        return {
            "episodes": len(self.returns),
            "mean": self.mean,
            "std": float(np.std(self.returns)),
            "standard_error": None if math.isnan(self.standard_error) else self.standard_error,
            "median": float(np.median(self.returns)),
            "min": float(np.min(self.returns)),
            "max": float(np.max(self.returns)),
            "mean_length": float(np.mean(self.lengths)),
            **({"cut": self.cut} if self.cut else {}),
        }


class Ends(NamedTuple):
    """Where episodes ended in S steps of B environments; each field `[S, B]`."""

    last: tf.Tensor
    """bool."""
    episode_return: tf.Tensor
    """float32, of the episode so far."""
    episode_length: tf.Tensor
    """int32."""


class Tally:
    """Counts the episodes of each environment, up to its quota.

    Args:
      num_envs: B.
      episodes: how many in all.
    """

    def __init__(self, num_envs: int, episodes: int) -> None:
        self._quota = [episodes // num_envs + (i < episodes % num_envs) for i in range(num_envs)]
        self.returns: list[list[float]] = [[] for _ in range(num_envs)]
        self.lengths: list[list[int]] = [[] for _ in range(num_envs)]
        self.cut = 0

    @property
    def complete(self) -> bool:
        """Whether every environment has played its quota."""
        return not any(self.left)

    @property
    def left(self) -> list[int]:
        """Episodes that each environment has still to play, `[B]`."""
        played = [len(episodes) for episodes in self.returns]
        return [quota - n for quota, n in zip(self._quota, played, strict=True)]

    @property
    def done(self) -> int:
        """Episodes played so far, in all."""
        return sum(len(episodes) for episodes in self.returns)

    def add(self, ends: Ends) -> None:
        """Counts the episodes that ended, or are cut, in some more steps."""
        for t, i in np.argwhere(ends.last | (ends.episode_length >= MAX_STEPS)):
            if len(self.returns[i]) == self._quota[i]:
                continue
            self.returns[i].append(float(ends.episode_return[t, i]))
            self.lengths[i].append(int(ends.episode_length[t, i]))
            if not ends.last[t, i]:
                self._quota[i] = len(self.returns[i])
                self.cut += 1
