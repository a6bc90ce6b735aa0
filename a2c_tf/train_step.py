"""Unroll and update, K times in one compiled call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from a2c_tf.diagnostics import Diagnostics
from a2c_tf.types import METRICS, Compiler, EpisodeStatistics, Metrics, Trajectory, UnrollState
from a2c_tf.unroll import no_episodes

CollectTrajectory = Callable[[UnrollState], tuple[UnrollState, Trajectory, EpisodeStatistics]]
"""Takes T steps in every environment, as `unroll.unroll`."""


class Report(NamedTuple):
    """What several updates report."""

    metrics: Metrics
    """averages over the updates."""
    diagnostics: Metrics
    """sums over the updates that were looked at, and their number; empty: never."""
    statistics: EpisodeStatistics
    """of the episodes that ended."""


TrainStep = Callable[[UnrollState, tf.Tensor], tuple[UnrollState, Report]]


def make_train_step(
    collect: CollectTrajectory, diagnostics: Diagnostics, compiler: Compiler
) -> TrainStep:
    """Makes the compiled call of several updates, each on its own unroll.

    Args:
      collect: takes T steps in every environment.
      diagnostics: makes the learner's update, and looks at it now and then.
      compiler: compiles the loop as a whole.

    Returns:
      (state, number of updates as a scalar int32) -> (next state, report).
    """

    def update(i: tf.Tensor, state: UnrollState, sums: Any) -> tuple[tf.Tensor, UnrollState, Any]:
        state, trajectory, statistics = collect(state)
        metrics, measured = diagnostics.update(trajectory)
        latest = Report(dict(metrics), measured, statistics)
        return i + 1, state, tf.nest.map_structure(tf.add, sums, latest)

    def train_step(state: UnrollState, updates: tf.Tensor) -> tuple[UnrollState, Report]:
        zeros = Report({name: tf.zeros([]) for name in METRICS}, diagnostics.zeros(), no_episodes())
        _, state, sums = tf.while_loop(
            lambda i, *_: i < updates, update, (tf.constant(0), state, zeros)
        )
        count = tf.cast(updates, tf.float32)
        means = {name: total / count for name, total in sums.metrics.items()}
        return state, sums._replace(metrics=means)

    return compiler(train_step)
