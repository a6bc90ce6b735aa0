"""The actor-critic: torsos, recurrent core and heads as one Keras functional model."""

from __future__ import annotations

from collections.abc import Iterator

import gymnasium
import keras
import tensorflow as tf

from a2c_tf import distributions, spaces
from a2c_tf.config import NetworkConfig
from a2c_tf.distributions import Distribution
from a2c_tf.networks import custom, encoding
from a2c_tf.networks.cores import make_core
from a2c_tf.networks.normalization import RunningNormalization
from a2c_tf.networks.torsos import (
    DTYPE,
    SMALLEST_IMAGE,
    Initializers,
    choose_torso,
    make_torso,
)
from a2c_tf.types import EnvSpec

POLICY_GAIN = 0.01  # the first policy is nearly uniform
VALUE_GAIN = 1.0

HEADS = ("policy", "value_head")
"""names of the layers that the outputs come from."""
TORSO_KINDS = (
    keras.layers.Activation,
    keras.layers.Conv2D,
    keras.layers.Dense,
    keras.layers.Flatten,
    keras.layers.MaxPooling2D,
)

Heads = dict[str, keras.KerasTensor]


def make_actor_critic(spec: EnvSpec, config: NetworkConfig, seed: int = 0) -> keras.Model:
    """Builds the model observation -> {"policy": [B, P], "value": [B]}, both float32.

    With a recurrent core it is {"observation", "core_state" [B, S]} -> the same and the next
    "core_state". P is the `head_size + constant_size` of the distribution over the environment's
    actions. Observations come in the environment's own dtype, a Dict as a dict; their scaling is
    inside the model. Weights are orthogonal with gain √2, the policy head's 0.01 and the value
    head's 1; biases are 0.

    Args:
      spec: for the spaces.
      config: which torso and core, how wide, and whether policy and value share them; or whose
        model.
      seed: of the initial weights; a user's own model initialises its own.

    Returns:
      The Keras functional model `actor_critic`.

    Raises:
      ValueError: for spaces that network or distribution do not take, or a user's model that
        does not fit them.
    """
    distribution = distributions.for_space(spec.action_space, config.squash_actions)
    if config.builder:
        model = custom.build(config.builder, spec, distribution.head_size)
        heads = {**model.output, "policy": _whole(model.output["policy"], distribution, config)}
        return keras.Model(model.input, heads, name="actor_critic")
    if config.torso == "auto":
        torso = choose_torso(spec.observation_space)
        config = config.model_copy(update={"torso": torso})
    initializers = Initializers(seed)
    observation = _inputs(spec)
    streams = _streams(observation, spec, config, initializers)
    if config.core == "none":
        heads = _heads(streams, distribution, config, initializers)
        return keras.Model(observation, heads, name="actor_critic")
    return _recurrent(observation, streams, distribution, config, initializers)


def has_convolutions(model: keras.Model) -> bool:
    """Returns whether any layer is a convolution, which graph mode computes faster than XLA."""
    kinds = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    return any(isinstance(layer, kinds) for layer in _layers(model))


