"""The learner: the only place where weights change."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from a2c_tf.distributions import Distribution
from a2c_tf.losses import LossConfig, a2c_loss
from a2c_tf.networks import forward
from a2c_tf.networks.forward import ApplyToTrajectory, TrajectoryOutput
from a2c_tf.networks.normalization import RunningNormalization
from a2c_tf.optimizers import Schedule
from a2c_tf.running_statistics import RewardScale, scale_reward
from a2c_tf.types import METRICS, Compiler, Metrics, Trajectory


class LearnerConfig(NamedTuple):
    """The scalars of an update."""

    loss: LossConfig
    """its entropy coefficient follows the schedule."""
    learning_rate: Schedule
    """by environment steps."""
    entropy_coef: Schedule
    """by environment steps."""
    max_grad_norm: float
    """the gradient's global norm is clipped to this."""


class RunningStatistics(NamedTuple):
    """The running statistics that learning keeps beside the weights."""

    normalizers: Sequence[RunningNormalization | None] = ()
    """of each array of an observation."""
    reward_scale: RewardScale | None = None
    """None leaves rewards as they are."""


NO_STATISTICS = RunningStatistics()


class Learner:
    """Holds model, optimizer and counters, and makes the update that one trajectory gives.

    Args:
      model: as `networks.make_actor_critic` makes it.
      optimizer: its learning rate is set before each update.
      distribution: the family that the policy head parametrises.
      config: the scalars of an update.
      statistics: of observations and rewards.
      apply_to_trajectory: the network over a trajectory, as `forward.apply_to_trajectory`.
      compiler: compiles the loss, and the step of the optimizer.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        distribution: Distribution,
        config: LearnerConfig,
        statistics: RunningStatistics = NO_STATISTICS,
        apply_to_trajectory: ApplyToTrajectory = forward.apply_to_trajectory,
        compiler: Compiler = lambda function: function,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.distribution = distribution
        self.env_steps = tf.Variable(0, dtype=tf.int64, name="env_steps")
        self.updates = tf.Variable(0, dtype=tf.int64, name="updates")
        self._config = config
        self._statistics = statistics
        self._apply_to_trajectory = apply_to_trajectory
        self._loss = compiler(functools.partial(a2c_loss, distribution))
        self._apply_gradients = compiler(self._clip_and_apply)
        optimizer.build(model.trainable_variables)

    @property
    def variables(self) -> list[Any]:
        """Everything but the model that a checkpoint must hold, counters apart."""
        scale = self._statistics.reward_scale
        return [*self.optimizer.variables, *(scale.variables if scale else ())]

    @property
    def loss_config(self) -> LossConfig:
        """The scalars of the loss at this step."""
        entropy_coef = self._config.entropy_coef(self.env_steps)
        return self._config.loss._replace(entropy_coef=entropy_coef)

    def output(self, trajectory: Trajectory) -> TrajectoryOutput:
        """Applies the network to a trajectory under the present weights."""
        return self._apply_to_trajectory(self.model, trajectory)

    def loss(self, trajectory: Trajectory) -> tuple[tf.Tensor, Metrics]:
        """Computes the A2C loss under the present weights, and its parts."""
        return self._loss(*self.output(trajectory), trajectory, self.loss_config)

    def update(self, trajectory: Trajectory) -> Metrics:
        """Takes one step down the gradient of the A2C loss; returns scalars by name.

        A gradient that is not finite counts as 0, and `grad/global_norm` shows it.
        """
        trajectory = self.scale_rewards(trajectory, assign=True)
        with tf.GradientTape() as tape:
            loss, metrics = self.loss(trajectory)
        gradients = tape.gradient(loss, self.model.trainable_variables)
        entropy_coef = self.loss_config.entropy_coef
        norm = tf.linalg.global_norm(gradients)  # not compiled: XLA adds up large arrays slowly
        applied = self._apply_gradients(gradients, norm, trajectory.mask)
        self._count_observations(trajectory)
        return {**metrics, **applied, METRICS.entropy_coef: entropy_coef}

    def scale_rewards(self, trajectory: Trajectory, assign: bool = False) -> Trajectory:
        """Returns the trajectory with the rewards that the loss is computed from.

        Args:
          trajectory: with the environment's own rewards, which are counted in first.
          assign: whether the learner remembers the new statistics.
        """
        scale = self._statistics.reward_scale
        if scale is None:
            return trajectory
        counted = scale.count(trajectory.reward, trajectory.mask)
        if assign:
            scale.assign(counted)
        return trajectory._replace(reward=scale_reward(trajectory.reward, counted))

    def _clip_and_apply(
        self, gradients: list[tf.Tensor], norm: tf.Tensor, mask: tf.Tensor
    ) -> Metrics:
        learning_rate = self._config.learning_rate(self.env_steps)
        self.optimizer.learning_rate.assign(learning_rate)
        max_norm = self._config.max_grad_norm
        scale = max_norm / tf.maximum(norm, max_norm)
        finite = tf.math.is_finite(norm)
        self.optimizer.apply([tf.where(finite, gradient * scale, 0.0) for gradient in gradients])
        self.updates.assign_add(1)
        self.env_steps.assign_add(tf.cast(tf.reduce_sum(mask), tf.int64))
        return {
            METRICS.gradient_norm: norm,
            METRICS.clipped: tf.cast(norm > max_norm, tf.float32),
            METRICS.learning_rate: learning_rate,
        }

    def _count_observations(self, trajectory: Trajectory) -> None:
        """Counts o_1 .. o_T in, once each, after acting and learning used the same statistics."""
        arrays = tf.nest.flatten(trajectory.observation)
        for normalizer, x in zip(self._statistics.normalizers, arrays, strict=False):
            if normalizer is not None:
                normalizer.merge(forward.flatten_time(x[1:]))
