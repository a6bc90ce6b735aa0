"""Sampled actions of every kind follow the distribution that the policy's outputs describe."""

import numpy as np
import pytest
from scipy import stats

from serving.errors import InvalidInputError
from serving.sampling import Bernoulli, Categorical, Gaussian, TanhGaussian, sample

DISCRETE = [
    "started",
    "multi_categorical",
    "bernoulli",
    "dict",
    "masked",
    "masked_multi_categorical",
    "masked_bernoulli",
    "recurrent",
    "everything",
]
LEAST_P = 1e-3
"""of a right sampler's p-values, one in a thousand is smaller; seeds are fixed."""


def repeated(small, seed, rows=1024):
    """One row, and a batch that repeats it."""
    row = small.random_inputs(1, seed)
    return row, {name: np.repeat(values, rows, axis=0) for name, values in row.items()}


def samples(served, inputs, batches=4):
    answers = [served.act(inputs, deterministic=False, seed=seed) for seed in range(batches)]
    return np.concatenate([answer["action"] for answer in answers])


def softmax(logits):
    shares = np.exp(logits - logits.max())
    return shares / shares.sum()


def test_the_same_seed_gives_the_same_actions(served):
    inputs = served.small.random_inputs(64)
    first, second = (served.act(inputs, deterministic=False, seed=3) for _ in range(2))
    assert first == second
    assert served.act(inputs, deterministic=False, seed=4)["action"] != first["action"]


def test_samples_have_shape_type_and_values_of_the_greedy_action(served):
    inputs = served.small.random_inputs(5)
    greedy, sampled = served.act(inputs), served.act(inputs, deterministic=False)
    assert np.shape(sampled["action"]) == np.shape(greedy["action"])
    assert np.array(sampled["action"]).dtype == np.array(greedy["action"]).dtype
    del greedy["action"], sampled["action"]
    assert sampled == greedy
    one = {name: values[0] for name, values in inputs.items()}
    action = served.act(one, deterministic=False)["action"]
    assert np.shape(action) == np.shape(served.act(one)["action"])


@pytest.mark.parametrize("name", DISCRETE)
def test_frequencies_of_every_component_are_the_softmax(served_named, name):
    served = served_named(name)
    row, batch = repeated(served.small, seed=5)
    logits = served.small.run(row)["logits"]
    actions = samples(served, batch)
    chosen = actions.reshape(len(actions), -1) - served.small.start
    for index, scores in zip(chosen.T, served.small.components(logits), strict=True):
        probabilities = softmax(scores[0].astype(np.float64))
        counts = np.bincount(index, minlength=len(probabilities))
        assert not counts[probabilities == 0].any()
        possible = probabilities > 0
        if possible.sum() > 1:
            test = stats.chisquare(counts[possible], len(index) * probabilities[possible])
            assert test.pvalue > LEAST_P


@pytest.mark.parametrize("name", ["multi_categorical", "bernoulli"])
def test_components_are_independent(served_named, name):
    served = served_named(name)
    _, batch = repeated(served.small, seed=7)
    actions = samples(served, batch)
    flat = actions.reshape(len(actions), -1)
    for i in range(flat.shape[1]):
        for j in range(i):
            table = stats.contingency.crosstab(flat[:, i], flat[:, j]).count
            assert stats.chi2_contingency(table).pvalue > LEAST_P


def test_gaussian_samples_have_mean_and_deviation_between_the_bounds(served_named):
    served = served_named("gaussian")
    row, batch = repeated(served.small, seed=8)
    outputs, actions = served.small.run(row), samples(served, batch)
    for x, mean, log_std, low, high in zip(
        actions.T, outputs["mean"][0], outputs["log_std"][0], *served.small.bounds, strict=True
    ):
        normal = stats.norm(float(mean), float(np.exp(log_std)))
        assert x.min() >= low and x.max() <= high
        for at_bound, share in (
            (x == low, normal.cdf(float(low))),
            (x == high, normal.sf(float(high))),
        ):
            assert stats.binomtest(int(at_bound.sum()), len(x), share).pvalue > LEAST_P
        inside = x[(x > low) & (x < high)]
        between = (normal.cdf(inside) - normal.cdf(low)) / (normal.cdf(high) - normal.cdf(low))
        assert stats.kstest(between, "uniform").pvalue > LEAST_P


def test_a_gaussian_is_clipped_at_both_bounds(served_named):
    """At an observation of zeros mean and log_std are 0."""
    served = served_named("gaussian")
    actions = samples(served, {"observation": np.zeros((1024, 4))})
    assert (actions[:, 0] == -1).any() and (actions[:, 0] == 1).any()
    assert (actions[:, 1] == 0.5).any()


def test_tanh_gaussian_samples_are_normal_before_the_squash(served_named):
    served = served_named("tanh_gaussian")
    row, batch = repeated(served.small, seed=9)
    outputs, actions = served.small.run(row), samples(served, batch)
    low, high = served.small.bounds
    for x, mean, log_std, lowest, highest in zip(
        actions[:, :, 0].T, outputs["mean"][0], outputs["log_std"][0], low, high, strict=True
    ):
        assert x.min() >= lowest and x.max() <= highest
        unsquashed = np.arctanh(2 * (x - lowest) / (highest - lowest) - 1)
        normal = stats.norm(float(mean), float(np.exp(log_std)))
        assert stats.kstest(unsquashed, normal.cdf).pvalue > LEAST_P


def test_rows_are_sampled_independently(served_named):
    """Neighbouring rows of one batch are uncorrelated."""
    served = served_named("gaussian")
    _, batch = repeated(served.small, seed=10)
    unbounded = samples(served, batch)[:, 2]
    assert stats.pearsonr(unbounded[:-1], unbounded[1:]).pvalue > LEAST_P


def gaussian_outputs(mean, log_std):
    outputs = {"action": mean, "mean": mean, "log_std": log_std}
    return {name: np.full((1000, 1), x, np.float32) for name, x in outputs.items()}


@pytest.mark.parametrize("log_std", [90.0, 700.0, 3e38])
def test_an_unbounded_action_beyond_its_type_is_refused(log_std):
    unbounded = Gaussian(low=[None], high=[None], shape=[1])
    with pytest.raises(InvalidInputError, match="deviation is too large"):
        sample(unbounded, gaussian_outputs(0, log_std), seed=1)


@pytest.mark.parametrize("distribution", [Gaussian, TanhGaussian])
def test_a_bounded_action_is_finite_whatever_the_deviation(distribution):
    bounded = distribution(low=[-2.0], high=[3.0], shape=[1])
    assert set(sample(bounded, gaussian_outputs(0, 3e38), seed=1).ravel()) == {-2, 3}


def test_without_deviation_an_action_is_its_mean():
    outputs = gaussian_outputs(0.5, -1e30)
    assert (sample(Gaussian(low=[None], high=[1.0], shape=[1]), outputs, seed=1) == 0.5).all()
    squashed = sample(TanhGaussian(low=[1.0], high=[3.0], shape=[1]), outputs, seed=1)
    np.testing.assert_allclose(squashed, 2 + np.tanh(0.5), rtol=1e-6)


def test_forced_and_forbidden_bits_and_large_starts_are_exact():
    logits = np.tile(np.array([1e9, -1e9], np.float32), (1000, 1))
    bits = sample(Bernoulli(shape=[2]), {"action": np.zeros((1000, 2)), "logits": logits}, seed=1)
    assert (bits == [1, 0]).all()
    outputs = {"action": np.zeros(1000, np.int64), "logits": logits}
    assert (sample(Categorical(start=2**62 + 1), outputs, seed=1) == 2**62 + 1).all()
