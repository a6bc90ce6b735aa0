"""`python -m benchmarks.throughput`: environment steps a second, training and stepping alone.

Every work is measured once a round, in turn, so that a machine that slows down slows them all.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from a2c_tf import startup

startup.import_tensorflow()

import tensorflow as tf

from a2c_tf import builders, train_step
from a2c_tf.config import Config
from a2c_tf.envs import registry
from a2c_tf.forward import StepOutput
from a2c_tf.unroll import make_advance

CARTPOLE = {
    "env": {"id": "CartPole-v1"},
    "network": {"torso": "mlp", "hidden": [64, 64], "activation": "tanh"},
}
BREAKOUT = {"env": {"id": "MinAtar/Breakout-v1"}}


class Work(NamedTuple):
    """Something to measure."""

    name: str
    run: Callable[[], int]
    """does a fixed amount of work and returns the environment steps it took."""


def training(
    name: str, tree: dict[str, Any], num_envs: int, updates: int, mode: str = "auto"
) -> Work:
    """Training as the package does it, T = 5."""
    config = _config(tree, num_envs, mode)
    env = registry.make(config.env)
    agent = builders.make_agent(env.spec, config)
    learner, step = builders.make_training(env, agent, config)
    state = agent.start(env, builders.make_seeds(0))

    def run() -> int:
        nonlocal state
        before = int(learner.env_steps)
        state, _ = step(state, tf.constant(updates))
        return int(learner.env_steps) - before

    suffix = "" if mode == "auto" else f", compile={mode}"
    return Work(f"{name}, training, B={num_envs}{suffix}", run)


def stepping(name: str, tree: dict[str, Any], num_envs: int, steps: int) -> Work:
    """The environment alone, with random actions."""
    config = _config(tree, num_envs)
    env = registry.make(config.env)
    agent = builders.make_agent(env.spec, config)
    advance = make_advance(env, agent.distribution)
    distribution = agent.distribution
    size = distribution.head_size + distribution.free_size
    uniform = StepOutput(tf.zeros([num_envs, size]), tf.zeros([num_envs]), ())
    state = agent.start(env, builders.make_seeds(0))

    @train_step.xla
    def many(state: Any) -> Any:
        return tf.while_loop(
            lambda i, _: i < steps, lambda i, s: (i + 1, advance(s, uniform)[0]), (0, state)
        )[1]

    def run() -> int:
        nonlocal state
        state = many(state)
        state.episode_return.numpy()
        return steps * num_envs

    return Work(f"{name}, stepping, B={num_envs}", run)


def measure(works: list[Work], rounds: int) -> dict[str, list[float]]:
    """Steps a second of every work, once a round."""
    for work in works:
        work.run()  # compiles
    rates: dict[str, list[float]] = {work.name: [] for work in works}
    for _ in range(rounds):
        for work in works:
            start = time.perf_counter()
            steps = work.run()
            rates[work.name].append(steps / (time.perf_counter() - start))
    return rates


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, help="also write the figures to this JSON file")
    arguments = parser.parse_args()
    tf.get_logger().setLevel("ERROR")  # every work is one more function to trace, and meant to be
    works = [
        *(training("CartPole, MLP 2x64", CARTPOLE, b, 2_000) for b in (32, 256)),
        *(training("Breakout, conv 16 + dense 128", BREAKOUT, b, 200) for b in (32, 128, 512)),
        training("CartPole, MLP 2x64", CARTPOLE, 256, 500, "mixed"),
        training("Breakout, conv 16 + dense 128", BREAKOUT, 128, 50, "xla"),
        stepping("CartPole", CARTPOLE, 128, 20_000),
        stepping("Breakout", BREAKOUT, 128, 10_000),
    ]
    rates = measure(works, arguments.rounds)
    print(_machine())
    for name, values in rates.items():
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"{name:62s} {middle:12,.0f} steps/s  ({low:,.0f} to {high:,.0f})")
    if arguments.out:
        arguments.out.write_text(json.dumps({"machine": _machine(), "rates": rates}, indent=2))
    return 0


def _config(tree: dict[str, Any], num_envs: int, mode: str = "auto") -> Config:
    env, run = {**tree["env"], "num_envs": num_envs}, {"total_steps": 10**9, "compile": mode}
    return Config.model_validate({**tree, "env": env, "run": run})


def _machine() -> str:
    info = Path("/proc/cpuinfo")
    models = [line for line in info.read_text().splitlines() if "model name" in line]
    processor = models[0].split(":")[1].strip() if models else platform.processor()
    return (
        f"{processor}, {os.cpu_count()} cores, TensorFlow {tf.__version__}, "
        f"Python {platform.python_version()}"
    )


if __name__ == "__main__":
    sys.exit(main())
