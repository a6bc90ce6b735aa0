"""Optimizers and schedules against their formulas, and that a run follows them."""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from a2c_tf.config import Config, OptimizerConfig, ScheduleConfig, parse
from a2c_tf.errors import ConfigError
from a2c_tf.optimizers import RMSpropTF1, make_optimizer, make_schedule
from a2c_tf.runs import checkpoints
from a2c_tf.training.hyperparameters import make_learner_config

LEARNING_RATE, RHO, EPSILON = 7e-4, 0.99, 1e-5
SHAPES = [(3, 4), (4,)]
MILESTONES = ((250, 0.5), (500, 0.1))


def gradients_of_ten_steps() -> list[list[np.ndarray]]:
    rng = np.random.default_rng(0)
    return [[rng.normal(0, 0.1, shape) for shape in SHAPES] for _ in range(10)]


def slow_rmsprop(weights: list[np.ndarray], first: float) -> list[np.ndarray]:
    """Ten steps, in float64: the mean square starts at `first` and ε stands inside the root."""
    mean_squares = [np.full_like(weight, first) for weight in weights]
    for gradients in gradients_of_ten_steps():
        for i, gradient in enumerate(gradients):
            mean_squares[i] = RHO * mean_squares[i] + (1 - RHO) * gradient**2
            step = LEARNING_RATE * gradient / np.sqrt(mean_squares[i] + EPSILON)
            weights[i] = weights[i] - step
    return weights


def test_ten_steps_are_those_of_tensorflow_1(variant):
    start = [np.random.default_rng(1).normal(size=shape) for shape in SHAPES]
    variables = [keras.Variable(weight.astype(np.float32)) for weight in start]
    optimizer = make_optimizer(OptimizerConfig())
    optimizer.build(variables)
    apply = variant(lambda gradients: optimizer.apply(gradients))
    for gradients in gradients_of_ten_steps():
        apply([tf.constant(gradient, tf.float32) for gradient in gradients])
    for variable, expected in zip(variables, slow_rmsprop(start, first=1.0), strict=True):
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-6, atol=1e-6)


def test_agrees_with_the_kernel_that_tensorflow_kept():
    """`ResourceApplyRMSProp` is TensorFlow 1's own update."""
    weight, mean_square = tf.Variable([1.0, -2.0]), tf.Variable([1.0, 1.0])
    momentum = tf.Variable([0.0, 0.0])
    ours = keras.Variable([1.0, -2.0])
    optimizer = RMSpropTF1(LEARNING_RATE, rho=RHO, epsilon=EPSILON)
    optimizer.build([ours])
    for step in range(10):
        gradient = tf.constant([0.5 - step, 0.01 * step])
        tf.raw_ops.ResourceApplyRMSProp(
            var=weight.handle,
            ms=mean_square.handle,
            mom=momentum.handle,
            lr=LEARNING_RATE,
            rho=RHO,
            momentum=0.0,
            epsilon=EPSILON,
            grad=gradient,
        )
        optimizer.apply([gradient])
    np.testing.assert_allclose(ours.numpy(), weight.numpy(), rtol=1e-6)


def test_the_first_step_is_about_the_learning_rate_times_the_gradient():
    """From a mean square of zero, as in Keras, it would be ten times the sign of the gradient."""
    weight = keras.Variable([0.0])
    optimizer = RMSpropTF1(LEARNING_RATE, rho=RHO, epsilon=EPSILON)
    optimizer.build([weight])
    optimizer.apply([tf.constant([0.01])])
    np.testing.assert_allclose(weight.numpy(), [-LEARNING_RATE * 0.01], rtol=0.01)


def test_building_again_keeps_the_slots():
    weight = keras.Variable([0.0])
    optimizer = RMSpropTF1(LEARNING_RATE, rho=RHO, epsilon=EPSILON)
    optimizer.build([weight])
    optimizer.apply([tf.constant([5.0])])
    slots = [variable.numpy() for variable in optimizer.variables]
    optimizer.build([weight])
    for before, after in zip(slots, optimizer.variables, strict=True):
        np.testing.assert_array_equal(before, after.numpy())