def torso_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Returns the layers between the encoded observation and core or heads."""
    layers = [layer for layer in _layers(model) if isinstance(layer, TORSO_KINDS)]
    return [layer for layer in layers if layer.name not in HEADS]


def image_layers(model: keras.Model) -> list[encoding.Planes]:
    """Returns the layers that convert images of integers, channels first, for convolutions."""
    return [layer for layer in _layers(model) if isinstance(layer, encoding.Planes)]


def normalizers(model: keras.Model, spec: EnvSpec) -> list[RunningNormalization | None]:
    """Returns the layer that normalises each array of an observation, None where there is none."""
    layers = {layer.name: layer for layer in _layers(model)}
    names = spaces.parts(spec.observation_space)
    return [layers.get(encoding.normalizer_name(name)) for name in names]


def _layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _layers(layer)


class LearnedConstant(keras.layers.Layer):
    """Appends weights to `[B, N]`, the same in every row: `[B, N + size]`."""

    def __init__(self, size: int, value: float, **settings: str) -> None:
        super().__init__(**settings)
        self._size, self._value = size, value

    def build(self, shape: tuple[int | None, ...]) -> None:
        initializer = keras.initializers.Constant(self._value)
        self.weight = self.add_weight((self._size,), initializer, name="weight")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        rows = tf.broadcast_to(self.weight, [tf.shape(x)[0], self._size])
        return tf.concat([x, rows], axis=-1)  # [B, N + size]


def _inputs(spec: EnvSpec) -> keras.KerasTensor | dict[str, keras.KerasTensor]:
    parts = spaces.parts(spec.observation_space)
    # Keras wants the inputs of a dict to be named by its keys
    names = [name.removeprefix(f"{spaces.NAME}_") for name in parts]
    arrays = [
        keras.Input(space.shape, dtype=str(space.dtype), name=name)
        for name, space in zip(names, parts.values(), strict=True)
    ]
    return spaces.pack(spec.observation_space, arrays)


def _streams(
    observation: keras.KerasTensor | dict[str, keras.KerasTensor],
    spec: EnvSpec,
    config: NetworkConfig,
    initializers: Initializers,
) -> list[keras.KerasTensor]:
    """Returns the features that policy and value share, or those of each."""
    parts = spaces.parts(spec.observation_space)
    _check_images(parts, config)
    encoded = {
        name: encoding.encode(x, space, name, config.normalize_observation)
        for (name, space), x in zip(parts.items(), tf.nest.flatten(observation), strict=True)
    }

    def stream(torso: str) -> keras.KerasTensor:
        named = {name: torso + name.removeprefix(spaces.NAME) for name in encoded}
        features = [make_torso(x, config, initializers, named[n]) for n, x in encoded.items()]
        # [B, F] of each array -> [B, sum of F]
        return keras.ops.concatenate(features, axis=-1) if len(features) > 1 else features[0]

    return [stream(t) for t in (["torso"] if config.shared else ["policy_torso", "value_torso"])]


def _heads(
    streams: list[keras.KerasTensor],
    distribution: Distribution,
    config: NetworkConfig,
    initializers: Initializers,
) -> Heads:
    """Returns policy and value; the policy reads the first stream and the value the last."""
    policy = _dense(distribution.head_size, POLICY_GAIN, initializers, "policy")(streams[0])
    value = _dense(1, VALUE_GAIN, initializers, "value_head")(streams[-1])
    return {
        "policy": _whole(policy, distribution, config),
        "value": keras.layers.Reshape((), name="value", dtype=DTYPE)(value),  # [B, 1] -> [B]
    }


def _whole(
    policy: keras.KerasTensor, distribution: Distribution, config: NetworkConfig
) -> keras.KerasTensor:
    """Returns the policy head followed by the parameters that are weights."""
    if not distribution.constant_size:
        return policy
    layer = LearnedConstant(
        distribution.constant_size, config.log_std_init, name="log_std", dtype=DTYPE
    )
    return layer(policy)


def _recurrent(
    observation: keras.KerasTensor | dict[str, keras.KerasTensor],
    streams: list[keras.KerasTensor],
    distribution: Distribution,
    config: NetworkConfig,
    initializers: Initializers,
) -> keras.Model:
    """Returns three models in one, since only the core must be run step by step."""
    torso = keras.Model(observation, streams, name="torso")
    core = make_core([x.shape[-1] for x in streams], config, initializers)
    remembered = [keras.Input((config.core_size,), dtype=DTYPE) for _ in streams]
    heads = keras.Model(
        remembered, _heads(remembered, distribution, config, initializers), name="heads"
    )
    core_state = keras.Input(core.inputs[-1].shape[1:], name="core_state", dtype=DTYPE)
    *features, after = core([*torso(observation), core_state])
    return keras.Model(
        {"observation": observation, "core_state": core_state},
        {**heads(features), "core_state": after},
        name="actor_critic",
    )


def _dense(width: int, gain: float, initializers: Initializers, name: str) -> keras.layers.Layer:
    return keras.layers.Dense(width, dtype=DTYPE, kernel_initializer=initializers(gain), name=name)


def _check_images(parts: dict[str, gymnasium.Space], config: NetworkConfig) -> None:
    least = SMALLEST_IMAGE.get(config.torso)
    if least is None:
        return
    sizes = [spaces.sides(space) for space in parts.values() if spaces.is_image(space)]
    if not sizes or min(min(size) for size in sizes) < least:
        shapes = ", ".join(str(space.shape) for space in parts.values())
        raise ValueError(
            f"network.torso={config.torso} takes images of height, width and channels, of at "
            f"least {least}x{least}; received observations of shape {shapes}; "
            "set network.torso=mlp"
        )
