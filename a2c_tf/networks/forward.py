"""The network over one step of B environments, and over a trajectory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from a2c_tf.types import CoreState, StepOutput, Trajectory


class TrajectoryOutput(NamedTuple):
    """The network's outputs over a whole trajectory."""

    parameters: tf.Tensor
    """`[T, B, P]`, of the action distribution at o_0 .. o_{T-1}."""
    value: tf.Tensor
    """`[T, B]`, at o_0 .. o_{T-1}."""
    bootstrap_value: tf.Tensor
    """`[B]`, at o_T."""


ApplyToTrajectory = Callable[[keras.Model, Trajectory], TrajectoryOutput]


def initial_core_state(model: keras.Model, num_envs: int) -> CoreState:
    """Returns the core state before the first step: zeros `[B, S]`, or `()` without a core."""
    if "core_state" not in model.output:
        return ()
    return tf.zeros([num_envs, model.output["core_state"].shape[-1]])


def apply_policy(model: keras.Model, observation: Any, core_state: CoreState) -> StepOutput:
    """Applies the network to one step of every environment.

    Args:
      model: as `networks.make_actor_critic` makes it.
      observation: `[B, *obs]` in the environment's own dtype, or a dict of such arrays.
      core_state: `[B, S]` float32, or `()` for a memoryless network.

    Returns:
      Parameters of the action distribution, value, and the core state after the step.
    """
    if isinstance(core_state, tuple):
        output = model(observation)
        return StepOutput(output["policy"], output["value"], ())
    output = model({"observation": observation, "core_state": core_state})
    return StepOutput(output["policy"], output["value"], output["core_state"])


def apply_to_trajectory(model: keras.Model, trajectory: Trajectory) -> TrajectoryOutput:
    """Applies the network to a trajectory: both heads at o_0 .. o_{T-1}, and the value of o_T."""
    if isinstance(trajectory.core_state, tuple):
        return _apply_memoryless(model, trajectory)
    return _apply_recurrent(model, trajectory)


def _apply_memoryless(model: keras.Model, trajectory: Trajectory) -> TrajectoryOutput:
    """Applies the network to all steps as one batch."""
    first = tf.nest.map_structure(lambda x: flatten_time(x[:-1]), trajectory.observation)
    last = tf.nest.map_structure(lambda x: x[-1], trajectory.observation)  # [B, *obs]
    output = model(first)
    policy, value = (split_time(output[head], trajectory.reward) for head in ("policy", "value"))
    return TrajectoryOutput(policy, value, model(last)["value"])


def _apply_recurrent(model: keras.Model, trajectory: Trajectory) -> TrajectoryOutput:
    """Applies torso and heads to all steps as one batch, and the core step by step.

    The state goes through the row of an autoreset, whose observation is the last one of the
    episode and gives its bootstrap value, and is zero on the row after it.
    """
    torso, core, heads = (model.get_layer(name) for name in ("torso", "core", "heads"))
    observation = tf.nest.map_structure(flatten_time, trajectory.observation)
    mask = tf.concat([trajectory.mask, tf.ones_like(trajectory.mask[:1])], axis=0)  # [T+1, B]
    streams = [split_time(features, mask) for features in tf.nest.flatten(torso(observation))]
    core_state, steps = trajectory.core_state, []
    for t in range(mask.shape[0]):
        *features, core_state = core([*(stream[t] for stream in streams), core_state])
        core_state *= mask[t][:, tf.newaxis]
        steps.append(features)
    remembered = [flatten_time(tf.stack(x)) for x in zip(*steps, strict=True)]  # [(T+1)·B, F]
    output = heads(remembered if len(remembered) > 1 else remembered[0])
    policy, value = (split_time(output[head], mask) for head in ("policy", "value"))
    return TrajectoryOutput(policy[:-1], value[:-1], value[-1])


def flatten_time(x: tf.Tensor) -> tf.Tensor:
    """Returns `[T, B, ...]` as `[T·B, ...]`."""
    return tf.reshape(x, [-1, *x.shape[2:]])


def split_time(x: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """Returns `[T·B, ...]` as `[T, B, ...]`, with T and B of `like`."""
    return tf.reshape(x, [*like.shape[:2], *x.shape[1:]])
