"""Unroll and update, K times in one compiled call: the only file that knows of compilation.

XLA fuses the many small operations of games, returns and optimizer; convolutions run faster in
graph mode, where oneDNN has them. `mixed` gives each its own. Figures: benchmarks/notebook/.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from a2c_tf.acceleration.looped_unroll import long_unroll
from a2c_tf.diagnostics import Inspector
from a2c_tf.learner import METRIC_NAMES, Learner
from a2c_tf.types import Accelerate, EpisodeStatistics, Metrics, UnrollState
from a2c_tf.unroll import Advance, Policy, no_episodes, unroll

LONGEST_WRITTEN_OUT = 8
"""steps that XLA compiles in seconds, and to a program no slower than a loop."""


class Report(NamedTuple):
    """What several updates tell."""

    metrics: Metrics
    """averages over the updates."""
    inspected: Metrics
    """sums over the updates that were inspected, and how many those were; empty: never."""
    statistics: EpisodeStatistics
    """of the episodes that ended."""


TrainStep = Callable[[UnrollState, tf.Tensor], tuple[UnrollState, Report]]
Scope = Callable[[], contextlib.AbstractContextManager[None]]


def xla(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as one XLA program."""
    return tf.function(function, jit_compile=True, autograph=False)


def as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, to be traced into whatever calls it."""
    return function


class Mode(NamedTuple):
    """Which parts of a training step XLA compiles."""

    whole_xla: bool
    accelerate_choice: Accelerate
    """of actions, where the step around it cannot be compiled."""
    accelerate_advance: Accelerate
    accelerate_edges: Accelerate
    """what surrounds the network: images that go in, and loss and optimizer."""
    keeps_activations: bool
    """the learner's pass is that of acting, where the network allows it."""


def choose_mode(setting: str, graph_native: bool, convolutional: bool) -> Mode:
    """XLA for whatever it makes faster, or as `setting` (`auto`, `xla`, `mixed`) says.

    Raises:
      ValueError: where the whole step is to be XLA's and the environment is Python's.
    """
    if setting == "xla" and not graph_native:
        raise ValueError("run.compile=xla: the environment is not in the graph; set it to auto")
    if graph_native and (setting == "xla" or (setting == "auto" and not convolutional)):
        return Mode(True, as_it_is, as_it_is, as_it_is, keeps_activations=False)
    if graph_native:
        return Mode(False, as_it_is, xla, xla, keeps_activations=True)
    return Mode(False, xla, as_it_is, xla, keeps_activations=True)


def make_train_step(
    learner: Learner,
    inspector: Inspector,
    policy: Policy,
    advance: Advance,
    unroll_length: int,
    whole_xla: bool,
    scope: Scope = contextlib.nullcontext,
    acting_scope: Scope = contextlib.nullcontext,
) -> TrainStep:
    """The compiled call of several updates, each on its own unroll.

    Args:
      learner: updates the weights.
      inspector: looks on, now and then.
      policy: what the network says while acting.
      advance: what follows it in a step.
      unroll_length: T.
      whole_xla: whether all of it is one XLA program.
      scope: in which network and update are traced.
      acting_scope: in which an unroll is traced, within the other.

    Returns:
      (state, number of updates as a scalar int32) -> (next state, report).
    """

    collect = long_unroll if whole_xla and unroll_length > LONGEST_WRITTEN_OUT else unroll

    def update(i: tf.Tensor, state: UnrollState, sums: Any) -> tuple[tf.Tensor, UnrollState, Any]:
        with acting_scope():
            state, trajectory, statistics = collect(advance, policy, state, unroll_length)
        metrics, inspected = inspector.update(learner.scale_reward(trajectory))
        latest = Report(dict(metrics), inspected, statistics)
        return i + 1, state, tf.nest.map_structure(tf.add, sums, latest)

    def train_step(state: UnrollState, updates: tf.Tensor) -> tuple[UnrollState, Report]:
        metrics = {name: tf.zeros([]) for name in METRIC_NAMES}
        nothing = Report(metrics, inspector.nothing_seen(), no_episodes())
        with scope():
            _, state, sums = tf.while_loop(
                lambda i, *_: i < updates, update, (tf.constant(0), state, nothing)
            )
        count = tf.cast(updates, tf.float32)
        means = {name: total / count for name, total in sums.metrics.items()}
        return state, sums._replace(metrics=means)

    return tf.function(train_step, jit_compile=whole_xla, autograph=False)
