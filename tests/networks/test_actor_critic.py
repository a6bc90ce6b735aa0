"""The actor-critic model: shapes, initial weights, scaling, and what it refuses."""

from __future__ import annotations

import gymnasium
import keras
import numpy as np
import pytest
import tensorflow as tf

from a2c_tf.config import NetworkConfig
from a2c_tf.networks import has_convolutions, make_actor_critic
from a2c_tf.types import EnvSpec

VECTOR = gymnasium.spaces.Box(-np.inf, np.inf, (4,), np.float32)
MINATAR = gymnasium.spaces.Box(0, 1, (10, 10, 4), bool)
ATARI = gymnasium.spaces.Box(0, 255, (84, 84, 4), np.uint8)
TUPLE = gymnasium.spaces.Tuple([gymnasium.spaces.Discrete(5)])
MLP = NetworkConfig(torso="mlp", hidden=(64, 64), activation="tanh")


def spec_of(space: gymnasium.Space) -> EnvSpec:
    return EnvSpec("Test-v0", "graph", 2, space, gymnasium.spaces.Discrete(3))


def model_for(space: gymnasium.Space, config: NetworkConfig, seed: int = 0) -> keras.Model:
    return make_actor_critic(spec_of(space), config, seed)


@pytest.mark.parametrize(
    ("space", "config", "weights"),
    [
        # by hand: 4·64+64 + 64·64+64, and heads of 64·3+3 and 64·1+1
        (VECTOR, MLP, 320 + 4160 + 195 + 65),
        # conv 3·3·4·16+16, dense 8·8·16·128+128, heads 128·3+3 and 128+1
        (MINATAR, NetworkConfig(), 592 + 131200 + 387 + 129),
        # the three convolutions of DQN, dense 7·7·64·512+512, heads
        (
            ATARI,
            NetworkConfig(torso="nature", hidden=(512,)),
            8224 + 32832 + 36928 + 1606144 + 1539 + 513,
        ),
    ],
)
def test_weights_and_outputs(space, config, weights):
    model = model_for(space, config)
    assert model.count_params() == weights
    observation = np.stack([space.sample() for _ in range(5)])
    output = model(observation)
    assert output["policy"].shape == (5, 3) and output["value"].shape == (5,)
    assert output["policy"].dtype == output["value"].dtype == tf.float32


def test_impala_has_the_weights_of_the_paper():
    config = NetworkConfig(torso="impala", hidden=(256,))
    model = model_for(ATARI, config)
    # each section: a convolution from c to f channels and four from f to f, all 3x3 with biases
    sections = [(4, 16), (16, 32), (32, 32)]
    convolutions = sum(9 * c * f + f + 4 * (9 * f * f + f) for c, f in sections)
    # pooled thrice from 84 to 11, 32 channels
    dense = 11 * 11 * 32 * 256 + 256
    assert model.count_params() == convolutions + dense + (256 * 3 + 3) + (256 + 1)
    assert model(np.stack([ATARI.sample()]))["policy"].shape == (1, 3)


def test_separate_torsos_share_no_weight():
    """The value's gradient reaches nothing of the policy's path, and the reverse."""
    model = model_for(VECTOR, NetworkConfig(torso="mlp", hidden=(8,), shared=False))
    observation = tf.random.stateless_normal([5, 4], [0, 1])
    with tf.GradientTape(persistent=True) as tape:
        output = model(observation)
    for head, own in (("policy", "policy"), ("value", "value")):
        gradients = tape.gradient(output[head], model.trainable_weights)
        reached = {
            weight.path
            for weight, gradient in zip(model.trainable_weights, gradients, strict=True)
            if gradient is not None
        }
        assert reached == {w.path for w in model.trainable_weights if w.path.startswith(own)}


def test_separate_torsos_start_differently():
    model = model_for(VECTOR, NetworkConfig(torso="mlp", hidden=(8,), shared=False))
    kernels = [model.get_layer(f"{name}_torso_dense_0").kernel for name in ("policy", "value")]
    assert not np.array_equal(*(kernel.numpy() for kernel in kernels))


@pytest.mark.parametrize(
    ("torso", "space", "expected"),
    [("mlp", VECTOR, False), ("minatar", MINATAR, True), ("impala", MINATAR, True)],
)
def test_convolutions_are_found(torso, space, expected):
    assert has_convolutions(model_for(space, NetworkConfig(torso=torso))) == expected


def test_initial_weights_are_orthogonal_with_their_gains():
    model = model_for(MINATAR, NetworkConfig())
    gains = {"torso_conv_0": 2**0.5, "torso_dense_0": 2**0.5, "policy": 0.01, "value_head": 1.0}
    for name, gain in gains.items():
        kernel, bias = (weight.numpy() for weight in model.get_layer(name).weights)
        rows = kernel.reshape(-1, kernel.shape[-1])
        small = rows.T @ rows if rows.shape[0] >= rows.shape[1] else rows @ rows.T
        np.testing.assert_allclose(small, gain**2 * np.eye(len(small)), atol=1e-5)
        assert not bias.any()


def test_the_seed_gives_the_weights():
    first, again, other = (model_for(VECTOR, MLP, seed) for seed in (1, 1, 2))
    for a, b, c in zip(first.weights, again.weights, other.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
        assert not a.numpy().any() or not np.array_equal(a.numpy(), c.numpy())


def test_layers_of_the_same_shape_start_differently():
    model = model_for(gymnasium.spaces.Box(-1, 1, (64,), np.float32), MLP)
    kernels = [model.get_layer(f"torso_dense_{i}").kernel.numpy() for i in range(2)]
    assert not np.array_equal(*kernels)


def test_pixels_are_scaled_inside_the_model():
    config = NetworkConfig(torso="nature", hidden=(512,))
    bytes_, floats = (
        gymnasium.spaces.Box(0, high, (84, 84, 4), dtype)
        for high, dtype in ((255, np.uint8), (1, np.float32))
    )
    pixels = np.random.default_rng(0).integers(0, 256, (2, 84, 84, 4)).astype(np.uint8)
    scaled = (pixels / 255).astype(np.float32)
    of_bytes, of_floats = model_for(bytes_, config)(pixels), model_for(floats, config)(scaled)
    np.testing.assert_allclose(of_bytes["value"], of_floats["value"], rtol=1e-5, atol=1e-6)


def test_policy_and_value_share_the_torso():
    model = model_for(MINATAR, NetworkConfig())
    names = {weight.path.split("/")[0] for weight in model.trainable_weights}
    assert names == {"torso_conv_0", "torso_dense_0", "policy", "value_head"}


@pytest.mark.parametrize(
    ("space", "torso", "message"),
    [
        (VECTOR, "minatar", "network.torso=minatar takes images.*shape \\(4,\\).*torso=mlp"),
        (MINATAR, "nature", "at least 36x36"),
        (TUPLE, "mlp", "Tuple\\(Discrete\\(5\\)\\) is not supported: expected Box, Discrete"),
    ],
)
def test_observations_that_do_not_fit_are_refused(space, torso, message):
    with pytest.raises(ValueError, match=message):
        model_for(space, NetworkConfig(torso=torso))
