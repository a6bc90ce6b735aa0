"""From a config to what watches an agent act: greedy or sampled steps, and whole episodes."""

from __future__ import annotations

from collections.abc import Callable

from a2c_tf import train_step
from a2c_tf.acceleration import sharding
from a2c_tf.agent import Agent, Seeds, make_seeds
from a2c_tf.config import Config
from a2c_tf.envs import registry
from a2c_tf.envs.base import Environment
from a2c_tf.envs.host.failures import report_errors
from a2c_tf.evaluation import evaluator
from a2c_tf.unroll import Advance, make_advance


def make_playing(env: Environment, agent: Agent, config: Config, deterministic: bool) -> Advance:
    """How the agent steps the environment when it is watched, and learns nothing."""
    hold = config.a2c.noise_hold
    advance = make_advance(env, agent.distribution, deterministic, hold)
    return train_step.xla(advance) if env.spec.backend == "graph" else advance


def playing_seeds(seed: int) -> Seeds:
    """Those of environments and actions then."""
    return make_seeds(seed, 1)


class Player:
    """Evaluates an agent as it is at the time, on environments of its own; compiles once."""

    def __init__(self, agent: Agent, config: Config, episodes: int, deterministic: bool) -> None:
        in_graph = agent.spec.backend == "graph"
        num_envs = evaluator.num_envs_for(episodes, in_graph, config.env.num_envs)
        self._env = registry.make(config.env.model_copy(update={"num_envs": num_envs}))
        advance = make_playing(self._env, agent, config, deterministic)
        policy = sharding.acting(agent.policy, sharding.count(num_envs) if in_graph else 1)
        self._agent = agent
        self._evaluator = evaluator.Evaluator(self._env, policy, advance, episodes)

    def play(
        self, seed: int, interrupted: Callable[[], bool] = lambda: False
    ) -> evaluator.Evaluation:
        """Plays the episodes that follow from `seed`.

        Raises:
          InterruptedEvaluationError: where it is interrupted.
        """
        with report_errors(self._env):
            start = self._agent.start(self._env, playing_seeds(seed))
            return self._evaluator.evaluate(start, interrupted)
