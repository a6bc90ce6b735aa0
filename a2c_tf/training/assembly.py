"""From a config to what trains an agent: learner, compiled training step, threads.

The one place where fast paths are chosen and handed to the plain functions that they replace.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras

from a2c_tf import networks, optimizers
from a2c_tf.acceleration.activation_reuse import ActivationReuse
from a2c_tf.acceleration.compilation import (
    Compilation,
    choose_compilation,
    compiled_image_conversion,
)
from a2c_tf.acceleration.fast_forward import FastForward, is_possible
from a2c_tf.acceleration.looped_unroll import LONGEST_WRITTEN_OUT, looped_unroll
from a2c_tf.acceleration.mixed_precision import casting_weights_once, computing_in_bfloat16
from a2c_tf.acceleration.sharding import (
    DEFAULT_THREADS,
    ONE_THREAD,
    SMALLEST_UNDER_XLA,
    Threads,
    apply_threads,
    count_shards,
    enable_sharding,
    shard_policy,
    shard_trajectory,
)
from a2c_tf.agent import Agent
from a2c_tf.config import Config
from a2c_tf.diagnostics import Diagnostics
from a2c_tf.envs import registration, registry
from a2c_tf.envs.base import Environment
from a2c_tf.errors import ConfigError
from a2c_tf.learner import Learner, RunningStatistics
from a2c_tf.networks import forward
from a2c_tf.networks.forward import ApplyToTrajectory
from a2c_tf.running_statistics import RewardScale
from a2c_tf.train_step import CollectTrajectory, TrainStep, make_train_step
from a2c_tf.training.hyperparameters import make_learner_config
from a2c_tf.types import EnvSpec
from a2c_tf.unroll import Policy, StepActor, make_action_choice, make_actor_step, unroll

NARROW = 128
"""units of a layer up to which one thread computes a small batch sooner than several."""


class Acceleration(NamedTuple):
    """The fast paths that were chosen for a run."""

    compilation: Compilation
    threads: Threads
    num_shards: int
    """of the batch, which the network runs in side by side."""
    reuses_activations: bool
    """whether the learner's forward pass is that of acting."""
    fast_forward: bool
    """whether the gradients of its products are written out."""
    in_bfloat16: bool
    """whether torsos compute in bfloat16."""

    def __str__(self) -> str:
        threads = [str(n) if n else "TensorFlow's own" for n in self.threads]
        return (
            f"{self.compilation.name}, {self.num_shards} shard{'s' * (self.num_shards > 1)}, "
            f"threads {threads[0]} intra-op and {threads[1]} inter-op"
            f"{', activations reused' * self.reuses_activations}"
            f"{', gradients written out' * self.fast_forward}"
            f"{', torsos in bfloat16' * self.in_bfloat16}"
        )


class Training(NamedTuple):
    """What trains an agent."""

    learner: Learner
    train_step: TrainStep
    acceleration: Acceleration


def make_training(
    env: Environment, agent: Agent, config: Config, threads: Threads = DEFAULT_THREADS
) -> Training:
    """Makes the learner, and the compiled step that unrolls and updates.

    Args:
      env: trained on.
      agent: trained.
      config: all settings.
      threads: of TensorFlow, as `choose_threads` returned them.

    Returns:
      The learner, the compiled step, and the fast paths that were chosen.

    Raises:
      ConfigError: where the environment does not allow what the config asks for.
    """
    chosen = choose_acceleration(env.spec, agent, config, threads)
    scope = functools.partial(network_scope, agent.model, chosen)
    policy, apply_to_trajectory = _forward(agent, chosen, scope)
    learner = Learner(
        agent.model,
        optimizers.make_optimizer(config.optimizer),
        agent.distribution,
        make_learner_config(config),
        _make_statistics(env.spec, agent, config),
        apply_to_trajectory,
        chosen.compilation.update,
    )
    actor_step = make_compiled_actor_step(env, agent, config, chosen.compilation)
    train_step = make_train_step(
        _collect(actor_step, policy, agent, config, chosen),
        Diagnostics(learner, config.run.inspect_every),
        chosen.compilation.loop,
    )
    return Training(learner, train_step, chosen)


def choose_acceleration(
    spec: EnvSpec, agent: Agent, config: Config, threads: Threads = DEFAULT_THREADS
) -> Acceleration:
    """Chooses the fast paths of training.

    Args:
      spec: of the environment.
      agent: for its network.
      config: all settings.
      threads: of TensorFlow, as `choose_threads` returned them.

    Returns:
      The fast paths.

    Raises:
      ConfigError: where the environment does not allow what the config asks for.
    """
    in_graph, convolutional = spec.backend == "graph", networks.has_convolutions(agent.model)
    try:
        compilation = choose_compilation(config.run.compile, in_graph, convolutional)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    whole, possible = compilation.is_whole, is_possible(agent.model)
    return Acceleration(
        compilation,
        threads,
        # environments on the host gained nothing from shards
        num_shards=count_shards(spec.num_envs, threads, whole) if in_graph else 1,
        reuses_activations=possible and not whole,
        fast_forward=possible and whole,
        in_bfloat16=config.network.precision == "mixed_bfloat16",
    )


