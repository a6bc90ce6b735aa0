"""The network in float64: equal to NumPy's arithmetic, whatever its graph consists of."""

from __future__ import annotations

from typing import Any

import gymnasium
import keras
import numpy as np
import pytest
import tensorflow as tf

from a2c_tf import config
from a2c_tf.agent import Agent, make_agent
from a2c_tf.distributions import Categorical
from a2c_tf.types import EnvSpec
from export import float64
from export.inference import Inference, Inputs, Outputs

VECTOR = gymnasium.spaces.Box(-np.inf, np.inf, (6,), np.float32)


def agent_for(space: gymnasium.Space, *overrides: str) -> Agent:
    """A fresh agent with 3 actions."""
    spec = EnvSpec("Drawn-v0", "graph", 2, space, gymnasium.spaces.Discrete(3))
    return make_agent(spec, config.load("cartpole", list(overrides)))


def randomized(agent: Agent) -> dict[str, np.ndarray]:
    """The weights by path, once they are random numbers, in float64."""
    rng = np.random.default_rng(0)
    for weight in agent.model.weights:
        weight.assign(rng.normal(0, 0.3, weight.shape).astype(weight.dtype))
    return {weight.path: weight.numpy().astype(np.float64) for weight in agent.model.weights}


def exact(inference: Inference, inputs: Inputs) -> Outputs:
    return float64.in_float64(float64.trace(inference))(inputs)


def dense(x: np.ndarray, weights: dict[str, np.ndarray], name: str) -> np.ndarray:
    kernel, bias = (
        next(w for path, w in weights.items() if path.endswith(f"{name}/{part}"))
        for part in ("kernel", "bias")
    )
    return x @ kernel + bias


def check_heads(features: np.ndarray, weights: dict[str, np.ndarray], outputs: Outputs) -> None:
    logits = dense(features, weights, "policy")
    np.testing.assert_allclose(outputs["logits"], logits, rtol=1e-13, atol=1e-14)
    value = dense(features, weights, "value_head")[:, 0]
    np.testing.assert_allclose(outputs["value"], value, rtol=1e-13, atol=1e-14)
    np.testing.assert_array_equal(outputs["action"], logits.argmax(axis=-1))
    assert [outputs[n].dtype for n in ("logits", "value")] == [np.float64, np.float64]


def test_an_mlp_is_what_numpy_computes() -> None:
    agent = agent_for(VECTOR, "network.hidden=[9, 7]")
    weights = randomized(agent)
    x = np.random.default_rng(1).normal(size=(20, 6)).astype(np.float32)
    features = x.astype(np.float64)
    for i in range(2):
        features = np.tanh(dense(features, weights, f"torso_dense_{i}"))
    check_heads(features, weights, exact(Inference(agent), {"observation": x}))


def test_a_convolution_of_pixels_is_what_numpy_computes() -> None:
    space = gymnasium.spaces.Box(0, 255, (6, 6, 2), np.uint8)
    agent = agent_for(
        space, "network.torso=minatar", "network.activation=relu", "network.hidden=[]"
    )
    weights = randomized(agent)
    x = np.random.default_rng(1).integers(0, 256, (5, 6, 6, 2)).astype(np.uint8)
    kernel, bias = (
        weights[path] for path in weights if "conv" in path and path.endswith(("kernel", "bias"))
    )
    patches = np.lib.stride_tricks.sliding_window_view(x / 255.0, (3, 3), axis=(1, 2))
    features = np.maximum(0, np.einsum("nijchw,hwcf->nijf", patches, kernel) + bias)
    outputs = exact(Inference(agent), {"observation": x})
    check_heads(features.reshape(5, -1), weights, outputs)


def test_every_number_is_changed_once_where_asked_for() -> None:
    agent = agent_for(VECTOR, "network.hidden=[]")
    weights = randomized(agent)
    x = np.random.default_rng(1).normal(size=(4, 6)).astype(np.float32)
    changed = float64.in_float64(float64.trace(Inference(agent)), lambda array: 2 * array)
    kernel, bias = (weights[path] for path in weights if "/policy/" in f"/{path}")
    np.testing.assert_allclose(
        changed({"observation": x})["logits"], 4 * (x @ kernel) + 2 * bias, rtol=1e-12
    )


def test_it_has_the_weights_of_the_moment_it_is_made() -> None:
    agent = agent_for(VECTOR)
    traced = float64.trace(Inference(agent))
    inputs = {"observation": np.ones((1, 6), np.float32)}
    before = float64.in_float64(traced)(inputs)
    randomized(agent)
    assert not np.allclose(float64.in_float64(traced)(inputs)["logits"], before["logits"])


class Compiled(keras.layers.Layer):
    """A user's layer that calls a compiled function, with a branch and a gradient of its own."""

    @tf.function(autograph=False)
    def call(self, x: tf.Tensor) -> tf.Tensor:
        doubled = tf.cond(tf.reduce_any(x > 1e6), lambda: x, lambda: 2.0 * x)
        return tf.nn.silu(doubled) + keras.activations.gelu(x)


def looped(observation: Any) -> Any:
    """A recurrent layer within a step."""
    return keras.layers.GRU(5)(keras.layers.Reshape((3, 2))(observation))


BODIES = {
    "silu": lambda x: keras.layers.Dense(5, "silu")(x),
    "gelu": lambda x: keras.layers.Dense(5, "gelu")(x),
    "compiled": lambda x: Compiled()(keras.layers.Dense(5)(x)),
    "loop": looped,
    "normalized": lambda x: keras.layers.LayerNormalization()(keras.layers.Dense(5)(x)),
    "batch": lambda x: keras.layers.BatchNormalization()(keras.layers.Dense(5)(x)),
    "rescaled": lambda x: keras.layers.Rescaling(1 / 3, 0.1)(x),
}


@pytest.mark.parametrize("body", BODIES)
def test_whatever_a_user_builds_is_what_float32_rounds(body: str) -> None:
    observation = keras.Input((6,), name="observation")
    x = BODIES[body](observation)
    heads = {"policy": keras.layers.Dense(3)(x), "value": keras.layers.Dense(1)(x)[:, 0]}
    model = keras.Model(observation, heads)
    spec = EnvSpec("Drawn-v0", "graph", 2, VECTOR, gymnasium.spaces.Discrete(3))
    inference = Inference(Agent(spec, Categorical(3), model))
    inputs = {"observation": np.random.default_rng(1).normal(size=(50, 6)).astype(np.float32)}
    received, rounded = exact(inference, inputs), inference(inputs)
    for name in ("logits", "value"):
        assert received[name].dtype == np.float64
        assert 0 < np.abs(received[name] - rounded[name]).max() < 3e-6
