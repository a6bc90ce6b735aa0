"""Acting: steps of policy and environment, stacked into a trajectory. Changes no weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from a2c_tf import prng
from a2c_tf.distributions import Distribution, apply_mask
from a2c_tf.envs.base import Environment
from a2c_tf.types import (
    ActionMask,
    CoreState,
    EpisodeStatistics,
    StepOutput,
    Trajectory,
    UnrollState,
)

Policy = Callable[[Any, CoreState], StepOutput]
"""(observation `[B, *obs]`, core state) -> the network's outputs."""
ActionChoice = Callable[[tf.Tensor, ActionMask, tf.Tensor], tf.Tensor]
"""(parameters `[B, P]`, action mask, seed `[2]`) -> actions `[B, ...]`."""


class ActorStep(NamedTuple):
    """The part of a trajectory's row that the next state does not hold."""

    action: tf.Tensor
    """`[B, ...]`, the distribution's own."""
    mask: tf.Tensor
    """`[B]` float32: 0 where the action was spent on an autoreset."""
    statistics: EpisodeStatistics
    """of the episodes that ended with this step."""


StepActor = Callable[[UnrollState, StepOutput], tuple[UnrollState, ActorStep]]
"""(state, the network's outputs there) -> (next state, row)."""


def initial_state(
    env: Environment, env_seed: tf.Tensor, action_seed: tf.Tensor, core_state: CoreState = ()
) -> UnrollState:
    """Starts an episode in every environment.

    Args:
      env: B environments.
      env_seed: `[2]` int32, of the environments.
      action_seed: `[2]` int32, of the action noise.
      core_state: `[B, S]` float32 of a recurrent policy, or `()`.

    Returns:
      The state before the first unroll.
    """
    env_state, time_step = env.reset(env_seed)
    episode_return = tf.zeros([env.spec.num_envs], tf.float32)
    episode_length = tf.zeros([env.spec.num_envs], tf.int32)
    return UnrollState(
        env_state, time_step, action_seed, core_state, episode_return, episode_length
    )


def make_action_choice(
    distribution: Distribution, num_envs: int, deterministic: bool = False, noise_hold: int = 1
) -> ActionChoice:
    """Makes the function that chooses actions from the network's outputs.

    Args:
      distribution: the family that the policy head parametrises.
      num_envs: B.
      deterministic: whether actions are greedy; else they are sampled.
      noise_hold: steps for which the random numbers of the samples stay the same.

    Returns:
      (parameters `[B, P]`, action mask `[B, M]` or `()`, seed `[2]` int32) -> actions `[B, ...]`.
    """

    def choose(parameters: tf.Tensor, action_mask: ActionMask, seed: tf.Tensor) -> tf.Tensor:
        parameters = apply_mask(distribution, parameters, action_mask)
        if deterministic:
            return distribution.mode(parameters)
        noise_shape = [num_envs, distribution.noise_size]
        noise = prng.uniform(noise_shape, _hold(seed, noise_hold))
        return distribution.sample(parameters, noise)

    return choose


def make_actor_step(
    env: Environment, distribution: Distribution, choose_action: ActionChoice
) -> StepActor:
    """Makes what follows the network in a step: choose the action, step the environment, count.

    Args:
      env: B environments.
      distribution: translates actions for the environment.
      choose_action: as `make_action_choice` makes it, compiled or not.

    Returns:
      (state, the network's outputs there) -> (next state, row).
    """

    def actor_step(state: UnrollState, output: StepOutput) -> tuple[UnrollState, ActorStep]:
        action = choose_action(output.parameters, state.time_step.action_mask, state.seed)
        env_state, time_step = env.step(state.env_state, distribution.to_env_action(action))
        mask = tf.cast(~state.time_step.last, tf.float32)
        # the row of an autoreset starts the count of the next episode
        episode_return = tf.where(
            state.time_step.last, 0.0, state.episode_return + time_step.reward
        )
        episode_length = tf.where(state.time_step.last, 0, state.episode_length + 1)
        seed, core_state = prng.next_seed(state.seed), _reset_core_state(output.core_state, mask)
        next_state = UnrollState(
            env_state, time_step, seed, core_state, episode_return, episode_length
        )
        return next_state, ActorStep(action, mask, _ended_episodes(next_state))

    return actor_step


def unroll(
    actor_step: StepActor, policy: Policy, state: UnrollState, length: int
) -> tuple[UnrollState, Trajectory, EpisodeStatistics]:
    """Takes `length` steps in every environment under one policy.

    Args:
      actor_step: as `make_actor_step` makes it.
      policy: the network under the present weights.
      state: where the last unroll ended.
      length: T.

    Returns:
      The next state, the trajectory with leading `[T(+1), B]`, and the episodes that ended.
    """
    time_steps, core_state, steps, activations = [state.time_step], state.core_state, [], []
    for _ in range(length):
        output = policy(state.time_step.observation, state.core_state)
        state, step = actor_step(state, output._replace(activations=()))
        activations.append(output.activations)
        time_steps.append(state.time_step)
        steps.append(step)
    trajectory = Trajectory(
        observation=_stack([x.observation for x in time_steps]),  # [T+1, B, *obs]
        action=tf.stack([step.action for step in steps]),  # [T, B, ...]
        reward=tf.stack([x.reward for x in time_steps[1:]]),  # [T, B]
        discount=tf.stack([x.discount for x in time_steps[1:]]),  # [T, B]
        mask=tf.stack([step.mask for step in steps]),  # [T, B]
        last=tf.stack([x.last for x in time_steps[1:]]),  # [T, B]
        action_mask=_stack([x.action_mask for x in time_steps[:-1]]),  # [T, B, M]
        core_state=core_state,
        activations=_stack(activations),  # [T, B, ...] each
    )
    statistics = tf.nest.map_structure(lambda *x: tf.add_n(x), *[s.statistics for s in steps])
    return state, trajectory, statistics


def no_episodes() -> EpisodeStatistics:
    """Returns the statistics before any episode ended."""
    return EpisodeStatistics(tf.zeros([]), tf.zeros([]), tf.zeros([]))


def _hold(seed: tf.Tensor, steps: int) -> tf.Tensor:
    """Returns the same seed `[2]` for that number of steps in a row."""
    return seed if steps == 1 else tf.stack([seed[0], seed[1] // steps])  # [2]


def _reset_core_state(core_state: CoreState, mask: tf.Tensor) -> CoreState:
    """Returns zeros after the row of an autoreset, which the state itself still went through."""
    return core_state if isinstance(core_state, tuple) else core_state * mask[:, tf.newaxis]


def _stack(rows: list[Any]) -> Any:
    """Returns the leaves of the rows, `[B, ...]` each, with leading `[T, B]`."""
    return tf.nest.map_structure(lambda *x: tf.stack(x), *rows)


def _ended_episodes(state: UnrollState) -> EpisodeStatistics:
    """Returns the sums over the episodes that ended on arriving in the state."""
    last = tf.cast(state.time_step.last, tf.float32)
    return EpisodeStatistics(
        episodes=tf.reduce_sum(last),
        return_sum=tf.reduce_sum(last * state.episode_return),
        length_sum=tf.reduce_sum(last * tf.cast(state.episode_length, tf.float32)),
    )
