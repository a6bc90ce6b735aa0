"""Learning from the pass of acting: the numbers and the gradient of a second pass."""

from __future__ import annotations

import gymnasium
import keras
import numpy as np
import pytest
import tensorflow as tf
from support.networks import OBSERVATIONS, ROWS, make, score

from a2c_tf import networks
from a2c_tf.acceleration import activation_reuse
from a2c_tf.config import NetworkConfig
from a2c_tf.networks import forward
from a2c_tf.types import EnvSpec


@pytest.mark.parametrize("torso", OBSERVATIONS)
@pytest.mark.parametrize(("shared", "activation"), [(True, "relu"), (False, "tanh")])
@pytest.mark.parametrize("anew", [False, True])
def test_numbers_and_gradients_are_those_of_a_pass(torso, shared, activation, anew, variant):
    model, observation = make(torso, shared=shared, activation=activation)
    variables = model.trainable_variables
    assert activation_reuse.is_possible(model)

    def both():
        acted, kept = activation_reuse.act(model, observation)
        with tf.GradientTape() as tape:
            output = activation_reuse.learn(model, observation, () if anew else kept)
            total = score(output)
        return acted, output, tape.gradient(total, variables)

    with tf.GradientTape() as tape:
        expected = model(observation)
        total = score(expected)
    acted, output, gradients = variant(both)()
    for name in ("policy", "value"):
        np.testing.assert_allclose(acted[name], expected[name], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(output[name], acted[name])
    for actual, wanted in zip(gradients, tape.gradient(total, variables), strict=True):
        assert np.abs(wanted).max() > 0
        np.testing.assert_allclose(actual, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("anew", [False, True])
def test_gradients_before_a_wide_layer_are_those_of_a_pass(anew, variant):
    """The product that its kernel takes longer for goes the other way round."""
    model, observation = make("nature", hidden=(activation_reuse.WIDE,))
    _, kept = activation_reuse.act(model, observation)

    def gradients(forward):
        with tf.GradientTape() as tape:
            total = score(forward(observation))
        return tape.gradient(total, model.trainable_variables)

    again = variant(
        lambda: gradients(lambda x: activation_reuse.learn(model, x, () if anew else kept))
    )()
    for actual, wanted in zip(again, gradients(model), strict=True):
        assert np.abs(wanted).max() > 0
        np.testing.assert_allclose(actual, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())


def test_what_is_kept_is_what_counts():
    """Other numbers in place of the kept ones come out again: nothing is computed anew."""
    model, observation = make("minatar")
    _, kept = activation_reuse.act(model, observation)
    output = activation_reuse.learn(model, observation, [tf.zeros_like(x) for x in kept])
    assert not np.any(output["policy"]) and not np.any(output["value"])


@pytest.mark.parametrize("settings", [{"activation": "silu"}, {"core": "gru"}])
def test_what_does_not_follow_from_outputs_is_not_replayed(settings):
    assert not activation_reuse.is_possible(make("minatar", **settings)[0])


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Conv2D(2, 3, dilation_rate=2),
        keras.layers.Conv2D(4, 3, groups=2),
        keras.layers.Conv2D(2, 3, use_bias=False),
        keras.layers.BatchNormalization(),
        keras.layers.DepthwiseConv2D(3),
    ],
)
def test_layers_of_other_kinds_are_not_replayed(layer):
    x = keras.Input((10, 10, 4))
    assert not activation_reuse.is_possible(keras.Model(x, layer(x)))


def test_a_dense_layer_may_be_used_twice_and_along_an_axis():
    x = keras.Input((5, 4))
    layer = keras.layers.Dense(4, "tanh")
    model = keras.Model(x, {"policy": layer(layer(x)), "value": keras.layers.Flatten()(layer(x))})
    observation = tf.random.stateless_normal([3, 5, 4], [0, 1])
    _, kept = activation_reuse.act(model, observation)
    with tf.GradientTape(persistent=True) as tape:
        again, expected = (
            score(activation_reuse.learn(model, observation, kept)),
            score(model(observation)),
        )
    for variable in model.trainable_variables:
        np.testing.assert_allclose(
            tape.gradient(again, variable), tape.gradient(expected, variable), rtol=1e-4
        )


def test_a_step_that_keeps_says_the_same():
    model, observation = make("minatar")
    kept = forward.keeping_step(model, observation, ())
    plain = forward.step(model, observation, ())
    np.testing.assert_array_equal(kept.parameters, plain.parameters)
    np.testing.assert_array_equal(kept.value, plain.value)
    assert len(kept.kept) == 5 and plain.kept == ()  # a convolution, two dense layers, two heads


def test_arrays_of_a_dict_are_known_by_their_names():
    """Two of one shape, named in another order than that of the alphabet."""
    box = gymnasium.spaces.Box(-1, 1, (4,), np.float32)
    space = gymnasium.spaces.Dict({"near": box, "far": box})
    spec = EnvSpec("Seen-v0", "graph", ROWS, space, gymnasium.spaces.Discrete(3))
    model = networks.make_actor_critic(spec, NetworkConfig(torso="mlp", hidden=(8,)), seed=0)
    far, near = (tf.random.stateless_normal([ROWS, 4], [0, i]) for i in range(2))
    swapped = model({"near": far, "far": near})
    for observation in ({"near": near, "far": far}, {"far": far, "near": near}):
        expected = model(observation)
        assert np.abs(expected["value"] - swapped["value"]).max() > 0.01
        for actual in (
            activation_reuse.learn(model, observation),
            activation_reuse.act(model, observation)[0],
        ):
            np.testing.assert_allclose(actual["value"], expected["value"], rtol=1e-5)
            np.testing.assert_allclose(actual["policy"], expected["policy"], atol=1e-6)
