"""The network over equal shards of the batch, side by side, one a core.

An operation of a small network gains little from a second thread and waits for it each time.
Where each has one thread and each core a shard of the environments, cores wait for each other
once a step. Exact up to rounding: every environment stays as it is, and the gradients of the shards
add up. Figures: benchmarks/notebook/2026-11-27.md.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from a2c_tf.networks.forward import ApplyToTrajectory, TrajectoryOutput
from a2c_tf.types import CoreState, StepOutput, Trajectory
from a2c_tf.unroll import Policy

SMALLEST = 16
"""environments that are worth a core."""
SMALLEST_UNDER_XLA = 128
"""the same within one XLA program, whose cores wait for each other more often."""

log = logging.getLogger(__name__)


class Threads(NamedTuple):
    """The threads of TensorFlow, process-wide; 0 leaves a number to TensorFlow."""

    intra_op: int = 0
    """of each operation."""
    inter_op: int = 0
    """operations side by side."""


DEFAULT_THREADS = Threads()
ONE_THREAD = Threads(intra_op=1)
"""XLA would hand parts of the smallest operations to other threads and wait for them."""


def available_cores() -> int:
    """Returns the cores that share the batch; 1 where a GPU computes."""
    if tf.config.list_physical_devices("GPU"):
        return 1
    affinity = getattr(os, "sched_getaffinity", None)  # Linux has it
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def enable_sharding(num_envs: int) -> Threads:
    """Returns threads for a shard of the environments on each core, if that is worth it."""
    cores = available_cores()
    if is_worthwhile(num_envs, cores, SMALLEST):
        return Threads(intra_op=1, inter_op=cores)
    return DEFAULT_THREADS


def apply_threads(threads: Threads) -> Threads:
    """Sets TensorFlow's threads, which only works before it computes.

    Returns:
      The threads that the run may count on. Where TensorFlow refused, those of before, with a
      warning; but `threads` where only inter-op ones differ, which change no rounding.
    """
    threading = tf.config.threading
    try:
        threading.set_intra_op_parallelism_threads(threads.intra_op)
        threading.set_inter_op_parallelism_threads(threads.inter_op)
    except RuntimeError as error:
        in_force = Threads(
            threading.get_intra_op_parallelism_threads(),
            threading.get_inter_op_parallelism_threads(),
        )
        if in_force.intra_op == threads.intra_op:
            return threads
        log.warning(
            "%d intra-op and %d inter-op threads could not be set (%s); training with %d and %d "
            "(0: TensorFlow's own) may be slower and round differently: start it in a process that "
            "has not used TensorFlow",
            *threads,
            error,
            *in_force,
        )
        return in_force
    return threads


def count_shards(num_envs: int, threads: Threads, whole_xla: bool = False) -> int:
    """Returns the number of shards that the network runs in.

    Args:
      num_envs: B.
      threads: in force; outside of one XLA program shards need threads of their own.
      whole_xla: whether all is one XLA program.

    Returns:
      The largest number of shards that are worth a core each; 1: the whole batch at once.
    """
    if whole_xla:
        cores, smallest = available_cores(), SMALLEST_UNDER_XLA
    else:
        cores, smallest = (threads.inter_op if threads.intra_op == 1 else 1), SMALLEST
    worthwhile = [n for n in range(2, cores + 1) if is_worthwhile(num_envs, n, smallest)]
    return max(worthwhile, default=1)


def is_worthwhile(num_envs: int, cores: int, smallest: int) -> bool:
    """Decides whether the batch is worth sharing.

    Args:
      num_envs: B.
      cores: that share it.
      smallest: environments that are worth a core.

    Returns:
      Whether each core gets the same number of environments, and enough of them.
    """
    return cores > 1 and num_envs % cores == 0 and num_envs // cores >= smallest


def shard_policy(policy: Policy, shards: int) -> Policy:
    """Returns the policy applied shard by shard; activations are one tuple a shard."""
    if shards == 1:
        return policy

    def in_shards(observation: Any, core_state: CoreState) -> StepOutput:
        parts = split((observation, core_state), shards, axis=0)
        outputs = [policy(*part) for part in parts]
        whole = join([output._replace(activations=()) for output in outputs], axis=0)
        return whole._replace(activations=tuple(output.activations for output in outputs))

    return in_shards


def shard_trajectory(apply_to_trajectory: ApplyToTrajectory, shards: int) -> ApplyToTrajectory:
    """Returns the network over a trajectory, applied shard by shard."""
    if shards == 1:
        return apply_to_trajectory

    def in_shards(model: keras.Model, trajectory: Trajectory) -> TrajectoryOutput:
        parts = [apply_to_trajectory(model, part) for part in split_trajectory(trajectory, shards)]
        return TrajectoryOutput(
            parameters=tf.concat([part.parameters for part in parts], axis=1),  # [T, B, P]
            value=tf.concat([part.value for part in parts], axis=1),  # [T, B]
            bootstrap_value=tf.concat([part.bootstrap_value for part in parts], axis=0),  # [B]
        )

    return in_shards


def split_trajectory(trajectory: Trajectory, shards: int) -> list[Trajectory]:
    """Returns the trajectories of the shards; saved activations are theirs already."""
    rows = split(trajectory._replace(core_state=(), activations=()), shards, axis=1)
    core_states = split(trajectory.core_state, shards, axis=0)
    activations = trajectory.activations or [()] * shards
    return [
        row._replace(core_state=core_state, activations=saved)
        for row, core_state, saved in zip(rows, core_states, activations, strict=True)
    ]


def split(tree: Any, shards: int, axis: int) -> list[Any]:
    """Splits each tensor of a tree.

    Args:
      tree: of tensors.
      shards: the number of equal parts.
      axis: along which each tensor is split.

    Returns:
      A tree for each shard.
    """

    def part(i: int, x: tf.Tensor) -> tf.Tensor:
        size = x.shape[axis] // shards
        return x[(slice(None),) * axis + (slice(i * size, (i + 1) * size),)]

    return [tf.nest.map_structure(lambda x, i=i: part(i, x), tree) for i in range(shards)]


def join(parts: Sequence[Any], axis: int) -> Any:
    """Returns the tree that `split` divided."""
    return tf.nest.map_structure(lambda *x: tf.concat(x, axis), *parts)
