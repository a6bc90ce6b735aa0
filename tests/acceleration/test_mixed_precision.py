"""Training in bfloat16: what computes in it, how exactly, and that nothing else knows of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.networks import make, score

from a2c_tf import config, networks
from a2c_tf.acceleration.activation_reuse import ActivationReuse
from a2c_tf.acceleration.mixed_precision import casting_weights_once, computing_in_bfloat16
from a2c_tf.agent import make_agent, make_seeds
from a2c_tf.envs import registry
from a2c_tf.errors import ConfigError
from a2c_tf.networks import forward
from a2c_tf.training import assembly
from a2c_tf.types import Trajectory

ROUNDING = 2.0**-8
"""of a number to bfloat16, relative."""


def relative_error(actual: tf.Tensor, expected: tf.Tensor) -> float:
    difference = np.linalg.norm(np.asarray(actual, np.float64) - np.asarray(expected, np.float64))
    return float(difference / np.linalg.norm(expected))


@pytest.mark.parametrize("torso", ["minatar", "nature", "mlp"])
def test_torsos_compute_in_bfloat16_inside_the_scope_alone(torso):
    model, observation = make(torso)
    before = model(observation)
    with computing_in_bfloat16(networks.torso_layers(model)):
        output = ActivationReuse(model).forward_saving(observation, ())
    kept = output.activations
    assert [x.dtype for x in kept[-2:]] == [tf.float32] * 2  # policy and value head
    assert {x.dtype for x in kept[:-2]} == {tf.bfloat16}
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}
    for name, after in model(observation).items():
        np.testing.assert_array_equal(after, before[name])
        actual = output.parameters if name == "policy" else output.value
        assert actual.dtype == tf.float32
        assert 0 < relative_error(actual, before[name]) < 8 * ROUNDING


def test_an_error_leaves_the_scope_too():
    model, _ = make("minatar")
    with pytest.raises(ZeroDivisionError), computing_in_bfloat16(networks.torso_layers(model)):
        raise ZeroDivisionError
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}


def test_what_bfloat16_holds_exactly_comes_out_as_in_float32(variant):
    """Weights of -1, 0 and 1 and cells of 0 and 1 give integers below 256: nothing is rounded."""
    model, observation = make("minatar", hidden=())
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.integers(-1, 2, variable.shape).astype(np.float32))
    expected = model(observation)

    def act() -> dict[str, tf.Tensor]:
        with computing_in_bfloat16(networks.torso_layers(model)):
            output = ActivationReuse(model).forward_saving(observation, ())
        return {"policy": output.parameters, "value": output.value}

    for name, actual in variant(act)().items():
        np.testing.assert_array_equal(actual, expected[name])


def gradients_of(model: keras.Model, observation: tf.Tensor, reuses: bool) -> list[tf.Tensor]:
    """Of `score` by every weight, through the pass of acting or through one by Keras."""
    rows, twice = tf.zeros([1, len(observation)]), tf.stack([observation, observation])
    saved: tuple[tf.Tensor, ...] = ()
    apply = forward.apply_to_trajectory
    if reuses:
        reuse = ActivationReuse(model)
        output = reuse.forward_saving(observation, ())
        saved, apply = tuple(x[tf.newaxis] for x in output.activations), reuse.forward_reusing
    with tf.GradientTape() as tape:
        trajectory = Trajectory(twice, rows, rows, rows, rows, rows, activations=saved)
        output = apply(model, trajectory)
        total = score({"policy": output.parameters[0], "value": output.value[0]})
    return tape.gradient(total, model.trainable_variables)


@pytest.mark.parametrize("torso", ["minatar", "nature", "mlp"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_gradients_are_those_that_keras_gives_in_bfloat16(torso, activation):
    model, observation = make(torso, activation=activation)
    with computing_in_bfloat16(networks.torso_layers(model)):
        actual, expected = (gradients_of(model, observation, x) for x in (True, False))
    for gradient, wanted in zip(actual, expected, strict=True):
        assert gradient.dtype == tf.float32
        if gradient.shape.rank > 1:  # those of biases Keras adds up in bfloat16, ours in float32
            assert relative_error(gradient, wanted) < 2 * ROUNDING


@pytest.mark.parametrize("torso", ["minatar", "nature", "mlp"])
def test_gradients_are_those_of_float32_but_for_rounding(torso):
    """With tanh: near 0, rounding alone switches a unit of ReLU on or off."""
    model, observation = make(torso, activation="tanh")
    expected = gradients_of(model, observation, reuses=False)
    with computing_in_bfloat16(networks.torso_layers(model)):
        actual = gradients_of(model, observation, reuses=True)
    for gradient, wanted in zip(actual, expected, strict=True):
        assert relative_error(gradient, wanted) < 16 * ROUNDING


def test_recurrent_cores_stay_in_float32():
    model, _ = make("minatar", core="gru")
    names = {layer.name for layer in networks.torso_layers(model)}
    assert {"torso_conv_0", "torso_dense_0"} <= names
    assert not names & {"core", "core_0", "policy", "value_head"}


def settings(precision: str) -> config.Config:
    return config.parse(
        {
            "env": {"id": "MinAtar/Breakout-v1", "num_envs": 4},
            "network": {"hidden": [16], "precision": precision},
            "a2c": {"unroll_length": 2},
        }
    )


def trained(precision: str) -> list[np.ndarray]:
    """Weights after three updates of the whole training step, from the same seeds."""
    chosen = settings(precision)
    env = registry.make(chosen.env)
    agent = make_agent(env.spec, chosen)
    _, step, _ = assembly.make_training(env, agent, chosen)
    step(agent.start(env, make_seeds(0)), tf.constant(3))
    return agent.model.get_weights()


@pytest.fixture(scope="module")
def mixed() -> list[np.ndarray]:
    return trained("mixed_bfloat16")


@pytest.mark.slow
def test_a_training_step_computes_as_the_config_says(mixed):
    single, again = map(trained, ("float32", "mixed_bfloat16"))
    start = make_agent(registry.make(settings("float32").env).spec, settings("float32"))
    for before, x, y, z in zip(
        start.model.get_weights(),
        single,
        mixed,
        again,
        strict=True,
    ):
        np.testing.assert_array_equal(y, z)
        assert np.abs(x - before).max() > 0
        # the same updates, rounded otherwise
        assert 0 < np.abs(x - y).max() < np.abs(x - before).max()


def test_many_steps_cast_each_weight_once():
    model, observation = make("minatar")
    layers = networks.torso_layers(model)

    with computing_in_bfloat16(layers):
        saving = ActivationReuse(model).forward_saving

    def act() -> list[tf.Tensor]:
        return [saving(observation, ()).parameters for _ in range(3)]

    def casts(function: Callable[[], object]) -> int:
        with computing_in_bfloat16(layers):
            graph = tf.function(function).get_concrete_function().graph
        return sum(
            op.type == "Cast" and op.inputs[0].op.type == "ReadVariableOp"
            for op in graph.get_operations()
        )

    def act_casting_once() -> list[tf.Tensor]:
        with casting_weights_once(layers):
            return act()

    weights = sum(len(layer.weights) for layer in layers)
    assert (casts(act), casts(act_casting_once)) == (3 * weights, weights)


@pytest.mark.slow
def test_casting_weights_once_changes_no_bit(mixed, monkeypatch):
    monkeypatch.setattr(assembly, "casting_weights_once", lambda _: contextlib.nullcontext())
    for weight, expected in zip(mixed, trained("mixed_bfloat16"), strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_a_users_network_has_its_own_precision():
    with pytest.raises(ConfigError, match="has its own precision"):
        config.parse({"network": {"builder": "my_models:build", "precision": "mixed_bfloat16"}})
