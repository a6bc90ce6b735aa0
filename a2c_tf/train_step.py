"""Unroll and update, K times in one compiled call: the only file that knows of compilation.

XLA fuses the many small operations of games, returns and optimizer; convolutions run faster in
graph mode, where oneDNN has them. `mixed` gives each its own. Figures: benchmarks/README.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from a2c_tf.learner import METRIC_NAMES, Accelerate, Learner
from a2c_tf.types import EpisodeStatistics, Metrics, UnrollState
from a2c_tf.unroll import Advance, Policy, no_episodes, unroll

TrainStep = Callable[[UnrollState, tf.Tensor], tuple[UnrollState, Metrics, EpisodeStatistics]]


def xla(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as one XLA program."""
    return tf.function(function, jit_compile=True, autograph=False)


def as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, to be traced into whatever calls it."""
    return function


class Mode(NamedTuple):
    """Which parts of a training step XLA compiles."""

    whole_xla: bool
    accelerate_advance: Accelerate
    accelerate_learner: Accelerate


def choose_mode(setting: str, graph_native: bool, convolutional: bool) -> Mode:
    """XLA for whatever it makes faster, or as `setting` (`auto`, `xla`, `mixed`) says.

    Raises:
      ValueError: where the whole step is to be XLA's and the environment is Python's.
    """
    if setting == "xla" and not graph_native:
        raise ValueError("run.compile=xla: the environment is not in the graph; set it to auto")
    if graph_native and (setting == "xla" or (setting == "auto" and not convolutional)):
        return Mode(True, as_it_is, as_it_is)
    return Mode(False, xla if graph_native else as_it_is, xla)


def make_train_step(
    learner: Learner, policy: Policy, advance: Advance, unroll_length: int, whole_xla: bool
) -> TrainStep:
    """The compiled call of several updates, each on its own unroll.

    Returns:
      (state, number of updates as a scalar int32) -> (next state, metrics averaged over the
      updates, statistics of the episodes that ended, summed).
    """

    def update(i: tf.Tensor, state: UnrollState, sums: Any) -> tuple[tf.Tensor, UnrollState, Any]:
        state, trajectory, statistics = unroll(advance, policy, state, unroll_length)
        latest = (dict(learner.update(trajectory)), statistics)
        return i + 1, state, tf.nest.map_structure(tf.add, sums, latest)

    def train_step(
        state: UnrollState, updates: tf.Tensor
    ) -> tuple[UnrollState, Metrics, EpisodeStatistics]:
        nothing = ({name: tf.zeros([]) for name in METRIC_NAMES}, no_episodes())
        _, state, (metrics, statistics) = tf.while_loop(
            lambda i, *_: i < updates, update, (tf.constant(0), state, nothing)
        )
        count = tf.cast(updates, tf.float32)
        return state, {name: total / count for name, total in metrics.items()}, statistics

    return tf.function(train_step, jit_compile=whole_xla, autograph=False)
