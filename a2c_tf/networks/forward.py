"""The network over one step of B environments, and over a trajectory."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from a2c_tf.acceleration import activation_reuse, sharding
from a2c_tf.types import CoreState, Kept, StepOutput, Trajectory


class TrajectoryOutput(NamedTuple):
    """What the network says of a whole trajectory."""

    parameters: tf.Tensor
    """`[T, B, P]`."""
    value: tf.Tensor
    """`[T, B]`."""
    bootstrap_value: tf.Tensor
    """`[B]`, of o_T."""


def initial_core_state(model: keras.Model, num_envs: int) -> CoreState:
    """What a policy remembers before its first step: zeros, or nothing."""
    if "core_state" not in model.output:
        return ()
    return tf.zeros([num_envs, model.output["core_state"].shape[-1]])


def step(model: keras.Model, observation: Any, core_state: CoreState) -> StepOutput:
    """One step of the network."""
    if isinstance(core_state, tuple):
        output = model(observation)
        return StepOutput(output["policy"], output["value"], ())
    output = model({"observation": observation, "core_state": core_state})
    return StepOutput(output["policy"], output["value"], output["core_state"])


def keeping_step(model: keras.Model, observation: Any, core_state: CoreState) -> StepOutput:
    """One step of a memoryless network that `replay` knows, and what its layers gave."""
    output, kept = activation_reuse.act(model, observation)
    return StepOutput(output["policy"], output["value"], core_state, tuple(kept))


def over_trajectory(
    model: keras.Model, trajectory: Trajectory, num_shards: int = 1
) -> TrajectoryOutput:
    """Both heads at o_0 .. o_{T-1}, and the value of o_T, of so many shards side by side."""
    if num_shards == 1:
        return _over_whole(model, trajectory)
    parts = [_over_whole(model, part) for part in sharding.divide(trajectory, num_shards)]
    return TrajectoryOutput(
        parameters=tf.concat([part.parameters for part in parts], axis=1),
        value=tf.concat([part.value for part in parts], axis=1),
        bootstrap_value=tf.concat([part.bootstrap_value for part in parts], axis=0),
    )


def _over_whole(model: keras.Model, trajectory: Trajectory) -> TrajectoryOutput:
    if isinstance(trajectory.core_state, tuple):
        return _memoryless(model, trajectory)
    return _recurrent(model, trajectory)


def _memoryless(model: keras.Model, trajectory: Trajectory) -> TrajectoryOutput:
    """All steps as one batch."""
    first = tf.nest.map_structure(lambda x: x[:-1], trajectory.observation)
    last = tf.nest.map_structure(lambda x: x[-1], trajectory.observation)
    output = _over(model, tf.nest.map_structure(_flat, first), trajectory.kept)
    policy, value = (_rows(output[head], trajectory.reward) for head in ("policy", "value"))
    return TrajectoryOutput(policy, value, model(last)["value"])


def _over(model: keras.Model, observation: Any, kept: Kept) -> dict[str, tf.Tensor]:
    """The whole batch from what acting has kept, or anew."""
    if not activation_reuse.is_possible(model):
        return model(observation)
    return activation_reuse.learn(model, observation, [_flat(x) for x in kept])


def _recurrent(model: keras.Model, trajectory: Trajectory) -> TrajectoryOutput:
    """Torso and heads take all steps as one batch, the core one after the other.

    The state goes through the row of an autoreset, whose observation is the last one of the
    episode and gives its bootstrap value, and is zero on the row after it.
    """
    torso, core, heads = (model.get_layer(name) for name in ("torso", "core", "heads"))
    observation = tf.nest.map_structure(_flat, trajectory.observation)
    mask = tf.concat([trajectory.mask, tf.ones_like(trajectory.mask[:1])], axis=0)  # [T+1, B]
    streams = [_rows(features, mask) for features in tf.nest.flatten(torso(observation))]
    core_state, steps = trajectory.core_state, []
    for t in range(mask.shape[0]):
        *features, core_state = core([*(stream[t] for stream in streams), core_state])
        core_state *= mask[t][:, tf.newaxis]
        steps.append(features)
    remembered = [_flat(tf.stack(stream)) for stream in zip(*steps, strict=True)]
    output = heads(remembered if len(remembered) > 1 else remembered[0])
    policy, value = (_rows(output[head], mask) for head in ("policy", "value"))
    return TrajectoryOutput(policy[:-1], value[:-1], value[-1])


def _flat(x: tf.Tensor) -> tf.Tensor:
    """`[T, B, ...]` as `[T·B, ...]`."""
    return tf.reshape(x, [-1, *x.shape[2:]])


def _rows(x: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """`[T·B, ...]` as `[T, B, ...]`, with T and B of `like`."""
    return tf.reshape(x, [*like.shape[:2], *x.shape[1:]])
