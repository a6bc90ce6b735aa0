"""The network over equal shards of the batch, side by side, one a core.

An operation of a small network gains little from a second thread and waits for it each time.
Where each has one thread and each core a shard of the environments, cores wait for each other
once a step. Exact up to rounding: every environment stays as it is, and the gradients of the shards
add up. Figures: benchmarks/notebook/2026-11-27.md.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from a2c_tf.types import Trajectory

SMALLEST = 16
"""environments that are worth a core."""
SMALLEST_UNDER_XLA = 128
"""the same within one XLA program, whose cores wait for each other more often."""
NARROW = 128
"""units of a layer up to which one thread computes a small batch sooner than several."""

Act = Callable[[Any, Any], Any]


def give_each_a_core(num_envs: int) -> None:
    """Gives operations one thread, and each core a shard of the environments, if that is worth it.

    Process-wide. Where TensorFlow has computed already, its threads stay, and the batch whole.
    """
    cores = _cores()
    if is_worthwhile(num_envs, cores, SMALLEST):
        with contextlib.suppress(RuntimeError):
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(cores)


def use_one_thread() -> None:
    """Gives operations one thread: XLA would hand parts of the smallest to others and wait.

    Process-wide. Where TensorFlow has computed already, its threads stay.
    """
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)


def count(num_envs: int, whole_xla: bool = False) -> int:
    """How many shards the network is to run in; 1: the whole batch at once."""
    if whole_xla:
        cores, smallest = _cores(), SMALLEST_UNDER_XLA
    else:
        single = tf.config.threading.get_intra_op_parallelism_threads() == 1
        side_by_side = tf.config.threading.get_inter_op_parallelism_threads()  # 0: not chosen
        cores = max(1, side_by_side) if single else 1
        smallest = SMALLEST
    return max(n for n in range(1, cores + 1) if n == 1 or is_worthwhile(num_envs, n, smallest))


def _cores() -> int:
    """To share the batch among; 1 where a GPU computes."""
    return 1 if tf.config.list_physical_devices("GPU") else len(os.sched_getaffinity(0))


def is_worthwhile(num_envs: int, cores: int, smallest: int) -> bool:
    """Whether each core gets the same number of environments, and enough of them."""
    return cores > 1 and num_envs % cores == 0 and num_envs // cores >= smallest


def acting(act: Act, shards: int) -> Act:
    """The policy `act`, shard by shard; what its layers gave is kept as one tuple a shard."""
    if shards == 1:
        return act

    def in_shards(observation: Any, core_state: Any) -> Any:
        parts = split((observation, core_state), shards, axis=0)
        outputs = [act(*part) for part in parts]
        whole = join([output._replace(kept=()) for output in outputs], axis=0)
        return whole._replace(kept=tuple(output.kept for output in outputs))

    return in_shards


def divide(trajectory: Trajectory, shards: int) -> list[Trajectory]:
    """The trajectories of the shards; what was kept is theirs already."""
    rows = split(trajectory._replace(core_state=(), kept=()), shards, axis=1)
    core_states = split(trajectory.core_state, shards, axis=0)
    kept = trajectory.kept or [()] * shards
    return [
        row._replace(core_state=core_state, kept=k)
        for row, core_state, k in zip(rows, core_states, kept, strict=True)
    ]


def split(tree: Any, shards: int, axis: int) -> list[Any]:
    """Each tensor of `tree` in equal parts along `axis`."""

    def part(i: int, x: tf.Tensor) -> tf.Tensor:
        size = x.shape[axis] // shards
        return x[(slice(None),) * axis + (slice(i * size, (i + 1) * size),)]

    return [tf.nest.map_structure(lambda x, i=i: part(i, x), tree) for i in range(shards)]


def join(parts: Sequence[Any], axis: int) -> Any:
    """What `split` parted."""
    return tf.nest.map_structure(lambda *x: tf.concat(x, axis), *parts)