def keras_from_one(variables: list[keras.Variable]) -> keras.optimizers.Optimizer:
    """RMSprop of Keras, whose mean squares are set to 1: what RMSpropTF1 was derived from once."""
    optimizer = keras.optimizers.RMSprop(
        LEARNING_RATE, rho=RHO, epsilon=EPSILON, name="rmsprop_tf1"
    )
    optimizer.build(variables)
    for variable in optimizer.variables:
        if variable.path.endswith("_velocity"):
            variable.assign(tf.ones(variable.shape))
    return optimizer


def ours(variables: list[keras.Variable]) -> keras.optimizers.Optimizer:
    optimizer = make_optimizer(OptimizerConfig(rho=RHO, epsilon=EPSILON))
    optimizer.build(variables)
    return optimizer


def test_fifty_steps_are_bit_for_bit_those_of_keras_from_a_mean_square_of_one(variant):
    rng = np.random.default_rng(2)
    shapes = [(3, 4), (4,), (5, 3, 7), ()]
    start = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    gradients = [
        [tf.constant(rng.normal(0, 10.0 ** (i % 6 - 4), shape), tf.float32) for shape in shapes]
        for i in range(50)
    ]
    ends = []
    for make in (keras_from_one, ours):
        weights = [keras.Variable(value, name=f"w_{i}") for i, value in enumerate(start)]
        optimizer = make(weights)
        apply = variant(lambda gradients, optimizer=optimizer: optimizer.apply(gradients))
        for i, step in enumerate(gradients):
            optimizer.learning_rate = LEARNING_RATE * (1 - i / 60)
            apply(step)
        ends.append(checkpoints.named([*weights, *optimizer.variables]))
    expected, actual = ends
    assert list(actual) == list(expected)
    assert [x.tobytes() for x in actual.values()] == [x.tobytes() for x in expected.values()]


def test_rows_that_alone_have_a_gradient_are_treated_as_keras_does():
    """As those of an embedding in a user's own network."""
    gradient = tf.IndexedSlices(tf.fill([2, 2], 0.3), tf.constant([1, 3]), tf.constant([5, 2]))
    weights = []
    for make in (keras_from_one, ours):
        weight = keras.Variable(np.ones((5, 2), np.float32))
        optimizer = make([weight])
        for _ in range(3):
            optimizer.apply([gradient])
        weights.append(weight.numpy())
    np.testing.assert_array_equal(weights[1], weights[0])
    assert (weights[1] != 1).any(axis=1).tolist() == [False, True, False, True, False]


def test_a_checkpoint_from_before_is_read():
    """Paths as they stand in the checkpoints of the class that was derived from Keras's."""
    weight = keras.Variable(np.zeros(2, np.float32), name="kernel")
    optimizer = ours([weight])
    stored = {
        "rmsprop_tf1/iteration": np.asarray(7, np.int64),
        "rmsprop_tf1/learning_rate": np.asarray(0.125, np.float32),
        "rmsprop_tf1/kernel_velocity": np.array([0.25, 4.0], np.float32),
    }
    checkpoints.restore(optimizer.variables, stored)
    optimizer.apply([tf.constant([1.0, 1.0])])
    mean_squares = RHO * np.array([0.25, 4.0]) + (1 - RHO)
    np.testing.assert_allclose(weight.numpy(), -0.125 / np.sqrt(mean_squares + EPSILON), rtol=1e-6)
    assert int(optimizer.iterations) == 8


def test_settings_make_an_equal_optimizer():
    optimizer = RMSpropTF1(LEARNING_RATE, rho=RHO, epsilon=EPSILON, clipnorm=2.0, name="mine")
    twin = RMSpropTF1.from_config(optimizer.get_config())
    assert twin.get_config() == optimizer.get_config()
    assert (twin.name, twin.rho, twin.epsilon, twin.clipnorm) == ("mine", RHO, EPSILON, 2.0)


