"""What an update does, looked at now and then: the pull of both losses on the weights they share.

Policy and value share a torso though their losses differ in scale. Where one gradient is far
longer than the other, that loss alone shapes the torso (`a2c.value_coef` balances them); where
their cosine stays below 0, they undo each other's work (`network.shared=false` parts them).
"""

from __future__ import annotations

import tensorflow as tf

from a2c_tf.distributions import apply_mask
from a2c_tf.learner import Learner
from a2c_tf.losses import a2c_loss, masked_mean
from a2c_tf.types import Metrics, Trajectory

NAMES = ("trunk/policy_gradient", "trunk/value_gradient", "trunk/cosine", "policy/approx_kl")
COUNT = "inspections"


class Inspector:
    """Updates that are inspected, every so many; the sums of what was seen add up.

    Args:
      learner: whose updates.
      every: updates from one inspection to the next; 0 inspects none and costs nothing.
    """

    def __init__(self, learner: Learner, every: int) -> None:
        self._learner = learner
        self._every = every

    def nothing_seen(self) -> Metrics:
        """The sums before the first update."""
        return {name: tf.zeros([]) for name in (*NAMES, COUNT)} if self._every else {}

    def update(self, trajectory: Trajectory) -> tuple[Metrics, Metrics]:
        """The learner's update and its metrics, and what was seen of it, zeros where none was."""
        if not self._every:
            return self._learner.update(trajectory), {}
        due = self._learner.updates % self._every == 0
        rows = trajectory.reward.shape
        before, pulls = tf.cond(
            due,
            lambda: (self._log_prob(trajectory), self._pulls(trajectory)),
            lambda: (tf.zeros(rows), (tf.zeros([]),) * 3),
        )
        metrics = self._learner.update(trajectory)
        divergence = tf.cond(due, lambda: self._approx_kl(before, trajectory), lambda: tf.zeros([]))
        seen = (*pulls, divergence, tf.cast(due, tf.float32))
        return metrics, dict(zip((*NAMES, COUNT), seen, strict=True))

    def _pulls(self, trajectory: Trajectory) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Norms of both gradients on the weights that both reach, and the cosine between them."""
        weights, variables = self._learner.weights, self._learner.model.trainable_variables
        with tf.GradientTape(persistent=True) as tape:
            # not the learner's own: what XLA compiles has zeros for weights that are not reached
            output = self._learner.output(trajectory)
            _, metrics = a2c_loss(self._learner.distribution, *output, trajectory, weights)
            policy = metrics["loss/policy"] - weights.entropy_coef * metrics["policy/entropy"]
            value = weights.value_coef * metrics["loss/value"]
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
        """KL(π_old | π_new) = E[r - 1 - log r] with r = π_new / π_old, over the actions taken.

        Never negative, unlike E[-log r] (Schulman, 2020, joschu.net/blog/kl-approx.html).
        """
        log_ratio = self._log_prob(trajectory._replace(kept=())) - before
        return masked_mean(tf.math.expm1(log_ratio) - log_ratio, trajectory.mask)

    def _log_prob(self, trajectory: Trajectory) -> tf.Tensor:
        """Of the actions taken, under the present weights, `[T, B]`."""
        distribution = self._learner.distribution
        parameters = self._learner.output(trajectory).parameters
        parameters = apply_mask(distribution, parameters, trajectory.action_mask)
        return distribution.log_prob(parameters, trajectory.action)
