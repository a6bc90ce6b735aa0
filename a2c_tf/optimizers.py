"""RMSprop as TensorFlow 1 defined it, beside the optimizers that Keras has, and schedules."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf

from a2c_tf.config import OptimizerConfig, ScheduleConfig

Schedule = Callable[[tf.Tensor], tf.Tensor]
"""environment steps, a scalar integer tensor -> the coefficient, a scalar float32."""


class RMSpropTF1(keras.optimizers.Optimizer):
    """RMSprop whose mean square starts at one and whose ε stands inside the root.

        s ← ρ·s + (1-ρ)·g²,  s_0 = 1
        w ← w - lr · g / sqrt(s + ε)

    Keras differs in s_0 = 0, which makes the first steps up to 1/sqrt(1-ρ) times larger; PyTorch
    differs in that too and adds ε outside. From the `RMSPropOptimizer` of TensorFlow 1, which
    A2C was published with.

    Args:
      learning_rate: lr.
      rho: ρ, the decay of the mean square.
      epsilon: ε.
      **settings: those of every Keras optimizer, as `name` and `clipnorm`.
    """

    def __init__(
        self,
        learning_rate: float = 1e-3,
        rho: float = 0.9,
        epsilon: float = 1e-7,
        **settings: Any,
    ) -> None:
        super().__init__(learning_rate, **settings)
        self.rho = rho
        self.epsilon = epsilon

    def build(self, variables: list[keras.Variable]) -> None:
        """Creates the mean square of each variable, named as the slots of Keras's RMSprop are."""
        if self.built:
            return
        super().build(variables)
        mean_squares = self.add_optimizer_variables(variables, "velocity", initializer="ones")
        # Keras tracks the elements of a dict, whose keys must then be strings: not those of a proxy
        self._mean_squares = MappingProxyType(
            {_key(variable): s for variable, s in zip(variables, mean_squares, strict=True)}
        )

    def update_step(
        self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor
    ) -> None:
        """Updates one variable and its mean square.

        Args:
          gradient: g, of the variable's shape.
          variable: w.
          learning_rate: lr, a scalar.
        """
        ops, mean_square = keras.ops, self._mean_squares[_key(variable)]
        learning_rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        decayed = ops.multiply(self.rho, mean_square)
        self.assign(mean_square, ops.add(decayed, ops.multiply(1 - self.rho, ops.square(gradient))))
        root = ops.sqrt(ops.add(mean_square, self.epsilon))
        self.assign_sub(variable, ops.divide(ops.multiply(learning_rate, gradient), root))

    def get_config(self) -> dict[str, Any]:
        """Returns the settings from which `from_config` makes an equal optimizer."""
        return {**super().get_config(), "rho": self.rho, "epsilon": self.epsilon}


def _key(variable: keras.Variable | tf.Variable) -> Any:
    """Returns a dict key for a variable, the same for Keras's and for TensorFlow's within it."""
    return (variable.value if isinstance(variable, keras.Variable) else variable).ref()


def make_optimizer(config: OptimizerConfig) -> keras.optimizers.Optimizer:
    """Returns the optimizer that `config` names, with its learning rate as a variable."""
    # named, since Keras numbers what has no name and checkpoints go by it
    settings: dict[str, Any] = {"epsilon": config.epsilon, "name": config.name}
    with _float32():
        if config.name == "adam":
            return keras.optimizers.Adam(config.learning_rate, **settings)
        family = RMSpropTF1 if config.name == "rmsprop_tf1" else keras.optimizers.RMSprop
        return family(config.learning_rate, rho=config.rho, **settings)


@contextlib.contextmanager
def _float32() -> Iterator[None]:
    """Gives what is made inside float32, since the variable of a learning rate has no setting."""
    before = keras.config.floatx()
    keras.config.set_floatx("float32")
    try:
        yield
    finally:
        keras.config.set_floatx(before)


def make_schedule(value: float, config: ScheduleConfig, total_steps: int) -> Schedule:
    """Returns the schedule of a coefficient that starts at `value`.

        constant:   value
        linear:     value · (1 - x)
        cosine:     value · (1 + cos πx) / 2    (Loshchilov and Hutter, 2017, without restarts)
        piecewise:  value · the factor of the last milestone (step, factor) that was reached

    with x = steps / total_steps, at most 1.

    Args:
      value: the coefficient at the start.
      config: shape, and milestones where it is piecewise.
      total_steps: environment steps at which linear and cosine are 0.

    Returns:
      A function from environment steps, a scalar integer tensor, to the coefficient, a scalar
      float32.
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
        steps, factors = zip((0, 1.0), *config.milestones, strict=True)
        reached = tf.reduce_sum(tf.cast(env_steps >= tf.constant(steps, env_steps.dtype), tf.int32))
        return value * tf.gather(tf.constant(factors, tf.float32), reached - 1)

    shapes = {"constant": constant, "linear": linear, "cosine": cosine, "piecewise": piecewise}
    return shapes[config.shape]
