"""The same unroll as a loop, for trajectories too long to be written out step by step.

XLA's compile time grows with the steps written out: benchmarks/notebook/2026-11-27.md has figures.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from a2c_tf.types import EpisodeStatistics, TimeStep, Trajectory, UnrollState
from a2c_tf.unroll import Advance, Policy, Step


def long_unroll(
    advance: Advance, policy: Policy, state: UnrollState, length: int
) -> tuple[UnrollState, Trajectory, EpisodeStatistics]:
    """What `unroll.unroll` returns, from one step in a loop."""

    def one(state: UnrollState) -> tuple[UnrollState, tuple[Step, TimeStep, Any, Any]]:
        met = state.time_step
        output = policy(met.observation, state.core_state)
        state, step = advance(state, output._replace(kept=()))
        return state, (step, state.time_step, met.action_mask, output.kept)

    def body(
        t: tf.Tensor, state: UnrollState, arrays: list[tf.TensorArray], statistics: Any
    ) -> tuple[tf.Tensor, UnrollState, list[tf.TensorArray], Any]:
        state, row = one(state)
        arrays = [array.write(t, x) for array, x in zip(arrays, tf.nest.flatten(row), strict=True)]
        return t + 1, state, arrays, tf.nest.map_structure(tf.add, statistics, row[0].statistics)

    start = state
    state, row = one(state)  # the first row tells the loop what its arrays hold
    arrays = [_array_from(x, length) for x in tf.nest.flatten(row)]
    _, state, arrays, statistics = tf.while_loop(
        lambda t, *_: t < length,
        body,
        (tf.constant(1), state, arrays, row[0].statistics),
        maximum_iterations=length - 1,
    )
    rows = tf.nest.pack_sequence_as(row, [array.stack() for array in arrays])
    return state, _trajectory(start, *rows), statistics


def _array_from(first: tf.Tensor, length: int) -> tf.TensorArray:
    """Room for `length` rows like the first one."""
    return tf.TensorArray(first.dtype, length, element_shape=first.shape).write(0, first)


def _trajectory(
    start: UnrollState, steps: Step, arrived: TimeStep, action_mask: Any, kept: Any
) -> Trajectory:
    """All but `start` has leading `[T]` in every field."""
    return Trajectory(
        observation=tf.nest.map_structure(  # [T+1, B, *obs]
            lambda first, rest: tf.concat([first[tf.newaxis], rest], axis=0),
            start.time_step.observation,
            arrived.observation,
        ),
        action=steps.action,
        reward=arrived.reward,
        discount=arrived.discount,
        mask=steps.mask,
        last=arrived.last,
        action_mask=action_mask,
        core_state=start.core_state,
        kept=kept,
    )
