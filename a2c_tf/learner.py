"""The learner: the only place where weights change."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from a2c_tf.distributions import Distribution
from a2c_tf.losses import LossWeights, a2c_loss
from a2c_tf.networks import forward
from a2c_tf.networks.normalization import RunningNormalization
from a2c_tf.optimizers import Schedule
from a2c_tf.running_statistics import RewardScale
from a2c_tf.types import Accelerate, Metrics, Trajectory

METRIC_NAMES = (
    "loss/policy",
    "loss/value",
    "policy/entropy",
    "value/explained_variance",
    "value/mean",
    "value/rms",
    "grad/global_norm",
    "grad/clipped",
    "learning_rate",
    "entropy_coef",
)


class Schedules(NamedTuple):
    """What changes with the environment steps taken."""

    learning_rate: Schedule
    entropy_coef: Schedule


class Running(NamedTuple):
    """The running statistics that learning keeps beside the weights."""

    normalizers: Sequence[RunningNormalization | None] = ()
    """of each array of an observation."""
    reward_scale: RewardScale | None = None
    """None leaves rewards as they are."""


NOTHING_RUNNING = Running()


class Learner:
    """Model, optimizer and counters, and the update that one trajectory makes to them.

    Args:
      model: as `networks.make_actor_critic` makes it.
      optimizer: built for the model's weights; its learning rate is set before each update.
      distribution: the family that the policy head parametrises.
      weights: the scalars of the loss; the entropy coefficient follows its schedule.
      schedules: of learning rate and entropy coefficient, by environment steps.
      max_grad_norm: the gradient's global norm is clipped to this.
      running: statistics of observations and rewards.
      accelerate: wraps the two functions that are many small operations on few numbers.
      num_shards: of the batch, which the network runs in side by side.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        distribution: Distribution,
        weights: LossWeights,
        schedules: Schedules,
        max_grad_norm: float,
        running: Running = NOTHING_RUNNING,
        accelerate: Accelerate = lambda function: function,
        num_shards: int = 1,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.distribution = distribution
        self.env_steps = tf.Variable(0, dtype=tf.int64, name="env_steps")
        self.updates = tf.Variable(0, dtype=tf.int64, name="updates")
        self._weights = weights
        self._schedules = schedules
        self._max_grad_norm = max_grad_norm
        self._running = running
        self._num_shards = num_shards
        self._loss = accelerate(functools.partial(a2c_loss, distribution))
        self._descend = accelerate(self._clip_and_apply)
        optimizer.build(model.trainable_variables)

    @property
    def variables(self) -> list[Any]:
        """Everything but the model that a checkpoint must hold, counters apart."""
        scale = self._running.reward_scale
        return [*self.optimizer.variables, *(scale.variables if scale else ())]

    @property
    def weights(self) -> LossWeights:
        """The scalars of the loss at this step."""
        return self._weights._replace(entropy_coef=self._schedules.entropy_coef(self.env_steps))

    def scale_reward(self, trajectory: Trajectory) -> Trajectory:
        """The trajectory as the loss is to see it; counts its rewards in."""
        if self._running.reward_scale is None:
            return trajectory
        reward = self._running.reward_scale.scale(trajectory.reward, trajectory.mask)
        return trajectory._replace(reward=reward)

    def output(self, trajectory: Trajectory) -> forward.TrajectoryOutput:
        """What the network says of a trajectory under the present weights."""
        return forward.over_trajectory(self.model, trajectory, self._num_shards)

    def loss(self, trajectory: Trajectory) -> tuple[tf.Tensor, Metrics]:
        """The A2C loss of a trajectory under the present weights, and its parts."""
        return self._loss(*self.output(trajectory), trajectory, self.weights)

    def update(self, trajectory: Trajectory) -> Metrics:
        """One step down the gradient of the A2C loss; returns scalars.

        A gradient that is not finite counts as 0, and `grad/global_norm` tells.
        """
        with tf.GradientTape() as tape:
            loss, metrics = self.loss(trajectory)
        gradients = tape.gradient(loss, self.model.trainable_variables)
        entropy_coef = self.weights.entropy_coef
        norm = tf.linalg.global_norm(gradients)  # not accelerated: XLA adds up large arrays slowly
        descent = self._descend(gradients, norm, trajectory.mask)
        self._merge_observations(trajectory)
        return {**metrics, **descent, "entropy_coef": entropy_coef}

    def _clip_and_apply(
        self, gradients: list[tf.Tensor], norm: tf.Tensor, mask: tf.Tensor
    ) -> Metrics:
        learning_rate = self._schedules.learning_rate(self.env_steps)
        self.optimizer.learning_rate.assign(learning_rate)
        scale = self._max_grad_norm / tf.maximum(norm, self._max_grad_norm)
        finite = tf.math.is_finite(norm)
        clipped = [tf.where(finite, gradient * scale, 0.0) for gradient in gradients]
        self.optimizer.apply(clipped)
        self.updates.assign_add(1)
        self.env_steps.assign_add(tf.cast(tf.reduce_sum(mask), tf.int64))
        return {
            "grad/global_norm": norm,
            "grad/clipped": tf.cast(norm > self._max_grad_norm, tf.float32),
            "learning_rate": learning_rate,
        }

    def _merge_observations(self, trajectory: Trajectory) -> None:
        """Counts o_1 .. o_T in, once each; acting and learning have used the same statistics."""
        arrays = tf.nest.flatten(trajectory.observation)
        for normalizer, x in zip(self._running.normalizers, arrays, strict=False):
            if normalizer is not None:
                normalizer.merge(tf.reshape(x[1:], [-1, *x.shape[2:]]))
