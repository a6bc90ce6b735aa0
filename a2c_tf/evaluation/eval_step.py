"""The step of an agent that is scored, and many of them in one compiled call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from a2c_tf.acceleration.compilation import EVALUATION, EVALUATION_ON_HOST
from a2c_tf.acceleration.sharding import shard_policy
from a2c_tf.agent import Agent
from a2c_tf.config import Config
from a2c_tf.envs.base import Environment
from a2c_tf.evaluation.tally import Ends
from a2c_tf.types import StepOutput, UnrollState
from a2c_tf.unroll import make_action_choice, make_actor_step

STEPS_PER_CALL = 100

EvalStep = Callable[[UnrollState, tf.Tensor], UnrollState]
"""One step of every environment: network, action, environment. The second argument is a bool:
whether actions are greedy, else they are sampled."""


def make_eval_step(env: Environment, agent: Agent, config: Config, num_shards: int = 1) -> EvalStep:
    """Makes the step of an agent that is scored and learns nothing.

    Args:
      env: what is stepped.
      agent: as it is at the time of each call.
      config: for `a2c.noise_hold`.
      num_shards: of the batch, which the network runs in side by side.

    Returns:
      (state, whether actions are greedy) -> next state, to be traced into a graph.
    """
    compilation = EVALUATION if env.spec.backend == "graph" else EVALUATION_ON_HOST
    greedy, sampled = (
        make_action_choice(agent.distribution, env.spec.num_envs, mode, config.a2c.noise_hold)
        for mode in (True, False)
    )
    policy = shard_policy(agent.policy, num_shards)

    def act(state: UnrollState, output: StepOutput, deterministic: tf.Tensor) -> UnrollState:
        def choose_action(*arguments: Any) -> tf.Tensor:
            return tf.cond(deterministic, lambda: greedy(*arguments), lambda: sampled(*arguments))

        return make_actor_step(env, agent.distribution, choose_action)(state, output)[0]

    compiled = compilation.actor_step(act)

    def eval_step(state: UnrollState, deterministic: tf.Tensor) -> UnrollState:
        output = policy(state.time_step.observation, state.core_state)
        return compiled(state, output, deterministic)

    return eval_step


def make_many_steps(
    eval_step: EvalStep,
) -> Callable[[UnrollState, tf.Tensor, tf.Tensor, tf.Tensor], tuple[UnrollState, Ends]]:
    """Makes the compiled call of up to STEPS_PER_CALL steps.

    It ends sooner after `steps` of them, or where no environment has an episode `left` [B].
    """

    def many_steps(
        state: UnrollState, deterministic: tf.Tensor, left: tf.Tensor, steps: tf.Tensor
    ) -> tuple[UnrollState, Ends]:
        def goes_on(t: tf.Tensor, state: UnrollState, left: tf.Tensor, *_: Any) -> tf.Tensor:
            return (t < steps) & tf.reduce_any(left > 0)

        def step(
            t: tf.Tensor, state: UnrollState, left: tf.Tensor, arrays: list[tf.TensorArray]
        ) -> tuple[tf.Tensor, UnrollState, tf.Tensor, list[tf.TensorArray]]:
            state = eval_step(state, deterministic)
            row = (state.time_step.last, state.episode_return, state.episode_length)
            arrays = [a.write(t, x) for a, x in zip(arrays, row, strict=True)]
            return t + 1, state, left - tf.cast(state.time_step.last, tf.int32), arrays

        # rows that are not written stay 0: no episode ends there
        arrays = [
            tf.TensorArray(dtype, STEPS_PER_CALL, element_shape=left.shape)
            for dtype in (tf.bool, tf.float32, tf.int32)
        ]
        _, state, _, arrays = tf.while_loop(goes_on, step, (tf.constant(0), state, left, arrays))
        return state, Ends(*(array.stack() for array in arrays))  # [STEPS_PER_CALL, B] each

    return EVALUATION.loop(many_steps)
