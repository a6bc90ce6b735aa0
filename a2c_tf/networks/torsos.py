"""Torsos: from an observation to the features that core and heads read."""

from __future__ import annotations

from collections.abc import Callable

import gymnasium
import keras
import numpy as np

from a2c_tf import spaces
from a2c_tf.config import NetworkConfig

HIDDEN_GAIN = 2.0**0.5
DTYPE, LAYOUT = "float32", "channels_last"
"""of every layer of ours: without them Keras takes what the user's keras.json says."""


class Initializers:
    """Orthogonal initializers with a seed each, so that one seed determines all weights."""

    def __init__(self, seed: int) -> None:
        self._seeds = np.random.SeedSequence(seed)

    def __call__(self, gain: float) -> keras.initializers.Orthogonal:
        (child,) = self._seeds.spawn(1)
        return keras.initializers.Orthogonal(gain, seed=int(child.generate_state(1)[0] >> 1))


class Layers:
    """Makes the layers of one torso, named and initialised in their order."""

    def __init__(self, config: NetworkConfig, initializers: Initializers, name: str) -> None:
        self._activation = config.activation
        self._initializers = initializers
        self._name = name
        self._convolutions = 0
        self._denses = 0

    def conv(
        self,
        filters: int,
        size: int,
        stride: int = 1,
        padding: str = "valid",
        activate: bool = True,
    ) -> keras.layers.Layer:
        """Makes the next convolution.

        Args:
          filters: number of output channels.
          size: height and width of the kernel.
          stride: pixels between outputs.
          padding: `valid` or `same`.
          activate: whether the activation of the config follows.

        Returns:
          The layer, named `<torso>_conv_<number>`.
        """
        self._convolutions += 1
        return keras.layers.Conv2D(
            filters,
            size,
            stride,
            padding,
            data_format=LAYOUT,
            dtype=DTYPE,
            activation=self._activation if activate else None,
            kernel_initializer=self._initializers(HIDDEN_GAIN),
            name=f"{self._name}_conv_{self._convolutions - 1}",
        )

    def dense(self, width: int) -> keras.layers.Layer:
        """Makes the next dense layer, named `<torso>_dense_<number>`."""
        self._denses += 1
        return keras.layers.Dense(
            width,
            dtype=DTYPE,
            activation=self._activation,
            kernel_initializer=self._initializers(HIDDEN_GAIN),
            name=f"{self._name}_dense_{self._denses - 1}",
        )

    def activation(self) -> keras.layers.Layer:
        """Makes a layer of the activation alone."""
        return keras.layers.Activation(self._activation, dtype=DTYPE)


def make_torso(
    x: keras.KerasTensor, config: NetworkConfig, initializers: Initializers, name: str
) -> keras.KerasTensor:
    """Builds the torso of one encoded array: convolutions of an image, then dense layers.

    Args:
      x: `[B, ...]` float32, an image as `[B, H, W, C]`.
      config: which convolutions, and how wide the dense layers are.
      initializers: of the weights.
      name: of the torso, which its layers' names begin with.

    Returns:
      Features `[B, F]`.
    """
    layers = Layers(config, initializers, name)
    if len(x.shape) == 4:
        x = CONVOLUTIONS[config.torso](x, layers)
    features = keras.layers.Flatten(LAYOUT, dtype=DTYPE)(x)  # [B, numbers]
    for width in config.hidden:
        features = layers.dense(width)(features)
    return features


def _minatar(x: keras.KerasTensor, layers: Layers) -> keras.KerasTensor:
    """Applies the convolution of MinAtar's actor-critic (Young and Tian, 2019)."""
    return layers.conv(16, 3)(x)


def _nature(x: keras.KerasTensor, layers: Layers) -> keras.KerasTensor:
    """Applies the convolutions of DQN (Mnih et al., 2015)."""
    for filters, size, stride in ((32, 8, 4), (64, 4, 2), (64, 3, 1)):
        x = layers.conv(filters, size, stride)(x)
    return x


def _impala(x: keras.KerasTensor, layers: Layers) -> keras.KerasTensor:
    """Applies IMPALA's residual network (Espeholt et al., 2018, figure 3), without its LSTM."""
    for filters in (16, 32, 32):
        x = layers.conv(filters, 3, padding="same", activate=False)(x)
        x = keras.layers.MaxPooling2D(3, 2, "same", LAYOUT, dtype=DTYPE)(x)
        for _ in range(2):
            y = layers.conv(filters, 3, padding="same")(layers.activation()(x))
            x = x + layers.conv(filters, 3, padding="same", activate=False)(y)
    return layers.activation()(x)


def _none(x: keras.KerasTensor, layers: Layers) -> keras.KerasTensor:
    return x


CONVOLUTIONS: dict[str, Callable[[keras.KerasTensor, Layers], keras.KerasTensor]] = {
    "minatar": _minatar,
    "nature": _nature,
    "impala": _impala,
    "mlp": _none,
}
SMALLEST_IMAGE = {"minatar": 3, "nature": 36, "impala": 1}
"""height and width that the convolutions need."""


def choose_torso(space: gymnasium.Space) -> str:
    """Returns the torso for an observation space, of whose images the smallest decides."""
    images = [part for part in spaces.parts(space).values() if spaces.is_image(part)]
    smallest = min((min(spaces.sides(image)) for image in images), default=0)
    return next((name for name in ("nature", "minatar") if smallest >= SMALLEST_IMAGE[name]), "mlp")
