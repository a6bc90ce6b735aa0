"""RMSprop as TensorFlow 1 defined it, beside the optimizers that Keras has."""

from __future__ import annotations

import keras

from a2c_tf.config import OptimizerConfig


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
