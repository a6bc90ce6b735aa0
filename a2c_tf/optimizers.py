"""RMSprop as TensorFlow 1 defined it, beside the optimizers that Keras has, and schedules."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from a2c_tf.config import OptimizerConfig

Schedule = Callable[[tf.Tensor], tf.Tensor]
"""environment steps, a scalar integer tensor -> the coefficient, a scalar float32."""


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
    settings = {"epsilon": config.epsilon, "name": config.name}
    if config.name == "adam":
        return keras.optimizers.Adam(config.learning_rate, **settings)
    family = RMSpropTF1 if config.name == "rmsprop_tf1" else keras.optimizers.RMSprop
    return family(config.learning_rate, rho=config.rho, **settings)


def make_schedule(
    value: float, shape: str, milestones: Sequence[tuple[int, float]], total_steps: int
) -> Schedule:
    """The schedule that starts at `value`; with x = steps / total_steps, at most 1, it is

    constant:   value
    linear:     value · (1 - x)
    cosine:     value · (1 + cos πx) / 2    (Loshchilov and Hutter, 2017, without restarts)
    piecewise:  value · the factor of the last milestone (step, factor) that was reached
    """

    def progress(env_steps: tf.Tensor) -> tf.Tensor:
        return tf.minimum(tf.cast(env_steps, tf.float32) / float(total_steps), 1.0)

    def constant(env_steps: tf.Tensor) -> tf.Tensor:
        return tf.constant(value, tf.float32)

    def linear(env_steps: tf.Tensor) -> tf.Tensor:
        return value * (1.0 - progress(env_steps))

    def cosine(env_steps: tf.Tensor) -> tf.Tensor:
        return value * (1.0 + tf.cos(math.pi * progress(env_steps))) / 2.0

    def piecewise(env_steps: tf.Tensor) -> tf.Tensor:
        steps, factors = zip((0, 1.0), *milestones, strict=True)
        reached = tf.reduce_sum(tf.cast(env_steps >= tf.constant(steps, env_steps.dtype), tf.int32))
        return value * tf.gather(tf.constant(factors, tf.float32), reached - 1)

    shapes = {"constant": constant, "linear": linear, "cosine": cosine, "piecewise": piecewise}
    return shapes[shape]
