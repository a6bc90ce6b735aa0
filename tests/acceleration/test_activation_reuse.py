"""Learning from the pass of acting: the numbers and the gradient of a second pass."""

from __future__ import annotations

from typing import Any

import gymnasium
import keras
import numpy as np
import pytest
import tensorflow as tf
from support.networks import OBSERVATIONS, ROWS, make, score

from a2c_tf import networks
from a2c_tf.acceleration.activation_reuse import ActivationReuse
from a2c_tf.acceleration.fast_forward import NARROW, FastForward, is_possible
from a2c_tf.config import NetworkConfig
from a2c_tf.networks import forward
from a2c_tf.types import EnvSpec, Trajectory


def trajectory_of(observation: Any, activations: tuple[Any, ...] = ()) -> Trajectory:
    """One step of a batch that arrives where it started; only the network's part is filled in."""
    rows = tf.zeros([1, ROWS])
    twice = tf.nest.map_structure(lambda x: tf.stack([x, x]), observation)
    saved = tuple(x[tf.newaxis] for x in activations)
    return Trajectory(twice, rows, rows, rows, rows, rows, activations=saved)


def reused(reuse: ActivationReuse, model: keras.Model, observation: Any, saved: Any) -> Any:
    """The outputs at the first step of such a trajectory."""
    output = reuse.forward_reusing(model, trajectory_of(observation, saved))
    return {"policy": output.parameters[0], "value": output.value[0]}


