"""Acting: steps of policy and environment, stacked into a trajectory. Changes no weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from a2c_tf import prng
from a2c_tf.distributions import Distribution, apply_mask
from a2c_tf.envs.base import Environment
from a2c_tf.types import (
    Accelerate,
    ActionMask,
    CoreState,
    EpisodeStatistics,
    StepOutput,
    Trajectory,
    UnrollState,
)

Policy = Callable[[Any, CoreState], StepOutput]
"""(observation `[B, *obs]`, core state) -> parameters of the action distribution, core state."""


class Step(NamedTuple):
    """What the state that follows does not hold of a row, and the episodes that ended with it."""

    action: tf.Tensor
    mask: tf.Tensor
    statistics: EpisodeStatistics


Advance = Callable[[UnrollState, StepOutput], tuple[UnrollState, Step]]
"""(state, what the network says there) -> (next state, row)."""


def initial_state(
    env: Environment,
    env_seed: tf.Tensor,
    action_seed: tf.Tensor,
    core_state: CoreState = (),
) -> UnrollState:
    """Every environment at the start of an episode; the seeds are `[2]` int32."""
    env_state, time_step = env.reset(env_seed)
    num_envs = env.spec.num_envs
    return UnrollState(
        env_state=env_state,
        time_step=time_step,
        seed=action_seed,
        core_state=core_state,
        episode_return=tf.zeros([num_envs], tf.float32),
        episode_length=tf.zeros([num_envs], tf.int32),
    )


def make_advance(
    env: Environment,
    distribution: Distribution,
    deterministic: bool = False,
    noise_hold: int = 1,
    accelerate: Accelerate = lambda function: function,
) -> Advance:
    """What follows the network in a step: choose the action, step the environment, keep count.

    Args:
      env: what is stepped.
      distribution: what the network's parameters mean.
      deterministic: greedy actions; False: sampled ones.
      noise_hold: steps for which the random numbers of the samples stay the same.
      accelerate: wraps the choice of actions, many small operations on few numbers.
    """

    @accelerate
    def choose(parameters: tf.Tensor, action_mask: ActionMask, seed: tf.Tensor) -> tf.Tensor:
        parameters = apply_mask(distribution, parameters, action_mask)
        if deterministic:
            return distribution.mode(parameters)
        noise_shape = [env.spec.num_envs, distribution.noise_size]
        noise = prng.uniform(noise_shape, _held(seed, noise_hold))
        return distribution.sample(parameters, noise)

    def advance(state: UnrollState, output: StepOutput) -> tuple[UnrollState, Step]:
        action = choose(output.parameters, state.time_step.action_mask, state.seed)
        env_state, time_step = env.step(state.env_state, distribution.to_env_action(action))
        mask = tf.cast(~state.time_step.last, tf.float32)
        # the row of an autoreset starts the count of the next episode
        episode_return = tf.where(
            state.time_step.last, 0.0, state.episode_return + time_step.reward
        )
        episode_length = tf.where(state.time_step.last, 0, state.episode_length + 1)
        following = UnrollState(
            env_state=env_state,
            time_step=time_step,
            seed=prng.next_seed(state.seed),
            core_state=_forgetting(output.core_state, mask),
            episode_return=episode_return,
            episode_length=episode_length,
        )
        return following, Step(action, mask, _ended(following))

    return advance


def unroll(
    advance: Advance, policy: Policy, state: UnrollState, length: int
) -> tuple[UnrollState, Trajectory, EpisodeStatistics]:
    """`length` steps of every environment under one policy, time-major."""
    met, core_state, steps, kept = [state.time_step], state.core_state, [], []
    for _ in range(length):
        output = policy(state.time_step.observation, state.core_state)
        state, step = advance(state, output._replace(kept=()))
        kept.append(output.kept)
        met.append(state.time_step)
        steps.append(step)
    trajectory = Trajectory(
        observation=_stacked([time_step.observation for time_step in met]),  # [T+1, B, *obs]
        action=tf.stack([step.action for step in steps]),
        reward=tf.stack([time_step.reward for time_step in met[1:]]),
        discount=tf.stack([time_step.discount for time_step in met[1:]]),
        mask=tf.stack([step.mask for step in steps]),
        last=tf.stack([time_step.last for time_step in met[1:]]),
        action_mask=_stacked([time_step.action_mask for time_step in met[:-1]]),
        core_state=core_state,
        kept=_stacked(kept),
    )
    statistics = tf.nest.map_structure(lambda *x: tf.add_n(x), *[s.statistics for s in steps])
    return state, trajectory, statistics


def no_episodes() -> EpisodeStatistics:
    """The statistics before any episode ended."""
    return EpisodeStatistics(tf.zeros([]), tf.zeros([]), tf.zeros([]))


def _held(seed: tf.Tensor, steps: int) -> tf.Tensor:
    """The same seed for so many steps in a row."""
    return seed if steps == 1 else tf.stack([seed[0], seed[1] // steps])


def _forgetting(core_state: CoreState, mask: tf.Tensor) -> CoreState:
    """Zero after the row of an autoreset, which the state itself still went through."""
    return core_state if isinstance(core_state, tuple) else core_state * mask[:, tf.newaxis]


def _stacked(rows: list[Any]) -> Any:
    return tf.nest.map_structure(lambda *x: tf.stack(x), *rows)


def _ended(state: UnrollState) -> EpisodeStatistics:
    last = tf.cast(state.time_step.last, tf.float32)
    return EpisodeStatistics(
        episodes=tf.reduce_sum(last),
        return_sum=tf.reduce_sum(last * state.episode_return),
        length_sum=tf.reduce_sum(last * tf.cast(state.episode_length, tf.float32)),
    )
