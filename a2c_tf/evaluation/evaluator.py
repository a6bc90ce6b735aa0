"""Episodes played to score an agent.

Each environment plays a quota of them, so that short episodes do not crowd out long ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from a2c_tf.acceleration.compilation import EVALUATION, EVALUATION_ON_HOST, graph
from a2c_tf.acceleration.sharding import DEFAULT_THREADS, Threads, count_shards, shard_policy
from a2c_tf.agent import Agent, SeedPurpose, Seeds, make_seeds
from a2c_tf.config import Config
from a2c_tf.envs import registry
from a2c_tf.envs.base import Environment
from a2c_tf.envs.host.failures import report_errors
from a2c_tf.evaluation.tally import Ends, Evaluation, Tally
from a2c_tf.types import UnrollState
from a2c_tf.unroll import make_action_choice, make_actor_step

MAX_ENVS = 128
STEPS_PER_CALL = 100

EvalStep = Callable[[UnrollState], UnrollState]
"""One step of every environment: network, action, environment."""


class InterruptedEvaluationError(Exception):
    """The evaluation was stopped before it was complete."""


def eval_seeds(seed: int) -> Seeds:
    """Returns the seeds of an evaluation's environments and actions."""
    return make_seeds(seed, SeedPurpose.EVALUATION)


def make_eval_step(
    env: Environment, agent: Agent, config: Config, deterministic: bool, num_shards: int = 1
) -> EvalStep:
    """Makes the step of an agent that is scored and learns nothing.

    Args:
      env: what is stepped.
      agent: as it is at the time of each call.
      config: for `a2c.noise_hold`.
      deterministic: whether actions are greedy; else they are sampled.
      num_shards: of the batch, which the network runs in side by side.

    Returns:
      state -> next state, to be traced into a graph.
    """
    compilation = EVALUATION if env.spec.backend == "graph" else EVALUATION_ON_HOST
    choose_action = make_action_choice(
        agent.distribution, env.spec.num_envs, deterministic, config.a2c.noise_hold
    )
    actor_step = compilation.actor_step(make_actor_step(env, agent.distribution, choose_action))
    policy = shard_policy(agent.policy, num_shards)

    def eval_step(state: UnrollState) -> UnrollState:
        return actor_step(state, policy(state.time_step.observation, state.core_state))[0]

    return eval_step


class Evaluator:
    """Plays episodes on environments of its own; compiles once.

    Args:
      env: episodes are spread evenly over its environments.
      start: seed -> every environment at its first step.
      eval_step: as `make_eval_step` makes it.
    """

    def __init__(
        self, env: Environment, start: Callable[[int], UnrollState], eval_step: EvalStep
    ) -> None:
        self.env = env
        self._start = start
        self._many_steps = _make_many_steps(eval_step)
        self._one_step = graph(eval_step)

    def evaluate(
        self, episodes: int, seed: int, interrupted: Callable[[], bool] = lambda: False
    ) -> Evaluation:
        """Plays the episodes that follow from `seed`.

        An episode of `tally.MAX_STEPS` counts as it is, and its environment plays no further one.

        Args:
          episodes: how many in all.
          seed: of environments and actions.
          interrupted: asked between the calls whether to stop.

        Returns:
          The episodes of each environment, up to its quota.

        Raises:
          InterruptedEvaluationError: where it was interrupted.
        """
        tally = Tally(self.env.spec.num_envs, episodes)
        with report_errors(self.env):
            state = self._start(seed)
            while not tally.complete:
                if interrupted():
                    raise InterruptedEvaluationError
                state, ends = self._many_steps(state)
                tally.add(Ends(*(leaf.numpy() for leaf in ends)))
        return Evaluation(np.concatenate(tally.returns), np.concatenate(tally.lengths), tally.cut)

    def episode(self, seed: int, max_steps: int) -> Iterator[UnrollState]:
        """Yields the states of one episode of the first environment, cut after `max_steps`."""
        with report_errors(self.env):
            state = self._start(seed)
            yield state
            for _ in range(max_steps):
                state = self._one_step(state)
                yield state
                if state.time_step.last[0]:
                    return

    def close(self) -> None:
        """Closes the environments."""
        self.env.close()


def num_envs_for(episodes: int, in_graph: bool, trained_on: int) -> int:
    """Returns as many environments as keep every quota small.

    Args:
      episodes: of an evaluation.
      in_graph: whether TensorFlow computes the environments.
      trained_on: the number in training, which is not exceeded on the host.

    Returns:
      The number of environments.
    """
    return min(episodes, MAX_ENVS if in_graph else trained_on)


def make_evaluator(
    agent: Agent,
    config: Config,
    episodes: int,
    deterministic: bool,
    threads: Threads = DEFAULT_THREADS,
) -> Evaluator:
    """Makes environments and an evaluator of an agent as it is at the time of each evaluation.

    Args:
      agent: whose score.
      config: of its run.
      episodes: of the evaluations to come.
      deterministic: whether actions are greedy; else they are sampled.
      threads: of TensorFlow, for shards of the batch.

    Returns:
      The evaluator, to be closed.
    """
    in_graph = agent.spec.backend == "graph"
    num_envs = num_envs_for(episodes, in_graph, config.env.num_envs)
    env = registry.make(config.env.model_copy(update={"num_envs": num_envs}))
    num_shards = count_shards(num_envs, threads) if in_graph else 1
    step = make_eval_step(env, agent, config, deterministic, num_shards)
    return Evaluator(env, lambda seed: agent.start(env, eval_seeds(seed)), step)


def _make_many_steps(eval_step: EvalStep) -> Callable[[UnrollState], tuple[UnrollState, Ends]]:
    """Makes the compiled call of STEPS_PER_CALL steps."""

    def step(
        t: tf.Tensor, state: UnrollState, arrays: list[tf.TensorArray]
    ) -> tuple[tf.Tensor, UnrollState, list[tf.TensorArray]]:
        state = eval_step(state)
        row = (state.time_step.last, state.episode_return, state.episode_length)
        return t + 1, state, [a.write(t, x) for a, x in zip(arrays, row, strict=True)]

    def many_steps(state: UnrollState) -> tuple[UnrollState, Ends]:
        dtypes = (tf.bool, tf.float32, tf.int32)
        arrays = [tf.TensorArray(dtype, STEPS_PER_CALL) for dtype in dtypes]
        _, state, arrays = tf.while_loop(
            lambda t, *_: t < STEPS_PER_CALL, step, (tf.constant(0), state, arrays)
        )
        return state, Ends(*(array.stack() for array in arrays))  # [STEPS_PER_CALL, B] each

    return EVALUATION.loop(many_steps)
