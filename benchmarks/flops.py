"""Floating-point operations of a network, counted from the shapes of its layers.

A multiplication and an addition count as two. Biases, activations, losses and the optimizer are
left out: they are below 2 % where convolutions and matrix products matter at all.
"""

from __future__ import annotations

from typing import NamedTuple

import keras
import numpy as np

LAYERS = (keras.layers.Conv2D, keras.layers.Dense)


class Flops(NamedTuple):
    """Floating-point operations for one step of one environment."""

    acting: int
    """a forward pass."""
    training: int
    """acting, a forward pass if that of acting is not kept, a backward pass, and a bootstrap value
    in T."""


def count(model: keras.Model, unroll_length: int, keeps_activations: bool) -> Flops:
    """Counts the operations of a network whose torso is shared, and which has no memory."""
    layers = [layer for layer in model.layers if isinstance(layer, LAYERS)]
    forward = sum(2 * multiplications(layer) for layer in layers)
    # gradients of the weights, and of the inputs but for the first layer's, the observation
    backward = 2 * forward - 2 * multiplications(layers[0])
    passes = 1 if keeps_activations else 2
    return Flops(forward, passes * forward + backward + round(forward / unroll_length))


def multiplications(layer: keras.layers.Layer) -> int:
    """Returns those of one sample in a convolution or a matrix product: places x kernel size."""
    places = int(np.prod(layer.output.shape[1:-1]))
    return places * int(np.prod(layer.kernel.shape))
