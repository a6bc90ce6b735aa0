"""Measures this package; started by `benchmarks.throughput` and `benchmarks.scaling`."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import sys
from collections.abc import Callable
from typing import Any

from a2c_tf import cli

cli.import_tensorflow()

import keras
import numpy as np
import tensorflow as tf

from a2c_tf.acceleration.compilation import graph, xla
from a2c_tf.acceleration.sharding import Threads, shard_policy
from a2c_tf.agent import Agent, make_agent, make_seeds
from a2c_tf.config import Config, parse
from a2c_tf.envs import registry
from a2c_tf.envs.base import Environment
from a2c_tf.envs.host import xla_handlers
from a2c_tf.envs.host.ale import AleEnvironment
from a2c_tf.errors import CommandError
from a2c_tf.training import assembly
from a2c_tf.types import Compiler, CoreState, EnvSpec, StepOutput, TimeStep, UnrollState
from a2c_tf.unroll import ActorStep, Policy, StepActor, make_action_choice, make_actor_step
from benchmarks import flops
from benchmarks.workers import protocol
from benchmarks.workloads import ACTING, STEPPING, TRAINING, Workload


def build(workload: Workload) -> protocol.Built:
    tf.get_logger().setLevel("ERROR")  # three functions of one shape are meant to be traced
    config = make_config(workload)
    threads = assembly.choose_threads(config)
    env = registry.make(config.env)
    if not workload.has_game:
        env = NoGame(env.spec)
    agent = make_agent(env.spec, config)
    chosen = assembly.choose_acceleration(env.spec, agent, config, threads)
    makers = {
        STEPPING: lambda: make_stepping(env, agent, config),
        ACTING: lambda: _acting(env, agent, config, chosen),
        TRAINING: lambda: _training(env, agent, config, threads),
    }
    counted = flops.count(agent.model, workload.unroll_length, chosen.reuses_activations)
    return protocol.Built(makers, {**_about(threads), "operations": counted._asdict()})


def make_config(workload: Workload) -> Config:
    """Returns our settings for the workload."""
    return parse(
        {
            "env": {
                "id": workload.env_id,
                "backend": workload.backend,
                "num_envs": workload.num_envs,
            },
            "network": {
                "torso": workload.torso,
                "hidden": list(workload.hidden),
                "activation": workload.activation,
                "precision": workload.precision,
            },
            "a2c": {"unroll_length": workload.unroll_length},
            "run": {"total_steps": 10**12, "compile": workload.compile},
        }
    )


class NoGame:
    """An environment that takes no time, so that the network alone is measured.

    The same observations come, a place further at each step, and actions are rewarded by their
    numbers: or XLA would see that one acting pass serves all steps, or that it needs no pass.
    """

    def __init__(self, spec: EnvSpec) -> None:
        self.spec = spec._replace(backend="graph")
        spec.observation_space.seed(0)
        self._seen = np.stack([spec.observation_space.sample() for _ in range(spec.num_envs)])

    def reset(self, seed: tf.Tensor) -> tuple[tf.Tensor, TimeStep]:
        return self.step(tf.constant(self._seen), tf.zeros([self.spec.num_envs]))

    def step(self, state: tf.Tensor, action: tf.Tensor) -> tuple[tf.Tensor, TimeStep]:
        state, reward = tf.roll(state, 1, axis=0), tf.cast(action, tf.float32)
        going_on = tf.zeros([self.spec.num_envs], tf.bool)
        return state, TimeStep(state, reward, tf.ones_like(reward), going_on)

    def close(self) -> None:
        pass


def _training(env: Environment, agent: Agent, config: Config, threads: Threads) -> protocol.Run:
    """Training as the package does it."""
    learner, step, _ = assembly.make_training(env, agent, config, threads)
    state = agent.start(env, make_seeds(0))

    def run(updates: int) -> int:
        nonlocal state
        before = int(learner.env_steps)
        state, _ = step(state, tf.constant(updates))
        return int(learner.env_steps) - before

    return run


def _acting(
    env: Environment, agent: Agent, config: Config, chosen: assembly.Acceleration
) -> protocol.Run:
    """Network, sampled actions and environment; nothing is kept and nothing learned."""
    actor_step = assembly.make_compiled_actor_step(env, agent, config, chosen.compilation)
    scope = functools.partial(assembly.network_scope, agent.model, chosen)
    policy = shard_policy(agent.policy, chosen.num_shards)
    start = agent.start(env, make_seeds(0))
    compiler = chosen.compilation.loop
    return _looped(actor_step, policy, start, compiler, _written_out(env, config), scope)


def make_stepping(env: Environment, agent: Agent, config: Config) -> protocol.Run:
    """Returns a run of the environment alone, with random actions."""
    distribution, start = agent.distribution, agent.start(env, make_seeds(0))
    size = distribution.head_size + distribution.constant_size
    uniform = StepOutput(tf.zeros([env.spec.num_envs, size]), tf.zeros([env.spec.num_envs]), ())
    choose_action = make_action_choice(distribution, env.spec.num_envs)

    def policy(observation: Any, core_state: CoreState) -> StepOutput:
        return uniform

    if isinstance(env, AleEnvironment):  # which XLA calls
        actor_step = _unseen(make_actor_step(env, distribution, choose_action))
        return _looped(actor_step, policy, actor_step(start, uniform)[0], xla_handlers.program)
    if env.spec.backend == "graph":
        return _looped(make_actor_step(env, distribution, choose_action), policy, start, xla)
    actor_step = make_actor_step(env, distribution, xla(choose_action))
    return _looped(actor_step, policy, start, graph, _written_out(env, config))


def _unseen(actor_step: StepActor) -> StepActor:
    """Leaves the frames where ale-py has written them, since a loop of XLA's would copy them."""

    def unseen(state: UnrollState, output: StepOutput) -> tuple[UnrollState, ActorStep]:
        state, step = actor_step(state, output)
        return state._replace(time_step=state.time_step._replace(observation=())), step

    return unseen