@pytest.mark.parametrize(
    "torso",
    [pytest.param(t, marks=pytest.mark.slow if t == "impala" else ()) for t in OBSERVATIONS],
)
@pytest.mark.parametrize(("shared", "activation"), [(True, "relu"), (False, "tanh")])
@pytest.mark.parametrize("saves", [True, False])
def test_numbers_and_gradients_are_those_of_a_pass(torso, shared, activation, saves, variant):
    model, observation = make(torso, shared=shared, activation=activation)
    variables = model.trainable_variables
    assert is_possible(model)
    reuse = ActivationReuse(model)

    def both():
        acted = reuse.forward_saving(observation, ())
        with tf.GradientTape() as tape:
            output = reused(reuse, model, observation, acted.activations if saves else ())
            total = score(output)
        return acted, output, tape.gradient(total, variables)

    with tf.GradientTape() as tape:
        expected = model(observation)
        total = score(expected)
    acted, output, gradients = variant(both)()
    np.testing.assert_allclose(acted.parameters, expected["policy"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(acted.value, expected["value"], rtol=1e-5, atol=1e-6)
    if saves:
        np.testing.assert_array_equal(output["policy"], acted.parameters)
        np.testing.assert_array_equal(output["value"], acted.value)
    for actual, wanted in zip(gradients, tape.gradient(total, variables), strict=True):
        assert np.abs(wanted).max() > 0
        np.testing.assert_allclose(actual, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("torso", OBSERVATIONS)
@pytest.mark.parametrize(("shared", "activation"), [(True, "relu"), (False, "tanh")])
def test_gradients_written_out_are_those_of_a_pass(torso, shared, activation, variant):
    """The policy head of three actions is narrow enough to go back in sums."""
    model, observation = make(torso, shared=shared, activation=activation)
    assert 1 < model.get_layer("policy").units <= NARROW
    variables, trajectory = model.trainable_variables, trajectory_of(observation)
    fast = FastForward(model).apply_to_trajectory

    def both(apply):
        with tf.GradientTape() as tape:
            output = apply(model, trajectory)
            total = score({"policy": output.parameters[0], "value": output.value[0]})
        return output, tape.gradient(total, variables)

    expected, wanted = both(forward.apply_to_trajectory)
    actual, gradients = variant(lambda: both(fast))()
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-6)
    for a, e in zip(gradients, wanted, strict=True):
        assert np.abs(e).max() > 0
        np.testing.assert_allclose(a, e, rtol=1e-4, atol=1e-5 * np.abs(e).max())


def test_what_is_saved_is_what_counts():
    """Other numbers in place of the saved ones come out again: nothing is computed twice."""
    model, observation = make("minatar")
    reuse = ActivationReuse(model)
    saved = reuse.forward_saving(observation, ()).activations
    output = reused(reuse, model, observation, tuple(tf.zeros_like(x) for x in saved))
    assert not np.any(output["policy"]) and not np.any(output["value"])


def test_the_bootstrap_value_is_that_of_the_last_observation():
    model, observation = make("minatar")
    reuse = ActivationReuse(model)
    saved = reuse.forward_saving(observation, ()).activations
    trajectory = trajectory_of(observation, saved)
    expected = forward.apply_to_trajectory(model, trajectory)
    actual = reuse.forward_reusing(model, trajectory)
    np.testing.assert_array_equal(actual.bootstrap_value, expected.bootstrap_value)


@pytest.mark.parametrize("settings", [{"activation": "silu"}, {"core": "gru"}])
def test_what_does_not_follow_from_outputs_is_not_reused(settings):
    assert not is_possible(make("minatar", **settings)[0])


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
def test_layers_of_other_kinds_are_not_reused(layer):
    x = keras.Input((10, 10, 4))
    assert not is_possible(keras.Model(x, layer(x)))


def test_a_dense_layer_may_be_used_twice_and_along_an_axis():
    x = keras.Input((5, 4))
    layer = keras.layers.Dense(4, "tanh")
    model = keras.Model(x, {"policy": layer(layer(x)), "value": keras.layers.Flatten()(layer(x))})
    observation = tf.random.stateless_normal([ROWS, 5, 4], [0, 1])
    reuse = ActivationReuse(model)
    saved = reuse.forward_saving(observation, ()).activations
    with tf.GradientTape(persistent=True) as tape:
        again = score(reused(reuse, model, observation, saved))
        expected = score(model(observation))
    for variable in model.trainable_variables:
        np.testing.assert_allclose(
            tape.gradient(again, variable), tape.gradient(expected, variable), rtol=1e-4
        )


def test_a_step_that_saves_returns_the_same():
    model, observation = make("minatar")
    saving = ActivationReuse(model).forward_saving(observation, ())
    plain = forward.apply_policy(model, observation, ())
    np.testing.assert_array_equal(saving.parameters, plain.parameters)
    np.testing.assert_array_equal(saving.value, plain.value)
    # a convolution, two dense layers, two heads
    assert (len(saving.activations), plain.activations) == (5, ())


def test_the_network_itself_stays_as_it_was():
    model, observation = make("impala")
    names = [layer.name for layer in model.layers]
    weights, before = [w.path for w in model.weights], model(observation)
    ActivationReuse(model)
    assert [layer.name for layer in model.layers] == names
    assert [w.path for w in model.weights] == weights
    np.testing.assert_array_equal(model(observation)["policy"], before["policy"])


def test_arrays_of_a_dict_are_known_by_their_names():
    """Two of one shape, named in another order than that of the alphabet."""
    box = gymnasium.spaces.Box(-1, 1, (4,), np.float32)
    space = gymnasium.spaces.Dict({"near": box, "far": box})
    spec = EnvSpec("Seen-v0", "graph", ROWS, space, gymnasium.spaces.Discrete(3))
    model = networks.make_actor_critic(spec, NetworkConfig(torso="mlp", hidden=(8,)), seed=0)
    reuse = ActivationReuse(model)
    far, near = (tf.random.stateless_normal([ROWS, 4], [0, i]) for i in range(2))
    swapped = model({"near": far, "far": near})
    for observation in ({"near": near, "far": far}, {"far": far, "near": near}):
        expected = model(observation)
        assert np.abs(expected["value"] - swapped["value"]).max() > 0.01
        saving = reuse.forward_saving(observation, ())
        again = reused(reuse, model, observation, saving.activations)
        for policy, value in ((saving.parameters, saving.value), again.values()):
            np.testing.assert_allclose(value, expected["value"], rtol=1e-5)
            np.testing.assert_allclose(policy, expected["policy"], atol=1e-6)