def choose_threads(config: Config) -> Threads:
    """Chooses TensorFlow's threads for a run, and sets them before it computes anything.

    Returns:
      The threads in force.
    """
    env, network = config.env, config.network
    convolutional = network.torso != "mlp" and not network.builder
    in_graph = registry.backend_of(env) == "graph"
    mixed = config.run.compile == "mixed" or (config.run.compile == "auto" and convolutional)
    if in_graph and mixed:
        return apply_threads(enable_sharding(env.num_envs))
    return apply_threads(ONE_THREAD if in_graph and _is_small(config) else DEFAULT_THREADS)


def _is_small(config: Config) -> bool:
    """Returns whether no product of an MLP on a few numbers is worth a second thread."""
    network, env = config.network, config.env
    dense = network.torso == "mlp" and network.core == "none" and not network.builder
    narrow = max(network.hidden, default=0) <= NARROW and env.id not in registration.MINATAR
    return dense and narrow and env.num_envs < SMALLEST_UNDER_XLA


@contextlib.contextmanager
def network_scope(model: keras.Model, chosen: Acceleration) -> Iterator[None]:
    """Traces the network for training: in its precision, with the conversion of images compiled."""
    torso = networks.torso_layers(model) if chosen.in_bfloat16 else []
    images = networks.image_layers(model)
    with (
        computing_in_bfloat16(torso),
        compiled_image_conversion(chosen.compilation.update, images),
    ):
        yield


Scope = Callable[[], contextlib.AbstractContextManager[None]]


def _forward(agent: Agent, chosen: Acceleration, scope: Scope) -> tuple[Policy, ApplyToTrajectory]:
    """Returns the network on a step and on a trajectory, plain or by the chosen fast paths."""
    policy: Policy = agent.policy
    apply_to_trajectory: ApplyToTrajectory = forward.apply_to_trajectory
    if chosen.reuses_activations:
        with scope():
            reuse = ActivationReuse(agent.model)
        policy, apply_to_trajectory = reuse.forward_saving, reuse.forward_reusing
    if chosen.fast_forward:
        with scope():
            apply_to_trajectory = FastForward(agent.model).apply_to_trajectory
    return (
        shard_policy(policy, chosen.num_shards),  # traced within the unroll's scope
        _within(scope, shard_trajectory(apply_to_trajectory, chosen.num_shards)),
    )


def _within(scope: Scope, function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function, traced within the scope."""

    def call(*arguments: Any) -> Any:
        with scope():
            return function(*arguments)

    return call


def make_compiled_actor_step(
    env: Environment, agent: Agent, config: Config, compilation: Compilation
) -> StepActor:
    """Makes the actor step of training.

    Args:
      env: trained on.
      agent: whose actions are sampled.
      config: for `a2c.noise_hold`.
      compilation: of the step and of the choice of actions.

    Returns:
      The compiled step.
    """
    choose_action = make_action_choice(
        agent.distribution, env.spec.num_envs, noise_hold=config.a2c.noise_hold
    )
    return compilation.actor_step(
        make_actor_step(env, agent.distribution, compilation.choose_action(choose_action))
    )


def _collect(
    actor_step: StepActor, policy: Policy, agent: Agent, config: Config, chosen: Acceleration
) -> CollectTrajectory:
    """Returns the unroll of training: written out, or a loop where that would compile for long."""
    length = config.a2c.unroll_length
    is_long = chosen.compilation.is_whole and length > LONGEST_WRITTEN_OUT
    collect = functools.partial(
        looped_unroll if is_long else unroll, actor_step, policy, length=length
    )
    return _within(functools.partial(_acting_scope, agent.model, chosen), collect)


@contextlib.contextmanager
def _acting_scope(model: keras.Model, chosen: Acceleration) -> Iterator[None]:
    """Traces an unroll, in which no weight changes."""
    torso = networks.torso_layers(model) if chosen.in_bfloat16 else []
    with network_scope(model, chosen), casting_weights_once(torso):
        yield


def _make_statistics(spec: EnvSpec, agent: Agent, config: Config) -> RunningStatistics:
    a2c = config.a2c
    scale = RewardScale(spec.num_envs, a2c.gamma) if a2c.scale_reward else None
    return RunningStatistics(networks.normalizers(agent.model, spec), scale)