def slow_adam(weights: list[np.ndarray]) -> list[np.ndarray]:
    """Ten steps, in float64, of algorithm 1 of Kingma and Ba (2015) in its ε̂ form of section 2."""
    first, second = ([np.zeros_like(weight) for weight in weights] for _ in range(2))
    for t, gradients in enumerate(gradients_of_ten_steps(), start=1):
        rate = LEARNING_RATE * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        for i, gradient in enumerate(gradients):
            first[i] = 0.9 * first[i] + 0.1 * gradient
            second[i] = 0.999 * second[i] + 0.001 * gradient**2
            weights[i] = weights[i] - rate * first[i] / (np.sqrt(second[i]) + EPSILON)
    return weights


@pytest.mark.parametrize(
    ("name", "slow"),
    [("rmsprop", functools.partial(slow_rmsprop, first=0.0)), ("adam", slow_adam)],
    ids=["rmsprop", "adam"],
)
def test_the_optimizers_of_keras_are_set_up_as_their_formulas_say(name, slow, variant):
    start = [np.random.default_rng(1).normal(size=shape) for shape in SHAPES]
    variables = [keras.Variable(weight.astype(np.float32)) for weight in start]
    optimizer = make_optimizer(OptimizerConfig(name=name))
    optimizer.build(variables)
    apply = variant(lambda gradients: optimizer.apply(gradients))
    for gradients in gradients_of_ten_steps():
        apply([tf.constant(gradient, tf.float32) for gradient in gradients])
    for variable, expected in zip(variables, slow(start), strict=True):
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "values"),
    [
        # at 0, 249, 250, 500, 1000 and 1001 of 1000 steps
        ("constant", [0.2, 0.2, 0.2, 0.2, 0.2, 0.2]),
        ("linear", [0.2, 0.1502, 0.15, 0.1, 0.0, 0.0]),
        ("cosine", [0.2, 0.1709325, 0.1707107, 0.1, 0.0, 0.0]),
        ("piecewise", [0.2, 0.2, 0.1, 0.02, 0.02, 0.02]),
    ],
)
def test_values_of_each_schedule(shape, values, variant):
    config = ScheduleConfig(shape=shape, milestones=MILESTONES if shape == "piecewise" else ())
    schedule = variant(make_schedule(0.2, config, total_steps=1000))
    steps = [0, 249, 250, 500, 1000, 1001]
    actual = [schedule(tf.constant(step, tf.int64)) for step in steps]
    np.testing.assert_allclose(actual, values, atol=1e-7)


def test_a_milestone_at_the_start_counts_from_the_start():
    config = ScheduleConfig(shape="piecewise", milestones=((0, 0.3),))
    schedule = make_schedule(1.0, config, total_steps=10)
    assert float(schedule(tf.constant(0, tf.int64))) == pytest.approx(0.3)


def test_both_coefficients_follow_their_own_schedule():
    config = Config.model_validate(
        {
            "a2c": {"entropy_coef": 0.1, "entropy_schedule": {"shape": "linear"}},
            "optimizer": {
                "learning_rate": 1.0,
                "schedule": {"shape": "piecewise", "milestones": [[10, 0.25]]},
            },
            "run": {"total_steps": 100},
        }
    )
    schedules, steps = make_learner_config(config), tf.constant(40, tf.int64)
    assert float(schedules.learning_rate(steps)) == pytest.approx(0.25)
    assert float(schedules.entropy_coef(steps)) == pytest.approx(0.06)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"milestones": [[10, 0.5]]}, "optimizer.schedule.shape: missing; expected one of"),
        ({"shape": "piecewise"}, "milestones go with a piecewise schedule"),
        ({"shape": "linear", "milestones": [[10, 0.5]]}, "only with it"),
        ({"shape": "piecewise", "milestones": [[10, 0.5], [10, 0.1]]}, "ascending"),
        ({"shape": "piecewise", "milestones": [[10, -0.5]]}, "number >= 0"),
    ],
)
def test_milestones_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message) as raised:
        parse({"optimizer": {"schedule": settings}})
    assert len(str(raised.value).splitlines()) == 1
