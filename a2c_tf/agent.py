"""From a config to an agent: a network, the meaning of its policy head, and the seeds of both."""

from __future__ import annotations

import enum
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from a2c_tf import distributions, networks
from a2c_tf.config import Config
from a2c_tf.distributions import Distribution
from a2c_tf.envs import registry
from a2c_tf.envs.base import Environment
from a2c_tf.errors import ConfigError
from a2c_tf.networks import forward
from a2c_tf.runs import checkpoints
from a2c_tf.types import CoreState, EnvSpec, StepOutput, UnrollState
from a2c_tf.unroll import initial_state


class SeedPurpose(enum.IntEnum):
    """What a part of a run draws its random numbers for."""

    TRAINING = 0
    EVALUATION = 1
    EXPORT = 2


class Seeds(NamedTuple):
    """Independent seeds that follow from the one of the run."""

    weights: int
    env: tf.Tensor
    """`[2]` int32."""
    action: tf.Tensor
    """`[2]` int32."""


class Agent(NamedTuple):
    """A network and the meaning of its policy head."""

    spec: EnvSpec
    distribution: Distribution
    model: keras.Model

    @property
    def is_recurrent(self) -> bool:
        """Whether the policy has a core state."""
        return "core_state" in self.model.output

    def policy(self, observation: Any, core_state: CoreState) -> StepOutput:
        """Applies the network to `[B, *obs]`."""
        return forward.apply_policy(self.model, observation, core_state)

    def start(self, env: Environment, seeds: Seeds) -> UnrollState:
        """Starts an episode in every environment, with zeros for the core state."""
        core_state = forward.initial_core_state(self.model, env.spec.num_envs)
        return initial_state(env, seeds.env, seeds.action, core_state)


def make_seeds(seed: int, *purpose: int) -> Seeds:
    """Returns the seeds of a run, or of a part of it.

    Args:
      seed: `run.seed`.
      purpose: a `SeedPurpose`, and what tells its parts from each other.
    """
    words = np.random.SeedSequence([seed, *purpose]).generate_state(5).view(np.int32)
    return Seeds(int(words[0]) & 0x7FFFFFFF, tf.constant(words[1:3]), tf.constant(words[3:5]))


def make_agent(spec: EnvSpec, config: Config) -> Agent:
    """Returns a freshly initialised agent for the environment.

    Raises:
      ConfigError: for spaces that network or distribution do not take.
    """
    try:
        distribution = _distribution(spec, config)
        seed = make_seeds(config.run.seed).weights
        model = networks.make_actor_critic(spec, config.network, seed)
    except ValueError as error:
        raise ConfigError(f"env.id={spec.id}: {error}") from None
    return Agent(spec, distribution, model)


def _distribution(spec: EnvSpec, config: Config) -> Distribution:
    distribution = distributions.for_space(spec.action_space, config.network.squash_actions)
    if spec.action_mask_size not in (0, distribution.mask_size):
        raise ValueError(
            f"its action masks hold {spec.action_mask_size} booleans; expected "
            f"{distribution.mask_size} for the action space {spec.action_space}"
        )
    return distribution


def load_agent(
    config: Config, checkpoint: checkpoints.Checkpoint, spec: EnvSpec | None = None
) -> Agent:
    """Returns the agent with the weights of the checkpoint.

    Args:
      config: of its run.
      checkpoint: of its run.
      spec: of its environment, where one is at hand; None: one is made to learn it.

    Returns:
      The agent.
    """
    agent = make_agent(registry.make_spec(config.env) if spec is None else spec, config)
    checkpoints.restore(agent.model.weights, checkpoint.model)
    return agent
