"""From a config to what trains an agent: learner, compiled training step, threads."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator

import keras

from a2c_tf import networks, optimizers, train_step
from a2c_tf.acceleration import activation_reuse, mixed_precision, sharding
from a2c_tf.agent import Agent
from a2c_tf.config import Config
from a2c_tf.diagnostics import Inspector
from a2c_tf.envs import registry
from a2c_tf.envs.base import Environment
from a2c_tf.errors import ConfigError
from a2c_tf.learner import Learner, Running, Schedules
from a2c_tf.losses import LossWeights
from a2c_tf.networks import encoding
from a2c_tf.optimizers import make_schedule
from a2c_tf.running_statistics import RewardScale
from a2c_tf.types import EnvSpec
from a2c_tf.unroll import make_advance


def make_training(
    env: Environment, agent: Agent, config: Config
) -> tuple[Learner, train_step.TrainStep]:
    """The learner, and the compiled step that unrolls and updates."""
    mode = make_mode(env.spec, agent, config)
    learner = _make_learner(env.spec, agent, config, mode)
    choose_and_step = make_advance(
        env,
        agent.distribution,
        noise_hold=config.a2c.noise_hold,
        accelerate=mode.accelerate_choice,
    )
    policy = agent.keeping_policy if mode.keeps_activations else agent.policy
    step = train_step.make_train_step(
        learner,
        Inspector(learner, config.run.inspect_every),
        sharding.acting(policy, count_shards(env.spec, mode)),
        mode.accelerate_advance(choose_and_step),
        config.a2c.unroll_length,
        mode.whole_xla,
        functools.partial(network_scope, agent.model, config, mode),
        functools.partial(mixed_precision.casting_weights_once, _in_bfloat16(agent.model, config)),
    )
    return learner, step


def make_mode(spec: EnvSpec, agent: Agent, config: Config) -> train_step.Mode:
    """Which parts of training XLA compiles, and whether the learner has the pass of acting.

    Raises:
      ConfigError: where the environment leaves no room for what is asked.
    """
    convolutional = networks.has_convolutions(agent.model)
    try:
        mode = train_step.choose_mode(config.run.compile, spec.backend == "graph", convolutional)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    keeps = mode.keeps_activations and activation_reuse.is_possible(agent.model)
    return mode._replace(keeps_activations=keeps)


def _make_learner(spec: EnvSpec, agent: Agent, config: Config, mode: train_step.Mode) -> Learner:
    a2c = config.a2c
    scale = RewardScale(spec.num_envs, a2c.gamma) if a2c.scale_reward else None
    return Learner(
        agent.model,
        optimizers.make_optimizer(config.optimizer),
        agent.distribution,
        loss_weights(config),
        make_schedules(config),
        a2c.max_grad_norm,
        Running(networks.normalizers(agent.model, spec), scale),
        accelerate=mode.accelerate_edges,
        num_shards=count_shards(spec, mode),
    )


def choose_threads(config: Config) -> None:
    """Readies TensorFlow, which has computed nothing yet, for as many cores as pay."""
    env, convolutional = config.env, config.network.torso != "mlp" and not config.network.builder
    in_graph = env.backend == "graph" or (
        env.backend == "auto" and registry.default_backend(env.id) == "graph"
    )
    mixed = config.run.compile == "mixed" or (config.run.compile == "auto" and convolutional)
    if in_graph and mixed:
        sharding.give_each_a_core(env.num_envs)
    elif in_graph and _is_small(config):
        sharding.use_one_thread()


def _is_small(config: Config) -> bool:
    """Whether no product of an MLP on a few numbers is worth a second thread."""
    network, env = config.network, config.env
    dense = network.torso == "mlp" and network.core == "none" and not network.builder
    narrow = max(network.hidden, default=0) <= sharding.NARROW and env.id not in registry.MINATAR
    return dense and narrow and env.num_envs < sharding.SMALLEST_UNDER_XLA


def count_shards(spec: EnvSpec, mode: train_step.Mode) -> int:
    """How many shards the network runs in; one for host environments, which gained nothing."""
    return sharding.count(spec.num_envs, mode.whole_xla) if spec.backend == "graph" else 1


@contextlib.contextmanager
def network_scope(model: keras.Model, config: Config, mode: train_step.Mode) -> Iterator[None]:
    """In which the network is traced for training: as precise, and compiled, as it is to be."""
    images = networks.image_layers(model)
    with (
        mixed_precision.computing_in_bfloat16(_in_bfloat16(model, config)),
        encoding.converting_by(mode.accelerate_edges, images),
    ):
        yield


def _in_bfloat16(model: keras.Model, config: Config) -> list[keras.layers.Layer]:
    """The layers that are to compute so."""
    mixed = config.network.precision == "mixed_bfloat16"
    return networks.torso_layers(model) if mixed else []


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
