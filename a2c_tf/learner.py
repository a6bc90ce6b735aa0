"""The learner: the only place where weights change."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from a2c_tf.distributions import Distribution
from a2c_tf.losses import LossWeights, a2c_loss
from a2c_tf.schedules import Schedule
from a2c_tf.types import Metrics, Trajectory

METRIC_NAMES = (
    "loss/policy",
    "loss/value",
    "policy/entropy",
    "value/explained_variance",
    "grad/global_norm",
    "learning_rate",
    "entropy_coef",
)

Accelerate = Callable[[Callable[..., Any]], Callable[..., Any]]


class Schedules(NamedTuple):
    """What changes with the environment steps taken."""

    learning_rate: Schedule
    entropy_coef: Schedule


class Learner:
    """Model, optimizer and counters, and the update that one trajectory makes to them.

    Args:
      model: observation -> {"policy", "value"}.
      optimizer: built for the model's weights; its learning rate is set before each update.
      distribution: the family that the policy head parametrises.
      weights: the scalars of the loss; the entropy coefficient follows its schedule.
      schedules: of learning rate and entropy coefficient, by environment steps.
      max_grad_norm: the gradient's global norm is clipped to this.
      accelerate: wraps the two functions that are many small operations on few numbers.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        distribution: Distribution,
        weights: LossWeights,
        schedules: Schedules,
        max_grad_norm: float,
        accelerate: Accelerate = lambda function: function,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.env_steps = tf.Variable(0, dtype=tf.int64, name="env_steps")
        self.updates = tf.Variable(0, dtype=tf.int64, name="updates")
        self._weights = weights
        self._schedules = schedules
        self._max_grad_norm = max_grad_norm
        self._loss = accelerate(functools.partial(a2c_loss, distribution))
        self._descend = accelerate(self._clip_and_apply)
        optimizer.build(model.trainable_variables)

    def update(self, trajectory: Trajectory) -> Metrics:
        """One step down the gradient of the A2C loss; returns scalars.

        Where the gradient is not finite the weights stay as they are, and `grad/global_norm`
        tells.
        """
        entropy_coef = self._schedules.entropy_coef(self.env_steps)
        weights = self._weights._replace(entropy_coef=entropy_coef)
        bootstrap_value = self.model(trajectory.observation[-1])["value"]  # [B]
        with tf.GradientTape() as tape:
            parameters, value = self._forward(trajectory.observation[:-1])
            loss, metrics = self._loss(parameters, value, bootstrap_value, trajectory, weights)
        gradients = tape.gradient(loss, self.model.trainable_variables)
        descent = self._descend(gradients, trajectory.mask)
        return {**metrics, **descent, "entropy_coef": entropy_coef}

    def _forward(self, observation: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Both heads at `[T, B]` observations, as one batch."""
        rows = observation.shape[:2]
        output = self.model(tf.reshape(observation, [-1, *observation.shape[2:]]))
        policy, value = output["policy"], output["value"]
        return tf.reshape(policy, [*rows, *policy.shape[1:]]), tf.reshape(value, rows)

    def _clip_and_apply(self, gradients: list[tf.Tensor], mask: tf.Tensor) -> Metrics:
        learning_rate = self._schedules.learning_rate(self.env_steps)
        self.optimizer.learning_rate.assign(learning_rate)
        norm = tf.linalg.global_norm(gradients)
        scale = self._max_grad_norm / tf.maximum(norm, self._max_grad_norm)
        finite = tf.math.is_finite(norm)
        clipped = [tf.where(finite, gradient * scale, 0.0) for gradient in gradients]
        self.optimizer.apply(clipped)
        self.updates.assign_add(1)
        self.env_steps.assign_add(tf.cast(tf.reduce_sum(mask), tf.int64))
        return {"grad/global_norm": norm, "learning_rate": learning_rate}
