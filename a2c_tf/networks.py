"""The actor-critic: torso and heads as one Keras functional model, or a user's own model."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import gymnasium
import keras
import numpy as np

from a2c_tf import distributions
from a2c_tf.config import NetworkConfig
from a2c_tf.torsos import SMALLEST_IMAGE, Initializers, make_torso
from a2c_tf.types import EnvSpec

POLICY_GAIN = 0.01  # the first policy is nearly uniform
VALUE_GAIN = 1.0


def make_actor_critic(spec: EnvSpec, config: NetworkConfig, seed: int = 0) -> keras.Model:
    """The model observation -> {"policy": [B, P], "value": [B]}, both float32.

    P is what the distribution over the environment's actions asks for. Observations come in the
    environment's own dtype; their scaling is inside the model. Weights are orthogonal with gain
    √2, the policy head's 0.01 and the value head's 1; biases are 0.

    Args:
      spec: for the spaces.
      config: which torso, how wide, and whether policy and value share it; or whose model.
      seed: of the initial weights; a user's own model sees to them itself.

    Raises:
      ValueError: for spaces that network or distribution do not take, or a user's model that
        does not fit them.
    """
    parameter_size = distributions.for_space(spec.action_space).parameter_size
    if config.builder:
        return _built(config.builder, spec, parameter_size)
    space = _checked(spec.observation_space, config)
    initializers = Initializers(seed)
    observation = keras.Input(space.shape, dtype=str(space.dtype), name="observation")
    scaled = _scaled(observation, space)
    if config.shared:
        policy_features = value_features = make_torso(scaled, config, initializers, "torso")
    else:
        policy_features = make_torso(scaled, config, initializers, "policy_torso")
        value_features = make_torso(scaled, config, initializers, "value_torso")
    policy = _head(parameter_size, POLICY_GAIN, initializers, "policy")(policy_features)
    value = _head(1, VALUE_GAIN, initializers, "value_head")(value_features)
    value = keras.layers.Reshape((), name="value")(value)
    return keras.Model(observation, {"policy": policy, "value": value}, name="actor_critic")


def has_convolutions(model: keras.Model) -> bool:
    """Whether any layer is a convolution, which graph mode computes faster than XLA."""
    kinds = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    return any(isinstance(layer, kinds) for layer in model.layers)


def _head(width: int, gain: float, initializers: Initializers, name: str) -> keras.layers.Layer:
    return keras.layers.Dense(width, kernel_initializer=initializers(gain), name=name)


def _checked(space: gymnasium.Space, config: NetworkConfig) -> gymnasium.spaces.Box:
    if not isinstance(space, gymnasium.spaces.Box):
        raise ValueError(
            f"observation space {space} is not supported: expected a Box; "
            "wrap the environment, for instance in gymnasium.wrappers.FlattenObservation"
        )
    least = SMALLEST_IMAGE.get(config.torso)
    if least and not (len(space.shape) == 3 and min(space.shape[:2]) >= least):
        raise ValueError(
            f"network.torso={config.torso} takes images [height, width, channels] of at least "
            f"{least}x{least}; received observations of shape {space.shape}; "
            "set network.torso=mlp"
        )
    return space


def _scaled(x: keras.KerasTensor, space: gymnasium.spaces.Box) -> keras.KerasTensor:
    """Float32; integers are divided by their bound, so that pixels lie in [0, 1]."""
    x = keras.ops.cast(x, "float32")
    bound = float(np.max(space.high))
    return x / bound if np.issubdtype(space.dtype, np.integer) and bound > 1 else x


def _built(path: str, spec: EnvSpec, parameter_size: int) -> keras.Model:
    """What the user's `module:function` makes of (spec, parameter_size), once it is checked."""
    build = _load(path)
    try:
        model = build(spec, parameter_size)
    except Exception as error:  # the user's code may raise anything
        raise ValueError(f"network.builder={path} raised {type(error).__name__}: {error}") from None
    if not isinstance(model, keras.Model):
        raise ValueError(f"network.builder={path} returned {model!r}; expected a keras.Model")
    shape, dtype = (None, *spec.observation_shape), str(spec.observation_space.dtype)
    received = [(tuple(x.shape), x.dtype) for x in model.inputs or []]
    if received != [(shape, dtype)]:
        raise ValueError(
            f"network.builder={path}: the model takes {received}; "
            f"expected one input {shape} {dtype}, the observation"
        )
    expected = {"policy": ((None, parameter_size), "float32"), "value": ((None,), "float32")}
    outputs = model.output if isinstance(model.output, dict) else {"output": model.output}
    given = {name: (tuple(x.shape), x.dtype) for name, x in outputs.items()}
    if given != expected:
        raise ValueError(
            f"network.builder={path}: the model gives {given}; expected the outputs {expected}"
        )
    return model


def _load(path: str) -> Callable[[EnvSpec, int], keras.Model]:
    module_name, _, function_name = path.partition(":")
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"network.builder={path}: {error}; expected my_package.models:build"
        ) from None
    if not callable(function):
        raise ValueError(f"network.builder={path}: is no function but {function!r}")
    return function
