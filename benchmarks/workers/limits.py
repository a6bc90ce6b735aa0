"""Measures what this machine can do at most: matrix products, and ALE without an agent.

Started by `benchmarks.throughput`.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import sys
from typing import Any

from a2c_tf import cli

cli.import_tensorflow()

import numpy as np
import tensorflow as tf

from a2c_tf.envs.host.atari import STICKY_PROBABILITY
from benchmarks.workers import protocol
from benchmarks.workloads import BFLOAT16, FLOAT32, STEPPING, Workload

SIZE = 2048
"""of the square matrices: 17 billion operations, 50 MB in float32."""


def build(workload: Workload) -> protocol.Built:
    """Returns the makers; `workload` sets the number of ALE's games, the matrices are fixed."""
    makers = {
        FLOAT32: lambda: _matrix_product(tf.float32),
        BFLOAT16: lambda: _matrix_product(tf.bfloat16),
        STEPPING: lambda: _ale(workload.num_envs),
    }
    versions = {"tensorflow": tf.__version__}
    if importlib.util.find_spec("ale_py"):  # else the matrices alone are measured
        versions["ale-py"] = importlib.metadata.version("ale-py")
    about = {"versions": versions, "threads": f"{os.cpu_count()} intra-op"}
    return protocol.Built(makers, about)


def _matrix_product(dtype: tf.DType) -> protocol.Run:
    """Floating-point operations of TensorFlow's product of two matrices."""
    seeds = tf.constant([[0, 1], [2, 3]])
    a, b = (tf.cast(tf.random.stateless_normal([SIZE, SIZE], seed), dtype) for seed in seeds)

    @tf.function(autograph=False)
    def product() -> Any:
        return tf.linalg.matmul(a, b)[0, 0]

    def run(size: int) -> int:
        for _ in range(size):
            product().numpy()
        return size * 2 * SIZE**3

    return run


def _ale(num_envs: int) -> protocol.Run:
    """Pong with random actions, in ALE's own vector environment and threads."""
    from ale_py.vector_env import AtariVectorEnv

    envs = AtariVectorEnv("pong", num_envs, repeat_action_probability=STICKY_PROBABILITY)
    rng = np.random.default_rng(0)
    actions = envs.single_action_space.n
    envs.reset(seed=0)

    def run(size: int) -> int:
        for _ in range(size):
            envs.step(rng.integers(0, actions, num_envs))
        return size * num_envs

    return run


if __name__ == "__main__":
    sys.exit(protocol.serve(build))
