"""Continuous actions against scipy, numerical integration and the bounds of their space."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate, stats

from a2c_tf import distributions, prng
from a2c_tf.distributions import DiagonalGaussian, TanhGaussian

BOX = gymnasium.spaces.Box(np.array([-2, 0], np.float32), np.array([2, 10], np.float32))
FREE = gymnasium.spaces.Box(-np.inf, np.inf, (2, 1), np.float32)
CLIPPED = distributions.for_space(BOX)
SQUASHED = distributions.for_space(BOX, squash=True)
RNG = np.random.default_rng(0)
MEAN = RNG.normal(0, 1, (9, 2)).astype(np.float32)
LOG_STD = RNG.uniform(-2, 0.7, (9, 2)).astype(np.float32)
PARAMETERS = np.concatenate([MEAN, LOG_STD], axis=-1)
X = (MEAN + np.exp(LOG_STD) * RNG.normal(0, 1.5, (9, 2))).astype(np.float32)
NORMAL = stats.norm(MEAN.astype(np.float64), np.exp(LOG_STD.astype(np.float64)))


def test_the_space_and_the_setting_decide_the_family():
    assert type(CLIPPED) is DiagonalGaussian and type(SQUASHED) is TanhGaussian
    assert CLIPPED.head_size == CLIPPED.constant_size == 2


def test_log_prob_of_a_gaussian_is_that_of_scipy(variant):
    expected = NORMAL.logpdf(X.astype(np.float64)).sum(axis=-1)
    actual = variant(CLIPPED.log_prob)(tf.constant(PARAMETERS), tf.constant(X))
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_entropy_of_a_gaussian_is_that_of_scipy(variant):
    expected = NORMAL.entropy().sum(axis=-1)
    actual = variant(CLIPPED.entropy)(tf.constant(PARAMETERS))
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_log_prob_of_a_squashed_gaussian_is_the_change_of_variables(variant):
    """log p(a) = log N(atanh a) - Σ log(1 - a²), in float64."""
    x = X.astype(np.float64)
    expected = (NORMAL.logpdf(x) - np.log1p(-(np.tanh(x) ** 2))).sum(axis=-1)
    actual = variant(SQUASHED.log_prob)(tf.constant(PARAMETERS), tf.constant(X))
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_the_density_of_a_squashed_gaussian_integrates_to_one():
    one = distributions.for_space(gymnasium.spaces.Box(-1, 1, (1,)), squash=True)

    def density(a: float) -> float:
        parameters = tf.constant([[0.3, -0.5]])
        x = tf.constant([[np.arctanh(a)]], tf.float32)
        return float(np.exp(one.log_prob(parameters, x)[0]))

    total, _ = integrate.quad(density, -1, 1, limit=200, epsabs=1e-6)
    assert total == pytest.approx(1.0, abs=1e-4)


def test_entropy_of_a_squashed_gaussian_is_the_integral(variant):
    def entropy(mean: float, std: float) -> float:
        def integrand(x: float) -> float:
            log_slope = 2 * (np.log(2) - x - np.logaddexp(0, -2 * x))
            return stats.norm.pdf(x, mean, std) * log_slope

        span = mean - 12 * std, mean + 12 * std
        expected_slope, _ = integrate.quad(integrand, *span, limit=400, epsabs=1e-11)
        return stats.norm.entropy(mean, std) + expected_slope

    pairs = zip(MEAN.ravel().tolist(), np.exp(LOG_STD).ravel().tolist(), strict=True)
    expected = np.reshape([entropy(*pair) for pair in pairs], MEAN.shape).sum(axis=-1)
    actual = variant(SQUASHED.entropy)(tf.constant(PARAMETERS))
    # 32 nodes; the worst of standard deviations up to 2 half ranges
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", [CLIPPED, SQUASHED], ids=["clipped", "squashed"])
def test_entropy_is_the_mean_of_minus_log_prob(family):
    count = 200_000
    parameters = tf.constant(np.tile(PARAMETERS[:1], (count, 1)))
    noise = prng.uniform([count, family.noise_size], tf.constant([5, 0]))
    log_prob = family.log_prob(parameters, family.sample(parameters, noise)).numpy()
    standard_error = log_prob.std() / np.sqrt(count)
    assert abs(-log_prob.mean() - family.entropy(parameters)[0]) < 4 * standard_error


@pytest.mark.parametrize("family", [CLIPPED, SQUASHED], ids=["clipped", "squashed"])
def test_samples_are_normal(family, variant):
    count = 50_000
    parameters = tf.constant(np.tile(PARAMETERS[:1], (count, 1)))
    noise = prng.uniform([count, family.noise_size], tf.constant([6, 0]))
    samples = variant(family.sample)(parameters, noise).numpy()
    for i in range(2):
        assert stats.kstest(samples[:, i], _cdf(i)).pvalue > 0.01
    assert abs(np.corrcoef(samples.T)[0, 1]) < 4 / np.sqrt(count)


def _cdf(i: int):
    return stats.norm(MEAN[0, i], np.exp(LOG_STD[0, i])).cdf


def test_samples_hardly_differ_between_modes(variant):
    noise = prng.uniform([9, 4], tf.constant([7, 0]))
    parameters = tf.constant(PARAMETERS)
    np.testing.assert_allclose(
        variant(CLIPPED.sample)(parameters, noise),
        CLIPPED.sample(parameters, noise),
        rtol=1e-5,
        atol=1e-5,
    )


def test_actions_are_clipped_to_bounds_in_the_units_of_the_environment():
    action = CLIPPED.to_env_action(tf.constant([[0.0, 0.0], [0.5, -1.0], [7.0, -7.0]])).numpy()
    np.testing.assert_allclose(action, [[0, 5], [1, 0], [2, 0]])
    assert all(BOX.contains(row) for row in action)


def test_squashed_actions_lie_within_their_bounds_however_far_out():
    wide = tf.constant([[-1e3, 1e3], [50.0, -50.0], [0.5, 0.0]])
    action = SQUASHED.to_env_action(wide).numpy()
    np.testing.assert_allclose(action, [[-2, 10], [2, 0], [2 * np.tanh(0.5), 5]], rtol=1e-6)
    assert all(BOX.contains(row) for row in action)
    assert np.isfinite(SQUASHED.log_prob(tf.constant(np.zeros((3, 4), np.float32)), wide)).all()


def test_without_bounds_actions_are_themselves():
    family = distributions.for_space(FREE)
    action = family.to_env_action(tf.constant([[1e6, -3.0]])).numpy()
    np.testing.assert_array_equal(action, [[[1e6], [-3.0]]])
    assert FREE.contains(action[0])


def test_a_bound_on_one_side_is_kept():
    space = gymnasium.spaces.Box(0, np.inf, (1,), np.float64)
    action = distributions.for_space(space).to_env_action(tf.constant([[-3.0], [4.0]])).numpy()
    np.testing.assert_array_equal(action, [[0.0], [4.0]])
    assert space.contains(action[0])


def test_bounds_that_float32_does_not_have_are_kept():
    space = gymnasium.spaces.Box(-0.1, 0.1, (1,), np.float64)
    action = distributions.for_space(space).to_env_action(tf.constant([[-9.0], [9.0]])).numpy()
    np.testing.assert_array_equal(action, [[-0.1], [0.1]])
    assert action.dtype == np.float64 and space.contains(action[0])


@pytest.mark.parametrize(
    "bound", [float(np.finfo(dtype).max) for dtype in (np.float32, np.float64)]
)
def test_bounds_of_a_dtype_are_none(bound):
    space = gymnasium.spaces.Box(-bound, bound, (1,), np.float64)
    action = distributions.for_space(space).to_env_action(tf.constant([[-3.0], [4.0]])).numpy()
    np.testing.assert_array_equal(action, [[-3.0], [4.0]])


@pytest.mark.parametrize("family", [CLIPPED, SQUASHED], ids=["clipped", "squashed"])
def test_the_greedy_action_is_the_median(family):
    """Half of the samples lie on either side of it, in the units of the environment."""
    count = 40_000
    noise = prng.uniform([count, family.noise_size], tf.constant([8, 0]))
    for row in (PARAMETERS[1], PARAMETERS[2]):
        parameters = tf.constant(np.tile(row, (count, 1)))
        samples = family.to_env_action(family.sample(parameters, noise)).numpy()
        greedy = family.to_env_action(family.mode(parameters)).numpy()[0]
        below = (samples < greedy).mean(axis=0) + 0.5 * (samples == greedy).mean(axis=0)
        inside = (greedy > BOX.low) & (greedy < BOX.high)
        np.testing.assert_allclose(below[inside], 0.5, atol=0.01)


def test_outputs_are_in_the_units_of_the_environment():
    """Whoever samples mean + exp(log_std)·n and clips does as the agent did."""
    outputs = CLIPPED.outputs(tf.constant(PARAMETERS))
    np.testing.assert_allclose(outputs["mean"], MEAN * [2, 5] + [0, 5], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(np.exp(outputs["log_std"]), np.exp(LOG_STD) * [2, 5], rtol=1e-5)
    assert CLIPPED.manifest_entry() == {
        "type": "gaussian",
        "low": [-2.0, 0.0],
        "high": [2.0, 10.0],
        "shape": [2],
    }


def test_missing_bounds_are_described_as_none():
    described = distributions.for_space(FREE).manifest_entry()
    assert described["low"] == described["high"] == [None, None] and described["shape"] == [2, 1]


def test_what_has_no_finite_bounds_cannot_be_squashed():
    with pytest.raises(ValueError, match="no finite bounds"):
        distributions.for_space(FREE, squash=True)
    with pytest.raises(ValueError, match=r"Discrete\(2\) is not a Box"):
        distributions.for_space(gymnasium.spaces.Discrete(2), squash=True)


def test_a_box_of_integers_is_refused_by_name():
    with pytest.raises(ValueError, match=r"action space Box\(0, 3.*expected Discrete"):
        distributions.for_space(gymnasium.spaces.Box(0, 3, (2,), np.int32))
