"""What an environment gives over some steps, as numpy arrays with time in front."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from gymnasium.vector.utils import batch_space

from a2c_tf.envs.base import Environment
from a2c_tf.types import EnvSpec, TimeStep

Variant = Callable[[Callable[..., Any]], Callable[..., Any]]


def eager(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


@functools.lru_cache(maxsize=8)
def graph(function: Callable[..., Any]) -> Callable[..., Any]:
    """Traced once for each method of an environment: quicker than eager from some ten steps on.

    Of the latest environments only, since these live as long as what was traced of them.
    """
    return tf.function(function, autograph=False)


def xla(function: Callable[..., Any]) -> Callable[..., Any]:
    return tf.function(function, jit_compile=True)


def seed_of(key: int) -> tf.Tensor:
    return tf.constant([key, 0], tf.int32)


def random_actions(spec: EnvSpec, steps: int, seed: int = 0) -> np.ndarray:
    """`[steps, B, ...]`, integers as int32, which is what our distributions sample."""
    space = batch_space(spec.action_space, spec.num_envs)
    space.seed(seed)
    actions = np.stack([space.sample() for _ in range(steps)])
    return actions.astype(np.int32) if actions.dtype.kind == "i" else actions


def rollout(
    env: Environment, actions: Iterable[np.ndarray], seed: int = 0, variant: Variant = eager
) -> TimeStep:
    """The time steps `[T+1, B, ...]` of a reset and of T steps; row 0 is the reset's."""
    step = variant(env.step)
    state, time_step = variant(env.reset)(seed_of(seed))
    rows = [time_step]
    for action in actions:
        state, time_step = step(state, tf.constant(action))
        rows.append(time_step)
    return stack(rows)


def unrolled(env: Environment, actions: Sequence[np.ndarray], seed: int = 0) -> TimeStep:
    """The same as `rollout`, with the reset and every step inside of one `tf.function`."""

    @tf.function
    def run() -> list[TimeStep]:
        state, time_step = env.reset(seed_of(seed))
        rows = [time_step]
        for action in actions:
            state, time_step = env.step(state, tf.constant(action))
            rows.append(time_step)
        return rows

    return stack(run())


def stack(rows: Sequence[TimeStep]) -> TimeStep:
    """Time steps `[B, ...]` as one of numpy arrays `[T, B, ...]`."""
    stacked: TimeStep = tf.nest.map_structure(lambda *leaves: np.stack(leaves), *rows)
    return stacked


def assert_same(actual: Any, expected: Any, tolerance: float = 0.0) -> None:
    """Leaf by leaf: dtypes are equal, and values within `tolerance`."""
    tf.nest.assert_same_structure(actual, expected)
    for a, b in zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a.astype(float), b.astype(float), rtol=0, atol=tolerance)


def assert_in_spec(time_step: TimeStep, spec: EnvSpec) -> None:
    assert_shapes(time_step, spec)
    assert time_step.observation.dtype == spec.observation_space.dtype
    for observation in time_step.observation.numpy():
        assert spec.observation_space.contains(observation)


def assert_shapes(time_step: TimeStep, spec: EnvSpec) -> None:
    """Shapes and dtypes of everything but the observation's values."""
    assert time_step.observation.shape == (spec.num_envs, *spec.observation_space.shape)
    assert time_step.observation.dtype == tf.as_dtype(spec.observation_space.dtype)
    for leaf, dtype in zip(time_step[1:4], (tf.float32, tf.float32, tf.bool), strict=True):
        assert leaf.shape == (spec.num_envs,)
        assert leaf.dtype == dtype
    masks = tf.nest.flatten(time_step.action_mask)  # none where the environment has none
    expected = [(spec.num_envs, spec.action_mask_size)] if spec.action_mask_size else []
    assert [mask.shape for mask in masks] == expected
    assert all(mask.dtype == tf.bool for mask in masks)
