"""From a config to the objects of a run: agent, learner, training loop, evaluation."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from a2c_tf import (
    checkpointing,
    distributions,
    evaluation,
    forward,
    networks,
    observations,
    optimizers,
    precision,
    replay,
    shards,
    train_step,
)
from a2c_tf.config import Config, ConfigError
from a2c_tf.distributions import Distribution
from a2c_tf.envs import registry
from a2c_tf.envs.base import Environment
from a2c_tf.forward import StepOutput
from a2c_tf.inspection import Inspector
from a2c_tf.learner import Learner, Running, Schedules
from a2c_tf.losses import LossWeights
from a2c_tf.normalization import RewardScale
from a2c_tf.schedules import make_schedule
from a2c_tf.types import CoreState, EnvSpec, UnrollState
from a2c_tf.unroll import Advance, initial_state, make_advance


class Seeds(NamedTuple):
    """Independent seeds that follow from the one of the run; each but `weights` `[2]` int32."""

    weights: int
    env: tf.Tensor
    action: tf.Tensor


class Agent(NamedTuple):
    """What acts: a network and the meaning of its policy head."""

    spec: EnvSpec
    distribution: Distribution
    model: keras.Model

    @property
    def is_recurrent(self) -> bool:
        """Whether it remembers."""
        return "core_state" in self.model.output

    def policy(self, observation: Any, core_state: CoreState) -> StepOutput:
        """What the network says of `[B, *obs]`."""
        return forward.step(self.model, observation, core_state)

    def keeping_policy(self, observation: Any, core_state: CoreState) -> StepOutput:
        """The same, and what the layers of the network gave."""
        return forward.keeping_step(self.model, observation, core_state)

    def start(self, env: Environment, seeds: Seeds) -> UnrollState:
        """The agent at the start of an episode in every environment, remembering nothing."""
        core_state = forward.initial_core_state(self.model, env.spec.num_envs)
        return initial_state(env, seeds.env, seeds.action, core_state)


def make_seeds(seed: int, *purpose: int) -> Seeds:
    """The seeds of a run, or of the part of it that `purpose` numbers."""
    words = np.random.SeedSequence([seed, *purpose]).generate_state(5).view(np.int32)
    return Seeds(int(words[0]) & 0x7FFFFFFF, tf.constant(words[1:3]), tf.constant(words[3:5]))


def make_agent(spec: EnvSpec, config: Config) -> Agent:
    """A freshly initialised agent for the environment.

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


def load_agent(config: Config, checkpoint: checkpointing.Checkpoint) -> Agent:
    """The agent as the checkpoint holds it."""
    agent = make_agent(registry.make(config.env).spec, config)
    checkpointing.restore(agent.model.weights, checkpoint.model)
    return agent


def make_training(
    env: Environment, agent: Agent, config: Config
) -> tuple[Learner, train_step.TrainStep]:
    """The learner, and the compiled step that unrolls and updates."""
    try:
        mode = train_step.choose_mode(
            config.run.compile,
            env.spec.backend == "graph",
            networks.has_convolutions(agent.model),
        )
    except ValueError as error:
        raise ConfigError(str(error)) from None
    a2c = config.a2c
    num_shards = count_shards(env.spec, mode)
    scale = RewardScale(env.spec.num_envs, a2c.gamma) if a2c.scale_reward else None
    learner = Learner(
        agent.model,
        optimizers.make_optimizer(config.optimizer),
        agent.distribution,
        loss_weights(config),
        make_schedules(config),
        a2c.max_grad_norm,
        Running(networks.normalizers(agent.model, env.spec), scale),
        accelerate=mode.accelerate_edges,
        num_shards=num_shards,
    )
    advance = mode.accelerate_advance(
        make_advance(
            env,
            agent.distribution,
            noise_hold=a2c.noise_hold,
            accelerate=mode.accelerate_choice,
        )
    )
    inspector = Inspector(learner, config.run.inspect_every)
    keeps = mode.keeps_activations and replay.is_possible(agent.model)
    policy = agent.keeping_policy if keeps else agent.policy
    step = train_step.make_train_step(
        learner,
        inspector,
        shards.acting(policy, num_shards),
        advance,
        a2c.unroll_length,
        mode.whole_xla,
        functools.partial(network_scope, agent.model, config, mode),
    )
    return learner, step


def choose_threads(config: Config) -> None:
    """Readies TensorFlow, which has computed nothing yet, for a network in shards, where it pays.

    One XLA program needs no readying: its threads are its own affair.
    """
    env, convolutional = config.env, config.network.torso != "mlp" and not config.network.builder
    in_graph = env.backend == "graph" or (
        env.backend == "auto" and registry.fastest(env.id) == "graph"
    )
    mixed = config.run.compile == "mixed" or (config.run.compile == "auto" and convolutional)
    if in_graph and mixed:
        shards.give_each_a_core(env.num_envs)


def count_shards(spec: EnvSpec, mode: train_step.Mode) -> int:
    """How many shards the network runs in; one for host environments, which gained nothing."""
    return shards.count(spec.num_envs, mode.whole_xla) if spec.backend == "graph" else 1


@contextlib.contextmanager
def network_scope(model: keras.Model, config: Config, mode: train_step.Mode) -> Iterator[None]:
    """In which the network is traced for training: as precise, and compiled, as it is to be."""
    mixed = config.network.precision == "mixed_bfloat16"
    torso = networks.torso_layers(model) if mixed else []
    images = networks.image_layers(model)
    with (
        precision.computing_in_bfloat16(torso),
        observations.converting_by(mode.accelerate_edges, images),
    ):
        yield


def loss_weights(config: Config) -> LossWeights:
    """The scalars of the loss."""
    a2c = config.a2c
    lambdas = {"td": 0.0, "n_step": 1.0, "monte_carlo": 1.0, "gae": a2c.gae_lambda}
    return LossWeights(
        gamma=a2c.gamma,
        lambda_=lambdas[a2c.advantage],
        value_coef=a2c.value_coef,
        entropy_coef=a2c.entropy_coef,
        bootstrap_truncated=a2c.advantage != "monte_carlo",
        normalize_advantage=a2c.normalize_advantage,
        clip_reward=a2c.clip_reward,
    )


def make_schedules(config: Config) -> Schedules:
    """Learning rate and entropy coefficient by environment steps."""
    a2c, optimizer, total = config.a2c, config.optimizer, config.run.total_steps
    return Schedules(
        learning_rate=make_schedule(
            optimizer.learning_rate, optimizer.schedule, optimizer.milestones, total
        ),
        entropy_coef=make_schedule(
            a2c.entropy_coef, a2c.entropy_schedule, a2c.entropy_milestones, total
        ),
    )


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
        num_envs = evaluation.num_envs_for(episodes, in_graph, config.env.num_envs)
        self._env = registry.make(config.env.model_copy(update={"num_envs": num_envs}))
        advance = make_playing(self._env, agent, config, deterministic)
        policy = shards.acting(agent.policy, shards.count(num_envs) if in_graph else 1)
        self._agent = agent
        self._evaluator = evaluation.Evaluator(self._env, policy, advance, episodes)

    def play(self, seed: int) -> evaluation.Evaluation:
        """Plays the episodes that follow from `seed`."""
        return self._evaluator.evaluate(self._agent.start(self._env, playing_seeds(seed)))
