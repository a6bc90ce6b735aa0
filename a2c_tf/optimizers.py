"""RMSprop as TensorFlow 1 defined it, and learning-rate schedules in environment steps."""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from a2c_tf.config import OptimizerConfig

Schedule = Callable[[tf.Tensor], tf.Tensor]


class RMSpropTF1(keras.optimizers.RMSprop):
    """RMSprop whose mean square starts at one and whose ε stands inside the root:

        s ← ρ·s + (1-ρ)·g²,  s_0 = 1
        w ← w - lr · g / sqrt(s + ε)

    Keras differs in s_0 = 0, which makes the first steps up to 1/sqrt(1-ρ) times larger; PyTorch
    differs in that too and adds ε outside. From the `RMSPropOptimizer` of TensorFlow 1, which
    A2C was published with.
    """

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        for mean_square in self._velocities:
            mean_square.assign(keras.ops.ones_like(mean_square))


def make_optimizer(config: OptimizerConfig) -> keras.optimizers.Optimizer:
    """The optimizer that `config` names, with its learning rate as a variable."""
    # named, since Keras numbers what has no name and checkpoints go by it
    return RMSpropTF1(
        config.learning_rate, rho=config.rho, epsilon=config.epsilon, name=config.name
    )


def make_schedule(config: OptimizerConfig, total_steps: int) -> Schedule:
    """The learning rate as a function of the environment steps taken, a scalar tensor."""

    def constant(env_steps: tf.Tensor) -> tf.Tensor:
        return tf.constant(config.learning_rate, tf.float32)

    def linear(env_steps: tf.Tensor) -> tf.Tensor:
        progress = tf.cast(env_steps, tf.float32) / float(total_steps)
        return config.learning_rate * tf.maximum(1.0 - progress, 0.0)

    return {"constant": constant, "linear": linear}[config.schedule]
