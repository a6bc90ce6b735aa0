"""RMSpropTF1 against the formula of TensorFlow 1, and the others against theirs."""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from a2c_tf.config import OptimizerConfig
from a2c_tf.optimizers import RMSpropTF1, make_optimizer

LEARNING_RATE, RHO, EPSILON = 7e-4, 0.99, 1e-5
SHAPES = [(3, 4), (4,)]


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
