"""The same unroll as a loop, for trajectories too long to be written out step by step.

XLA's compile time grows with the steps written out: benchmarks/notebook/2026-11-27.md has figures.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from a2c_tf.types import EpisodeStatistics, TimeStep, Trajectory, UnrollState
from a2c_tf.unroll import ActorStep, Policy, StepActor

LONGEST_WRITTEN_OUT = 8
"""steps that XLA compiles in seconds, and to a program no slower than a loop."""

Row = tuple[ActorStep, TimeStep, Any, Any]
"""of a trajectory: the actor step, where it arrived, and action mask and activations before it."""


def looped_unroll(
    actor_step: StepActor, policy: Policy, state: UnrollState, length: int
) -> tuple[UnrollState, Trajectory, EpisodeStatistics]:
    """Takes `length` steps in every environment, as `unroll.unroll` does, one step in a loop.

    Args:
      actor_step: as `unroll.make_actor_step` makes it.
      policy: the network under the present weights.
      state: where the last unroll ended.
      length: T.

    Returns:
      The next state, the trajectory with leading `[T(+1), B]`, and the episodes that ended.
    """

    def one(state: UnrollState) -> tuple[UnrollState, Row]:
        before = state.time_step
        output = policy(before.observation, state.core_state)
        state, step = actor_step(state, output._replace(activations=()))
        return state, (step, state.time_step, before.action_mask, output.activations)

    def body(
        t: tf.Tensor, state: UnrollState, arrays: list[tf.TensorArray], statistics: Any
    ) -> tuple[tf.Tensor, UnrollState, list[tf.TensorArray], Any]:
        state, row = one(state)
        arrays = [array.write(t, x) for array, x in zip(arrays, tf.nest.flatten(row), strict=True)]
        return t + 1, state, arrays, tf.nest.map_structure(tf.add, statistics, row[0].statistics)

    start = state
    state, row = one(state)  # the first row defines what the loop's arrays hold
    arrays = [_array_from(x, length) for x in tf.nest.flatten(row)]
    _, state, arrays, statistics = tf.while_loop(
        lambda t, *_: t < length,
        body,
        (tf.constant(1), state, arrays, row[0].statistics),
        maximum_iterations=length - 1,
    )
    rows = tf.nest.pack_sequence_as(row, [array.stack() for array in arrays])  # [T, ...] each
    return state, _trajectory(start, rows), statistics


def _array_from(first: tf.Tensor, length: int) -> tf.TensorArray:
    """Returns an array of `length` rows like the first one, which it holds."""
    return tf.TensorArray(first.dtype, length, element_shape=first.shape).write(0, first)


def _trajectory(start: UnrollState, rows: Row) -> Trajectory:
    """Returns the trajectory of rows with leading `[T]` in every field."""
    steps, arrived, action_mask, activations = rows
    return Trajectory(
        observation=tf.nest.map_structure(
            lambda first, rest: tf.concat([first[tf.newaxis], rest], axis=0),  # [T+1, B, *obs]
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
        activations=activations,
    )
