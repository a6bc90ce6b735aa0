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

from a2c_tf import train_step
from a2c_tf.acceleration import sharding
from a2c_tf.agent import Agent, make_agent, make_seeds
from a2c_tf.config import Config, parse
from a2c_tf.envs import registry
from a2c_tf.envs.base import Environment
from a2c_tf.envs.host import xla_handlers
from a2c_tf.envs.host.ale import AleEnvironment
from a2c_tf.errors import CommandError
from a2c_tf.training import assembly
from a2c_tf.types import Accelerate, CoreState, EnvSpec, StepOutput, TimeStep, UnrollState
from a2c_tf.unroll import Advance, Policy, Step, make_advance
from benchmarks import operations
from benchmarks.workers import protocol
from benchmarks.works import ACTING, STEPPING, TRAINING, Work


def build(work: Work) -> protocol.Built:
    tf.get_logger().setLevel("ERROR")  # three functions of one shape are meant to be traced
    config = make_config(work)
    assembly.choose_threads(config)
    env = registry.make(config.env)
    if not work.has_game:
        env = NoGame(env.spec)
    agent = make_agent(env.spec, config)
    mode = assembly.make_mode(env.spec, agent, config)
    makers = {
        STEPPING: lambda: make_stepping(env, agent, config),
        ACTING: lambda: _acting(env, agent, config),
        TRAINING: lambda: _training(env, agent, config),
    }
    counted = operations.count(agent.model, work.unroll_length, mode.keeps_activations)
    return protocol.Built(makers, {**_about(), "operations": counted._asdict()})


def make_config(work: Work) -> Config:
    """Our settings for the work."""
    return parse(
        {
            "env": {"id": work.env_id, "backend": work.backend, "num_envs": work.num_envs},
            "network": {
                "torso": work.torso,
                "hidden": list(work.hidden),
                "activation": work.activation,
                "precision": work.precision,
            },
            "a2c": {"unroll_length": work.unroll_length},
            "run": {"total_steps": 10**12, "compile": work.compile},
        }
    )


class NoGame:
    """What is left is the time of the network.

    The same observations come, a place further at each step, and actions are rewarded by their
    numbers: or XLA would see that one acting pass serves all steps, or none is needed.
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


def _training(env: Environment, agent: Agent, config: Config) -> protocol.Run:
    """Training as the package does it."""
    learner, step = assembly.make_training(env, agent, config)
    state = agent.start(env, make_seeds(0))

    def run(updates: int) -> int:
        nonlocal state
        before = int(learner.env_steps)
        state, _ = step(state, tf.constant(updates))
        return int(learner.env_steps) - before

    return run


def _acting(env: Environment, agent: Agent, config: Config) -> protocol.Run:
    """Network, sampled actions and environment; nothing is kept and nothing learned."""
    mode = assembly.make_mode(env.spec, agent, config)
    choice = make_advance(env, agent.distribution, accelerate=mode.accelerate_choice)
    advance = mode.accelerate_advance(choice)
    scope = functools.partial(assembly.network_scope, agent.model, config, mode)
    policy = sharding.acting(agent.policy, assembly.count_shards(env.spec, mode))
    compiling = train_step.xla if mode.whole_xla else _in_graph
    start = agent.start(env, make_seeds(0))
    return _looped(advance, policy, start, compiling, _written_out(env, config), scope)


def make_stepping(env: Environment, agent: Agent, config: Config) -> protocol.Run:
    """The environment alone, with random actions."""
    distribution, start = agent.distribution, agent.start(env, make_seeds(0))
    size = distribution.head_size + distribution.free_size
    uniform = StepOutput(tf.zeros([env.spec.num_envs, size]), tf.zeros([env.spec.num_envs]), ())

    def policy(observation: Any, core_state: CoreState) -> StepOutput:
        return uniform

    if isinstance(env, AleEnvironment):  # which XLA calls
        advance = _unseen(make_advance(env, distribution))
        return _looped(advance, policy, advance(start, uniform)[0], xla_handlers.program)
    if env.spec.backend == "graph":
        return _looped(make_advance(env, distribution), policy, start, train_step.xla)
    advance = make_advance(env, distribution, accelerate=train_step.xla)
    return _looped(advance, policy, start, _in_graph, _written_out(env, config))


def _in_graph(function: Callable[..., Any]) -> Callable[..., Any]:
    return tf.function(function, autograph=False)


def _unseen(advance: Advance) -> Advance:
    """Leaves the frames where ale-py has written them, since a loop of XLA's would copy them."""

    def unseen(state: UnrollState, output: StepOutput) -> tuple[UnrollState, Step]:
        state, step = advance(state, output)
        return state._replace(time_step=state.time_step._replace(observation=())), step

    return unseen


def _written_out(env: Environment, config: Config) -> int:
    """Steps of a turn: a turn of TensorFlow's own loop costs some 150 us."""
    return 1 if env.spec.backend == "graph" else config.a2c.unroll_length


def _looped(
    advance: Advance,
    policy: Policy,
    state: UnrollState,
    compiling: Accelerate,
    written_out: int = 1,
    scope: train_step.Scope = contextlib.nullcontext,
) -> protocol.Run:
    """Runs at least so many steps in one compiled call, autoresets not counted."""

    def one(i: tf.Tensor, rows: tf.Tensor, state: UnrollState) -> tuple[Any, ...]:
        for _ in range(written_out):
            output = policy(state.time_step.observation, state.core_state)
            state, step = advance(state, output)
            rows += tf.reduce_sum(tf.cast(step.mask, tf.int64))
        return i + written_out, rows, state

    def many(state: UnrollState, steps: tf.Tensor) -> tuple[tf.Tensor, UnrollState]:
        start = (tf.constant(0), tf.constant(0, tf.int64), state)
        with scope():
            return tf.while_loop(lambda i, *_: i < steps, one, start)[1:]

    compiled = compiling(many)

    def run(steps: int) -> int:
        nonlocal state
        rows, state = compiled(state, tf.constant(steps))
        return int(rows)

    return run


def _about() -> dict[str, Any]:
    versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
    return {
        "versions": {**versions, "python": platform.python_version()},
        "threads": _threads(),
    }


def _threads() -> str:
    """Of each operation, and operations at a time where that was chosen."""
    threading = tf.config.threading
    intra, inter = (
        threading.get_intra_op_parallelism_threads(),
        threading.get_inter_op_parallelism_threads(),
    )
    side_by_side = f", {inter} inter-op" if inter else ""
    return f"{intra or os.cpu_count()} intra-op{side_by_side}"


if __name__ == "__main__":
    try:
        sys.exit(protocol.serve(build))
    except CommandError as error:
        sys.exit(f"error: {error}")