def _written_out(env: Environment, config: Config) -> int:
    """Steps of a turn: a turn of TensorFlow's own loop costs some 150 us."""
    return 1 if env.spec.backend == "graph" else config.a2c.unroll_length


def _looped(
    actor_step: StepActor,
    policy: Policy,
    state: UnrollState,
    compiler: Compiler,
    written_out: int = 1,
    scope: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
) -> protocol.Run:
    """Returns a run of at least the given steps in one compiled call, autoresets not counted."""

    def one(i: tf.Tensor, rows: tf.Tensor, state: UnrollState) -> tuple[Any, ...]:
        for _ in range(written_out):
            output = policy(state.time_step.observation, state.core_state)
            state, step = actor_step(state, output)
            rows += tf.reduce_sum(tf.cast(step.mask, tf.int64))
        return i + written_out, rows, state

    def many(state: UnrollState, steps: tf.Tensor) -> tuple[tf.Tensor, UnrollState]:
        start = (tf.constant(0), tf.constant(0, tf.int64), state)
        with scope():
            return tf.while_loop(lambda i, *_: i < steps, one, start)[1:]

    compiled = compiler(many)

    def run(steps: int) -> int:
        nonlocal state
        rows, state = compiled(state, tf.constant(steps))
        return int(rows)

    return run


def _about(threads: Threads) -> dict[str, Any]:
    versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
    side_by_side = f", {threads.inter_op} inter-op" if threads.inter_op else ""
    return {
        "versions": {**versions, "python": platform.python_version()},
        "threads": f"{threads.intra_op or os.cpu_count()} intra-op{side_by_side}",
    }


if __name__ == "__main__":
    try:
        sys.exit(protocol.serve(build))
    except CommandError as error:
        sys.exit(f"error: {error}")
