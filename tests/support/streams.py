"""Random streams of episodes as the environment contract delivers them."""

from __future__ import annotations

from typing import NamedTuple

import gymnasium
import numpy as np
import tensorflow as tf

from a2c_tf.types import EnvSpec, Trajectory

OBSERVATION_SIZE = 3
SPEC = EnvSpec(
    id="Stream-v0",
    backend="graph",
    num_envs=1,
    observation_space=gymnasium.spaces.Box(-9, 9, (OBSERVATION_SIZE,), np.float64),
    action_space=gymnasium.spaces.Discrete(4),
)


class Ends(NamedTuple):
    """Where episodes end: at observation t of `[T+1, B]`."""

    terminated: np.ndarray
    truncated: np.ndarray

    @property
    def last(self) -> np.ndarray:
        return self.terminated | self.truncated


def random_ends(rng: np.random.Generator, length: int, num_envs: int) -> Ends:
    """About a third of the observations end an episode, none of them right after another."""
    ends = Ends(*(np.zeros((length + 1, num_envs), bool) for _ in range(2)))
    for t in range(length + 1):
        free = ~ends.last[t - 1] if t else np.ones(num_envs, bool)
        here = free & (rng.random(num_envs) < 0.35)
        terminated = rng.random(num_envs) < 0.5
        ends.terminated[t] = here & terminated
        ends.truncated[t] = here & ~terminated
    return ends


def trajectory_of(
    rng: np.random.Generator,
    ends: Ends,
    action: np.ndarray,
    core_size: int = 0,
    dtype: tf.DType = tf.float64,
) -> Trajectory:
    """A random trajectory with these ends and actions, and a core state of that size, if any."""
    rows, num_envs = ends.last.shape
    mask = 1.0 - ends.last[:-1]
    core_state = rng.normal(size=(num_envs, core_size))
    return Trajectory(
        observation=tf.constant(rng.normal(size=(rows, num_envs, OBSERVATION_SIZE)), dtype),
        action=tf.constant(action),
        reward=tf.constant(rng.normal(size=mask.shape) * mask, dtype),
        discount=tf.constant(1.0 - ends.terminated[1:], dtype),
        mask=tf.constant(mask, dtype),
        last=tf.constant(ends.last[1:]),
        core_state=tf.constant(core_state, dtype) if core_size else (),
    )


def segments(last: np.ndarray) -> list[range]:
    """The rows of one environment's stream, last `[T+1]`, that belong to one episode each.

    The row at an episode's last observation is spent on the reset and belongs to none.
    """
    found, start = [], 0
    for t in range(len(last) - 1):
        if last[t]:
            start = t + 1
        elif last[t + 1] or t == len(last) - 2:
            found.append(range(start, t + 1))
            start = t + 1
    return found
