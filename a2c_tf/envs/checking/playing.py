"""Some steps of an environment by random actions, as numpy arrays for the checks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from gymnasium import spaces as kinds
from gymnasium.vector.utils import batch_space

from a2c_tf.types import EnvSpec, TimeStep

PROGRESS_EVERY = 5.0
"""seconds."""
Step = Callable[[Any, tf.Tensor], tuple[Any, TimeStep]]
Reset = Callable[[tf.Tensor], tuple[Any, TimeStep]]
Report = Callable[[str], None]


class Stream(NamedTuple):
    """What an environment returned; row t + 1 follows from `actions[t]`, row 0 from a reset."""

    spec: EnvSpec
    rows: list[TimeStep]
    """of numpy arrays `[B, ...]`."""
    actions: list[np.ndarray]
    """`[B, ...]` each."""
    states: list[Any]
    """the environment's own, one for each row."""
    seconds: float
    """that the steps took after the first, which compiles."""


class Extent(NamedTuple):
    """How long to play: until the first of these."""

    steps: int
    episodes: int = 10**9
    """ends in all sub-environments together."""
    seconds: float = 3600.0


def play(
    reset: Reset,
    step: Step,
    spec: EnvSpec,
    extent: Extent,
    *,
    seed: int = 0,
    actions: Sequence[np.ndarray] | None = None,
    report: Report = lambda text: None,
) -> Stream:
    """Plays by random actions, of those that a mask allows.

    Args:
      reset: of the environment.
      step: of the environment.
      spec: of the environment.
      extent: how long.
      seed: of environment and actions.
      actions: to take instead of random ones.
      report: receives a line of progress now and then, where steps are slow.

    Returns:
      All that the environment returned.
    """
    choose = _Choice(spec, seed) if actions is None else None
    state, time_step = reset(tf.constant([seed, 0], tf.int32))
    stream = Stream(spec, [as_numpy(time_step)], [], [state], 0.0)
    episodes, stepping = 0, 0.0
    reported = started = time.perf_counter()
    while len(stream.actions) < extent.steps and episodes < extent.episodes:
        t = len(stream.actions)
        action = choose(stream.rows[-1]) if choose else (actions or ())[t]
        before = time.perf_counter()
        state, time_step = step(state, tf.constant(action))
        stream.rows.append(as_numpy(time_step))
        now = time.perf_counter()
        stepping += (now - before) * bool(t)
        stream.actions.append(action)
        stream.states.append(state)
        episodes += int(np.sum(stream.rows[-1].last))
        if now - reported > PROGRESS_EVERY:
            report(f"{t + 1} steps, {episodes} episodes, {now - started:.0f} s")
            reported = now
        if now - started > extent.seconds:
            break
    return stream._replace(seconds=stepping)


def as_numpy(structure: Any) -> Any:
    """Returns the structure with numpy arrays for its tensors."""
    return tf.nest.map_structure(np.asarray, structure)


class _Choice:
    """Draws actions uniformly; integers are int32, as those of our distributions.

    Args:
      spec: of the environment.
      seed: of the actions.
    """

    def __init__(self, spec: EnvSpec, seed: int) -> None:
        self._batch = batch_space(spec.action_space, spec.num_envs)
        self._one = spec.action_space
        self._batch.seed(seed)
        self._one.seed(seed)

    def __call__(self, time_step: TimeStep) -> np.ndarray:
        """Returns an action for each sub-environment, `[B, ...]`."""
        mask = np.asarray(time_step.action_mask)
        action = self._masked(mask) if mask.ndim == 2 else None
        drawn = np.asarray(self._batch.sample() if action is None else action)
        return drawn.astype(np.int32) if drawn.dtype.kind in "iu" else drawn

    def _masked(self, masks: np.ndarray) -> np.ndarray | None:
        """Returns allowed actions; None where masks do not fit, which a check of its own finds."""
        sizes = choice_sizes(self._one)
        if sum(sizes) != masks.shape[1]:
            return None
        rows = [np.split(mask.astype(np.int8), np.cumsum(sizes)[:-1]) for mask in masks]
        if isinstance(self._one, kinds.Discrete):
            return np.stack([self._one.sample(row[0]) for row in rows])
        return np.stack([self._one.sample(tuple(row)) for row in rows])


def choice_sizes(space: Any) -> list[int]:
    """Returns how many alternatives each choice of an action has; empty where none is masked."""
    if isinstance(space, kinds.Discrete):
        return [int(space.n)]
    if isinstance(space, kinds.MultiDiscrete) and space.nvec.ndim == 1:
        return [int(n) for n in space.nvec]
    return []
