"""λ-returns against a slow truth, their limits, and episodes treated alone."""

from __future__ import annotations

from typing import NamedTuple

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from a2c_tf.returns import lambda_returns

T, B = 9, 4
SETTINGS = hypothesis.settings(deadline=None, derandomize=True, max_examples=60)


class Inputs(NamedTuple):
    r_t: np.ndarray
    discount_t: np.ndarray
    v_t: np.ndarray
    lambda_t: np.ndarray


def random_inputs(seed: int, length: int = T) -> Inputs:
    rng = np.random.default_rng(seed)
    return Inputs(
        r_t=rng.normal(size=(length, B)),
        discount_t=0.9 * (rng.random((length, B)) < 0.8),
        v_t=rng.normal(size=(length, B)),
        lambda_t=rng.random((length, B)),
    )


def compute(inputs: Inputs) -> np.ndarray:
    return lambda_returns(*(tf.constant(x, tf.float64) for x in inputs)).numpy()


def mixture_of_n_step_returns(inputs: Inputs) -> np.ndarray:
    """The definition: each n-step return weighed by the chance that the trace ends there.

    Sutton and Barto (2018), equations 12.2 and 12.3, with λ and γ that change from step to step.
    """
    length, batch = inputs.r_t.shape
    returns = np.zeros((length, batch))
    for t in range(length):
        for b in range(batch):
            rewards, discount, weight = 0.0, 1.0, 1.0
            for n in range(t, length):
                rewards += discount * inputs.r_t[n, b]
                discount *= inputs.discount_t[n, b]
                n_step = rewards + discount * inputs.v_t[n, b]
                ends = 1.0 if n == length - 1 else 1 - inputs.lambda_t[n, b]
                returns[t, b] += weight * ends * n_step
                weight *= inputs.lambda_t[n, b]
    return returns


@pytest.mark.parametrize("seed", range(5))
def test_is_the_mixture_of_n_step_returns(seed, variant):
    inputs = random_inputs(seed)
    arguments = [tf.constant(x, tf.float32) for x in inputs]
    expected = mixture_of_n_step_returns(inputs)
    np.testing.assert_allclose(variant(lambda_returns)(*arguments), expected, rtol=2e-5, atol=1e-5)


def test_lambda_one_is_the_discounted_sum_and_the_bootstrap():
    inputs = random_inputs(1)._replace(lambda_t=np.ones((T, B)), discount_t=np.full((T, B), 0.9))
    powers = 0.9 ** np.arange(T + 1)
    expected = powers[:-1] @ inputs.r_t + powers[-1] * inputs.v_t[-1]
    np.testing.assert_allclose(compute(inputs)[0], expected)


def test_lambda_zero_is_the_one_step_target():
    inputs = random_inputs(2)._replace(lambda_t=np.zeros((T, B)))
    np.testing.assert_allclose(compute(inputs), inputs.r_t + inputs.discount_t * inputs.v_t)


def test_discount_zero_gives_the_rewards():
    inputs = random_inputs(3)._replace(discount_t=np.zeros((T, B)))
    np.testing.assert_allclose(compute(inputs), inputs.r_t)


def test_minus_the_values_it_is_gae():
    """A_t = Σ_l (γλ)^l δ_{t+l}: equation 16 of Schulman et al. (2016)."""
    gamma, lambda_ = 0.97, 0.8
    inputs = random_inputs(4)._replace(
        discount_t=np.full((T, B), gamma), lambda_t=np.full((T, B), lambda_)
    )
    values = np.random.default_rng(5).normal(size=(T, B))
    values[1:] = inputs.v_t[:-1]
    delta = inputs.r_t + gamma * inputs.v_t - values
    gae = [sum((gamma * lambda_) ** (k - t) * delta[k] for k in range(t, T)) for t in range(T)]
    np.testing.assert_allclose(compute(inputs) - values, gae)


def test_linear_in_rewards_and_values():
    inputs = random_inputs(6)
    doubled = inputs._replace(r_t=2 * inputs.r_t, v_t=2 * inputs.v_t)
    np.testing.assert_allclose(compute(doubled), 2 * compute(inputs))


def test_nothing_after_a_terminal_step_matters_before_it():
    inputs = random_inputs(7)
    inputs.discount_t[4] = 0
    changed = Inputs(*(x.copy() for x in inputs))
    changed.r_t[5:] += 100
    changed.v_t[4:] -= 100
    np.testing.assert_array_equal(compute(changed)[:5], compute(inputs)[:5])


def test_permuting_environments_permutes_returns():
    inputs = random_inputs(8)
    order = np.array([2, 0, 3, 1])
    permuted = Inputs(*(x[:, order] for x in inputs))
    np.testing.assert_array_equal(compute(permuted), compute(inputs)[:, order])


@SETTINGS
@hypothesis.given(seed=st.integers(0, 10_000), cut=st.integers(1, T - 1))
def test_a_suffix_stands_for_itself_as_bootstrap(seed, cut):
    """Cut anywhere with λ = 1 there, the suffix's return as bootstrap gives the whole."""
    whole = random_inputs(seed)
    whole.lambda_t[cut - 1] = 1
    suffix = compute(Inputs(*(x[cut:] for x in whole)))
    prefix = Inputs(*(x[:cut].copy() for x in whole))
    prefix.v_t[-1] = suffix[0]
    np.testing.assert_allclose(compute(prefix), compute(whole)[:cut])


@pytest.mark.parametrize("name", ["discount_t", "v_t", "lambda_t"])
def test_shapes_that_differ_are_refused_by_name(name):
    inputs = random_inputs(0)
    wrong = inputs._replace(**{name: getattr(inputs, name)[:-1]})
    with pytest.raises(ValueError, match=name):
        compute(wrong)
