"""Our networks for CartPole and MinAtar in plain JAX."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from benchmarks.workloads import Workload

Parameters = dict[str, Any]
FILTERS, SIZE = 16, 3
GAINS = {"policy": 0.01, "value": 1.0}
ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh}


class Output(NamedTuple):
    """Outputs of the network."""

    logits: jax.Array  # [B, A]
    value: jax.Array  # [B]


def initial(
    key: jax.Array, workload: Workload, observation_shape: tuple[int, ...], actions: int
) -> Parameters:
    """Returns orthogonal kernels, and biases of zero."""
    shapes, width = {}, observation_shape[-1]
    if workload.torso == "minatar":
        height, columns, channels = observation_shape
        shapes["conv"] = (SIZE * SIZE * channels, FILTERS)
        width = (height - SIZE + 1) * (columns - SIZE + 1) * FILTERS
    for i, units in enumerate(workload.hidden):
        shapes[f"dense_{i}"] = (width, units)
        width = units
    shapes |= {"policy": (width, actions), "value": (width, 1)}
    keys = jax.random.split(key, len(shapes))
    return {
        name: {
            "kernel": jax.nn.initializers.orthogonal(GAINS.get(name, 2.0**0.5))(keys[i], shape),
            "bias": jnp.zeros(shape[1]),
        }
        for i, (name, shape) in enumerate(shapes.items())
    }


def apply(parameters: Parameters, observation: jax.Array, workload: Workload) -> Output:
    """Applies the network to `[B, ...]`."""
    activate, x = ACTIVATIONS[workload.activation], observation
    if "conv" in parameters:
        convolve = _convolved if workload.convolution == "lax" else _multiplied
        x = activate(convolve(parameters["conv"], x))
    x = x.reshape(x.shape[0], -1)
    for i in range(len(workload.hidden)):
        x = activate(_affine(parameters[f"dense_{i}"], x))
    value = _affine(parameters["value"], x)[:, 0]
    return Output(_affine(parameters["policy"], x), value)


def _affine(layer: Parameters, x: jax.Array) -> jax.Array:
    return x @ layer["kernel"] + layer["bias"]


def _multiplied(layer: Parameters, x: jax.Array) -> jax.Array:
    return _affine(layer, _patches(x))


def _convolved(layer: Parameters, x: jax.Array) -> jax.Array:
    """As flax's layers do it."""
    kernel = layer["kernel"].reshape(SIZE, SIZE, -1, FILTERS)
    form = ("NHWC", "HWIO", "NHWC")
    y = jax.lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=form)
    return y + layer["bias"]


def _patches(x: jax.Array) -> jax.Array:
    """The squares that a convolution sees, `[B, 8, 8, 9·C]`.

    XLA multiplies these several times as fast as it convolves on a CPU.
    """
    height, width = x.shape[1] - SIZE + 1, x.shape[2] - SIZE + 1
    squares = [x[:, i : i + height, j : j + width] for i in range(SIZE) for j in range(SIZE)]
    return jnp.concatenate(squares, axis=-1)
