"""The actor-critic: one torso that policy and value share, as a Keras functional model."""

from __future__ import annotations

from collections.abc import Callable

import gymnasium
import keras
import numpy as np

from a2c_tf import distributions
from a2c_tf.config import NetworkConfig
from a2c_tf.types import EnvSpec

HIDDEN_GAIN = 2.0**0.5
POLICY_GAIN = 0.01  # the first policy is nearly uniform
VALUE_GAIN = 1.0

Torso = Callable[[keras.KerasTensor, "Initializers", NetworkConfig], keras.KerasTensor]


class Initializers:
    """Orthogonal initializers, each with a seed of its own, so that one seed gives the weights."""

    def __init__(self, seed: int) -> None:
        self._seeds = np.random.SeedSequence(seed)

    def __call__(self, gain: float) -> keras.initializers.Orthogonal:
        (child,) = self._seeds.spawn(1)
        return keras.initializers.Orthogonal(gain, seed=int(child.generate_state(1)[0] >> 1))


def make_actor_critic(spec: EnvSpec, config: NetworkConfig, seed: int = 0) -> keras.Model:
    """The model observation -> {"policy": [B, P], "value": [B]}, both float32.

    P is what the distribution over the environment's actions asks for.

    Observations come in the environment's own dtype; their scaling is inside the model. Weights
    are orthogonal with gain √2, the policy head's 0.01 and the value head's 1; biases are 0.

    Args:
      spec: for the spaces.
      config: which torso, how wide.
      seed: of the initial weights.

    Raises:
      ValueError: for an observation space that the torso does not take, or an action space
        without a distribution.
    """
    parameter_size = distributions.for_space(spec.action_space).parameter_size
    space = _checked(spec.observation_space, config)
    initializers = Initializers(seed)
    observation = keras.Input(space.shape, dtype=str(space.dtype), name="observation")
    features = TORSOS[config.torso](_scaled(observation, space), initializers, config)
    for i, width in enumerate(config.hidden):
        features = _dense(width, initializers, config, f"torso_dense_{i}")(features)
    policy = keras.layers.Dense(
        parameter_size, kernel_initializer=initializers(POLICY_GAIN), name="policy"
    )(features)
    value = keras.layers.Dense(1, kernel_initializer=initializers(VALUE_GAIN), name="value_head")(
        features
    )
    value = keras.layers.Reshape((), name="value")(value)
    return keras.Model(observation, {"policy": policy, "value": value}, name="actor_critic")


def _checked(space: gymnasium.Space, config: NetworkConfig) -> gymnasium.spaces.Box:
    if not isinstance(space, gymnasium.spaces.Box):
        raise ValueError(
            f"observation space {space} is not supported: expected a Box; "
            "wrap the environment, for instance in gymnasium.wrappers.FlattenObservation"
        )
    minimum = {"minatar": (3, 3), "nature": (36, 36), "mlp": ()}[config.torso]
    is_image = len(space.shape) == 3 and all(
        size >= least for size, least in zip(space.shape, minimum, strict=False)
    )
    if minimum and not is_image:
        raise ValueError(
            f"network.torso={config.torso} takes images [height, width, channels] of at least "
            f"{minimum[0]}x{minimum[1]}; received observations of shape {space.shape}; "
            "set network.torso=mlp"
        )
    return space


def _scaled(x: keras.KerasTensor, space: gymnasium.spaces.Box) -> keras.KerasTensor:
    """Float32; integers are divided by their bound, so that pixels lie in [0, 1]."""
    x = keras.ops.cast(x, "float32")
    bound = float(np.max(space.high))
    return x / bound if np.issubdtype(space.dtype, np.integer) and bound > 1 else x


def _minatar(
    x: keras.KerasTensor, initializers: Initializers, config: NetworkConfig
) -> keras.KerasTensor:
    """The convolution of MinAtar's actor-critic (Young and Tian, 2019): 16 filters of 3x3."""
    return keras.layers.Flatten()(_conv(16, 3, 1, initializers, config, "torso_conv_0")(x))


def _nature(
    x: keras.KerasTensor, initializers: Initializers, config: NetworkConfig
) -> keras.KerasTensor:
    """The convolutions of DQN (Mnih et al., 2015)."""
    layers = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
    for i, (filters, size, stride) in enumerate(layers):
        x = _conv(filters, size, stride, initializers, config, f"torso_conv_{i}")(x)
    return keras.layers.Flatten()(x)


def _mlp(
    x: keras.KerasTensor, initializers: Initializers, config: NetworkConfig
) -> keras.KerasTensor:
    return keras.layers.Flatten()(x)


TORSOS: dict[str, Torso] = {"minatar": _minatar, "nature": _nature, "mlp": _mlp}


def _conv(
    filters: int,
    size: int,
    stride: int,
    initializers: Initializers,
    config: NetworkConfig,
    name: str,
) -> keras.layers.Layer:
    return keras.layers.Conv2D(
        filters,
        size,
        stride,
        activation=config.activation,
        kernel_initializer=initializers(HIDDEN_GAIN),
        name=name,
    )


def _dense(
    width: int, initializers: Initializers, config: NetworkConfig, name: str
) -> keras.layers.Layer:
    return keras.layers.Dense(
        width,
        activation=config.activation,
        kernel_initializer=initializers(HIDDEN_GAIN),
        name=name,
    )
