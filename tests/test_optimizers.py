"""RMSpropTF1 against the formula of TensorFlow 1, and the schedules."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from a2c_tf.config import OptimizerConfig
from a2c_tf.optimizers import RMSpropTF1, make_optimizer, make_schedule

LEARNING_RATE, RHO, EPSILON = 7e-4, 0.99, 1e-5
SHAPES = [(3, 4), (4,)]


def gradients_of_ten_steps() -> list[list[np.ndarray]]:
    rng = np.random.default_rng(0)
    return [[rng.normal(0, 0.1, shape) for shape in SHAPES] for _ in range(10)]


def slow_rmsprop_tf1(weights: list[np.ndarray]) -> list[np.ndarray]:
    """Ten steps, in float64: ms starts at one and ε stands inside the root."""
    mean_squares = [np.ones_like(weight) for weight in weights]
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
    for variable, expected in zip(variables, slow_rmsprop_tf1(start), strict=True):
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


@pytest.mark.parametrize(
    ("schedule", "steps", "expected"),
    [
        ("constant", 0, 0.1),
        ("constant", 2000, 0.1),
        ("linear", 0, 0.1),
        ("linear", 250, 0.075),
        ("linear", 1000, 0.0),
        ("linear", 1001, 0.0),
    ],
)
def test_schedules(schedule, steps, expected, variant):
    config = OptimizerConfig(learning_rate=0.1, schedule=schedule)
    function = variant(make_schedule(config, total_steps=1000))
    np.testing.assert_allclose(function(tf.constant(steps, tf.int64)), expected, atol=1e-9)
