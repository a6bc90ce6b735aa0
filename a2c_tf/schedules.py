"""Coefficients that change with the environment steps taken."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

Schedule = Callable[[tf.Tensor], tf.Tensor]
"""environment steps, a scalar integer tensor -> the coefficient, a scalar float32."""


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
