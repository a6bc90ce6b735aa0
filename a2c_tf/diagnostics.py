"""A look at an update now and then: the gradients of both losses on the weights they share.

Policy and value share a torso though their losses differ in scale. Where one gradient is far
longer than the other, that loss alone shapes the torso (`a2c.value_coef` balances them); where
their cosine stays below 0, they undo each other's work (`network.shared=false` separates them).
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from a2c_tf.distributions import apply_mask
from a2c_tf.learner import Learner
from a2c_tf.losses import a2c_loss, masked_mean
from a2c_tf.types import METRICS, Metrics, Trajectory


class DiagnosticNames(NamedTuple):
    """The names of what is measured, as `metrics.jsonl` and TensorBoard have them."""

    policy_gradient: str = "torso/policy_gradient"
    value_gradient: str = "torso/value_gradient"
    cosine: str = "torso/cosine"
    approx_kl: str = "policy/approx_kl"


DIAGNOSTICS = DiagnosticNames()
COUNT = "diagnosed_updates"
"""beside the sums: the number of updates that they are of."""


class Diagnostics:
    """Updates with a look at every so many of them; the sums of what was measured add up.

    Args:
      learner: whose updates.
      every: updates from one look to the next; 0 looks at none and costs nothing.
    """

    def __init__(self, learner: Learner, every: int) -> None:
        self._learner = learner
        self._every = every

    def zeros(self) -> Metrics:
        """Returns the sums before the first update."""
        return {name: tf.zeros([]) for name in (*DIAGNOSTICS, COUNT)} if self._every else {}

    def update(self, trajectory: Trajectory) -> tuple[Metrics, Metrics]:
        """Makes the learner's update; returns its metrics, and what was measured or zeros."""
        if not self._every:
            return self._learner.update(trajectory), {}
        due = self._learner.updates % self._every == 0
        rows = trajectory.reward.shape
        before, gradients = tf.cond(
            due,
            lambda: (self._log_prob(trajectory), self._gradients(trajectory)),
            lambda: (tf.zeros(rows), (tf.zeros([]),) * 3),
        )
        metrics = self._learner.update(trajectory)
        divergence = tf.cond(due, lambda: self._approx_kl(before, trajectory), lambda: tf.zeros([]))
        measured = (*gradients, divergence, tf.cast(due, tf.float32))
        return metrics, dict(zip((*DIAGNOSTICS, COUNT), measured, strict=True))

    def _gradients(self, trajectory: Trajectory) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the norms of both gradients on the weights that both reach, and their cosine."""
        trajectory = self._learner.scale_rewards(trajectory)
        config, variables = self._learner.loss_config, self._learner.model.trainable_variables
        with tf.GradientTape(persistent=True) as tape:
            # not the learner's own: what XLA compiles has zeros for weights that are not reached
            output = self._learner.output(trajectory)
            _, metrics = a2c_loss(self._learner.distribution, *output, trajectory, config)
            policy = metrics[METRICS.policy_loss] - config.entropy_coef * metrics[METRICS.entropy]
            value = config.value_coef * metrics[METRICS.value_loss]
        gradients = zip(
            tape.gradient(policy, variables), tape.gradient(value, variables), strict=True
        )
        shared = [pair for pair in gradients if pair[0] is not None and pair[1] is not None]
        if not shared:
            return (tf.zeros([]),) * 3
        policy_norm, value_norm = (
            tf.linalg.global_norm(list(g)) for g in zip(*shared, strict=True)
        )
        product = tf.add_n([tf.reduce_sum(p * v) for p, v in shared])
        return policy_norm, value_norm, tf.math.divide_no_nan(product, policy_norm * value_norm)

    def _approx_kl(self, before: tf.Tensor, trajectory: Trajectory) -> tf.Tensor:
        """Returns KL(π_old | π_new) = E[r - 1 - log r], r = π_new / π_old, over the actions taken.

        Never negative, unlike E[-log r] (Schulman, 2020, joschu.net/blog/kl-approx.html).
        """
        log_ratio = self._log_prob(trajectory._replace(activations=())) - before  # [T, B]
        return masked_mean(tf.math.expm1(log_ratio) - log_ratio, trajectory.mask)

    def _log_prob(self, trajectory: Trajectory) -> tf.Tensor:
        """Returns log π of the actions taken, under the present weights, `[T, B]`."""
        distribution = self._learner.distribution
        parameters = self._learner.output(trajectory).parameters
        parameters = apply_mask(distribution, parameters, trajectory.action_mask)
        return distribution.log_prob(parameters, trajectory.action)
