"""A training as a checkpoint, and back."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from a2c_tf.agent import Agent
from a2c_tf.errors import NonFiniteError
from a2c_tf.learner import Learner
from a2c_tf.runs import checkpoints
from a2c_tf.runs.checkpoint_files import Checkpoint, CheckpointError
from a2c_tf.runs.run_dir import RunDir
from a2c_tf.types import Counters, EnvSpec, UnrollState

log = logging.getLogger(__name__)


def take(
    agent: Agent,
    learner: Learner,
    counters: Counters,
    state: UnrollState | None,
    best: float | None,
) -> Checkpoint:
    """Takes a checkpoint of a training.

    Args:
      agent: for its weights.
      learner: for the optimizer and running statistics.
      counters: how far the training is.
      state: of the environments; None: they are on the host, and cannot be saved.
      best: mean return of the best evaluation so far.

    Returns:
      The checkpoint.

    Raises:
      NonFiniteError: where a weight is not finite.
    """
    leaves = [] if state is None else tf.nest.flatten(state)
    weights = checkpoints.named(agent.model.weights)
    # a finite gradient and a huge learning rate overflow without a trace in the metrics
    check_finite({name: float(np.abs(w).max()) for name, w in weights.items()}, counters)
    return Checkpoint(
        counters=counters,
        model=weights,
        optimizer=checkpoints.named(learner.variables),
        unroll={f"{i:03d}": leaf.numpy() for i, leaf in enumerate(leaves)},
        best_return=best,
    )


def restore(checkpoint: Checkpoint, agent: Agent, learner: Learner) -> None:
    """Gives agent and learner what the checkpoint holds of them.

    Args:
      checkpoint: of the same network and optimizer.
      agent: whose weights are set.
      learner: whose variables and counters are set.
    """
    checkpoints.restore(agent.model.weights, checkpoint.model)
    checkpoints.restore(learner.variables, checkpoint.optimizer)
    learner.env_steps.assign(checkpoint.counters.env_steps)
    learner.updates.assign(checkpoint.counters.updates)


def restored_state(checkpoint: Checkpoint, state: UnrollState, spec: EnvSpec) -> UnrollState:
    """Returns the checkpoint's state of the environments, or the given one, at new episodes.

    Args:
      checkpoint: which may hold no state, or one of other environments.
      state: at the start of new episodes.
      spec: of the environments, for the warning.

    Returns:
      Where the training goes on.
    """
    if not checkpoint.unroll:
        return state
    leaves = [tf.constant(checkpoint.unroll[name]) for name in sorted(checkpoint.unroll)]
    if _kinds(leaves) == _kinds(tf.nest.flatten(state)):
        restored: UnrollState = tf.nest.pack_sequence_as(state, leaves)
        return restored
    log.warning(
        "the games in the checkpoint are not those of this version's %s with env.num_envs=%d; "
        "new episodes start",
        spec.id,
        spec.num_envs,
    )
    return state


def _kinds(leaves: Sequence[tf.Tensor]) -> list[tuple[tf.DType, tf.TensorShape]]:
    return [(leaf.dtype, leaf.shape) for leaf in leaves]


def best_return(run_dir: RunDir) -> float | None:
    """Returns that of the best agent kept, which may be later than the checkpoint resumed from."""
    try:
        return checkpoints.load(run_dir.checkpoints / "best").best_return
    except CheckpointError:
        return None


def check_finite(scalars: Mapping[str, float], counters: Counters) -> None:
    """Checks numbers of a training by name.

    Raises:
      NonFiniteError: for the first one that is not finite, with what to do.
    """
    for name, value in scalars.items():
        if not math.isfinite(value):
            raise NonFiniteError(
                f"{name} became {value} before env step {counters.env_steps:,}; lower "
                "optimizer.learning_rate, then resume from the last checkpoint with --resume"
            )
