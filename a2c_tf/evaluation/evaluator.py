"""Episodes played to score an agent.

Each environment plays a quota of them, so that short episodes do not crowd out long ones.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from a2c_tf.acceleration.compilation import graph
from a2c_tf.acceleration.sharding import DEFAULT_THREADS, Threads, count_shards
from a2c_tf.agent import Agent, SeedPurpose, Seeds, make_seeds
from a2c_tf.config import Config, EnvConfig
from a2c_tf.envs import registry
from a2c_tf.envs.base import Environment
from a2c_tf.envs.host.adapter import HostEnvironment
from a2c_tf.envs.host.failures import report_errors
from a2c_tf.evaluation.eval_step import (
    STEPS_PER_CALL,
    EvalStep,
    make_eval_step,
    make_many_steps,
)
from a2c_tf.evaluation.tally import Ends, Evaluation, Tally
from a2c_tf.types import UnrollState

MAX_ENVS = 128
LONGEST_CALL = 1.0
"""seconds, after which a call on the host should come back: to report, or to be interrupted."""

Report = Callable[[int, int], None]
"""Receives the number of episodes played, and of those to be played."""


class InterruptedEvaluationError(Exception):
    """The evaluation was stopped before it was complete."""


def eval_seeds(seed: int) -> Seeds:
    """Returns the seeds of an evaluation's environments and actions."""
    return make_seeds(seed, SeedPurpose.EVALUATION)


class Evaluator:
    """Plays episodes on environments of its own; compiles once.

    Args:
      env: episodes are spread evenly over its environments.
      start: seed -> every environment at its first step.
      eval_step: as `make_eval_step` makes it.
      deterministic: whether actions are greedy where a call does not say so.
    """

    def __init__(
        self,
        env: Environment,
        start: Callable[[int], UnrollState],
        eval_step: EvalStep,
        deterministic: bool = True,
    ) -> None:
        self.env = env
        self._deterministic = deterministic
        self._start = start
        self._many_steps = make_many_steps(eval_step)
        self._one_step = graph(eval_step)

    def evaluate(
        self,
        episodes: int,
        seed: int,
        interrupted: Callable[[], bool] = lambda: False,
        deterministic: bool | None = None,
        report: Report = lambda done, asked: None,
    ) -> Evaluation:
        """Plays the episodes that follow from `seed`, and no others on gymnasium's environments.

        An episode of `tally.MAX_STEPS` counts as it is, and its environment plays no further one.

        Args:
          episodes: how many in all.
          seed: of environments and actions.
          interrupted: asked between the calls whether to stop.
          deterministic: whether actions are greedy, else they are sampled; None: as usual.
          report: called between the calls with the progress.

        Returns:
          The episodes of each environment, up to its quota.

        Raises:
          InterruptedEvaluationError: where it was interrupted.
        """
        tally = Tally(self.env.spec.num_envs, episodes)
        mode = tf.constant(self._deterministic if deterministic is None else deterministic)
        calls = _CallLength(self.env)
        with report_errors(self.env), _limited(self.env, tally):
            state = self._start(seed)
            while not tally.complete:
                if interrupted():
                    raise InterruptedEvaluationError
                left, steps = tf.constant(tally.left, tf.int32), tf.constant(calls.steps)
                state, ends = calls.timed(self._many_steps, state, mode, left, steps)
                tally.add(Ends(*(leaf.numpy() for leaf in ends)))
                report(tally.done, episodes)
        return Evaluation(np.concatenate(tally.returns), np.concatenate(tally.lengths), tally.cut)

    def episode(self, seed: int, max_steps: int) -> Iterator[UnrollState]:
        """Yields the states of one episode of the first environment, cut after `max_steps`."""
        with report_errors(self.env):
            state = self._start(seed)
            yield state
            for _ in range(max_steps):
                state = self._one_step(state, tf.constant(self._deterministic))
                yield state
                if state.time_step.last[0]:
                    return

    def close(self) -> None:
        """Closes the environments."""
        self.env.close()


class _CallLength:
    """Chooses the steps of a call: all at once, or on the host about LONGEST_CALL seconds of them.

    How many they are changes no number.
    """

    def __init__(self, env: Environment) -> None:
        self._adapts = env.spec.backend != "graph"
        self.steps = 1 if self._adapts else STEPS_PER_CALL

    def timed(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Returns `function(*arguments)`, and adapts the steps of the next call to its time."""
        start = time.perf_counter()
        result = function(*arguments)
        seconds = time.perf_counter() - start
        if self._adapts and seconds < LONGEST_CALL / 2:
            self.steps = min(2 * self.steps, STEPS_PER_CALL)
        elif self._adapts and seconds > LONGEST_CALL:
            self.steps = max(self.steps // 2, 1)
        return result


@contextlib.contextmanager
def _limited(env: Environment, tally: Tally) -> Iterator[None]:
    """Lets environments on the host play their quotas alone: each step may be dear."""
    if not isinstance(env, HostEnvironment):
        yield
        return
    env.limit_episodes(tally.left)
    try:
        yield
    finally:
        env.limit_episodes(None)


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


def make_eval_env(config: EnvConfig, episodes: int) -> Environment:
    """Makes the environments on which that number of episodes are played, to be closed."""
    in_graph = registry.backend_of(config) == "graph"
    num_envs = num_envs_for(episodes, in_graph, config.num_envs)
    return registry.make(config.model_copy(update={"num_envs": num_envs}))


def make_evaluator(
    agent: Agent,
    config: Config,
    episodes: int,
    deterministic: bool = True,
    threads: Threads = DEFAULT_THREADS,
    env: Environment | None = None,
) -> Evaluator:
    """Makes an evaluator of an agent as it is at the time of each evaluation.

    Args:
      agent: whose score.
      config: of its run.
      episodes: of the evaluations to come.
      deterministic: whether actions are greedy where a call does not say so.
      threads: of TensorFlow, for shards of the batch.
      env: environments to play on; None: it makes its own.

    Returns:
      The evaluator, to be closed with its environments.
    """
    env = env or make_eval_env(config.env, episodes)
    num_envs = env.spec.num_envs
    num_shards = count_shards(num_envs, threads) if env.spec.backend == "graph" else 1
    step = make_eval_step(env, agent, config, num_shards)
    return Evaluator(env, lambda seed: agent.start(env, eval_seeds(seed)), step, deterministic)
