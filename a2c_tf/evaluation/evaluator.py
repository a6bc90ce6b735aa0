"""Evaluation by a quota of episodes for each environment, so that short ones do not dominate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from a2c_tf.envs.base import Environment
from a2c_tf.types import UnrollState
from a2c_tf.unroll import Advance, Policy

MAX_ENVS = 128
STEPS_PER_CALL = 100
MAX_STEPS = 100_000
"""no episode is longer, or a perfect player of a game without end would hold up the rest."""


class InterruptedEvaluationError(Exception):
    """The evaluation was told to stop before it was done."""


class Evaluation(NamedTuple):
    """The episodes played."""

    returns: np.ndarray
    """`[episodes]` float64, undiscounted."""
    lengths: np.ndarray
    """`[episodes]` int64, steps."""
    cut: int = 0
    """of the episodes, those that had not ended after MAX_STEPS."""

    def summary(self) -> dict[str, Any]:
        """Episodes, and mean, std, median, min and max of the return, as plain numbers.

        `cut` is there where episodes were.
        """
        return {
            "episodes": len(self.returns),
            "mean": float(np.mean(self.returns)),
            "std": float(np.std(self.returns)),
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


def num_envs_for(episodes: int, in_graph: bool, trained_on: int) -> int:
    """As many environments as keep every quota small; on the host no more than in training."""
    return min(episodes, MAX_ENVS if in_graph else trained_on)


class Evaluator:
    """Plays episodes, spread evenly over the environments; compiles once.

    Args:
      env: as many environments as `num_envs_for(episodes)` says.
      policy: (observation, core state) -> what the network says.
      advance: greedy or sampling, as the evaluation is to be.
      episodes: how many in all.
    """

    def __init__(self, env: Environment, policy: Policy, advance: Advance, episodes: int) -> None:
        self._num_envs, self._episodes = env.spec.num_envs, episodes
        self._play = _make_play(policy, advance)

    def evaluate(
        self, state: UnrollState, interrupted: Callable[[], bool] = lambda: False
    ) -> Evaluation:
        """The episodes from `state`, every environment at its first step.

        An episode of MAX_STEPS counts as it is, and its environment plays no further one.

        Raises:
          InterruptedEvaluationError: where it is, which is asked between the calls.
        """
        tally = _Tally(self._num_envs, self._episodes)
        while not tally.complete:
            if interrupted():
                raise InterruptedEvaluationError
            state, ends = self._play(state)
            tally.add(Ends(*(leaf.numpy() for leaf in ends)))
        return Evaluation(np.concatenate(tally.returns), np.concatenate(tally.lengths), tally.cut)


class _Tally:
    """The episodes of each environment, up to its quota."""

    def __init__(self, num_envs: int, episodes: int) -> None:
        self._quota = [episodes // num_envs + (i < episodes % num_envs) for i in range(num_envs)]
        self.returns: list[list[float]] = [[] for _ in range(num_envs)]
        self.lengths: list[list[int]] = [[] for _ in range(num_envs)]
        self.cut = 0

    @property
    def complete(self) -> bool:
        return [len(episodes) for episodes in self.returns] == self._quota

    def add(self, ends: Ends) -> None:
        for t, i in np.argwhere(ends.last | (ends.episode_length >= MAX_STEPS)):
            if len(self.returns[i]) == self._quota[i]:
                continue
            self.returns[i].append(float(ends.episode_return[t, i]))
            self.lengths[i].append(int(ends.episode_length[t, i]))
            if not ends.last[t, i]:
                self._quota[i] = len(self.returns[i])
                self.cut += 1


def episode(
    policy: Policy, advance: Advance, state: UnrollState, most_steps: int
) -> Iterator[UnrollState]:
    """One episode of the first environment step by step, from `state` to its end; compiles once.

    It is cut after `most_steps`.
    """
    step = tf.function(
        lambda state: advance(state, policy(state.time_step.observation, state.core_state))[0],
        autograph=False,
    )
    yield state
    for _ in range(most_steps):
        state = step(state)
        yield state
        if state.time_step.last[0]:
            return


def _make_play(
    policy: Policy, advance: Advance
) -> Callable[[UnrollState], tuple[UnrollState, Ends]]:
    """STEPS_PER_CALL steps in one call."""

    def step(
        t: tf.Tensor, state: UnrollState, arrays: list[tf.TensorArray]
    ) -> tuple[tf.Tensor, UnrollState, list[tf.TensorArray]]:
        state, _ = advance(state, policy(state.time_step.observation, state.core_state))
        row = (state.time_step.last, state.episode_return, state.episode_length)
        return t + 1, state, [a.write(t, x) for a, x in zip(arrays, row, strict=True)]

    def play(state: UnrollState) -> tuple[UnrollState, Ends]:
        dtypes = (tf.bool, tf.float32, tf.int32)
        arrays = [tf.TensorArray(dtype, STEPS_PER_CALL) for dtype in dtypes]
        _, state, arrays = tf.while_loop(
            lambda t, *_: t < STEPS_PER_CALL, step, (tf.constant(0), state, arrays)
        )
        return state, Ends(*(array.stack() for array in arrays))

    return tf.function(play, autograph=False)
