"""Several choices at once, bits, and masks, against scipy and enumeration of all actions."""

from __future__ import annotations

import itertools

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

from a2c_tf import distributions, prng
from a2c_tf.distributions import Bernoulli, Categorical, MultiCategorical

MULTI = MultiCategorical(sizes=(2, 3, 4), starts=(0, 5, -1), shape=(3,))
BITS = Bernoulli(shape=(4,))
PARAMETERS = {
    MULTI: np.random.default_rng(0).normal(0, 2, (7, 9)).astype(np.float32),
    BITS: np.random.default_rng(1).normal(0, 2, (7, 4)).astype(np.float32),
}
FAMILIES = pytest.mark.parametrize("family", [MULTI, BITS], ids=["multi", "bits"])


def all_actions(family: MultiCategorical | Bernoulli) -> np.ndarray:
    """Every action there is, `[count, numbers]`."""
    sizes = family.sizes if isinstance(family, MultiCategorical) else (2,) * family.head_size
    return np.array(list(itertools.product(*map(range, sizes))), np.int32)


def probabilities(family: MultiCategorical | Bernoulli, logits: np.ndarray) -> np.ndarray:
    """Of every action by the definition, in float64, `[count]`."""
    logits = logits.astype(np.float64)
    if isinstance(family, Bernoulli):
        ones = special.expit(logits)
        choices = [np.array([1 - p, p]) for p in ones]
    else:
        choices = [special.softmax(x) for x in np.split(logits, np.cumsum(family.sizes)[:-1])]
    return np.array(
        [
            np.prod([c[a] for c, a in zip(choices, action, strict=True)])
            for action in all_actions(family)
        ]
    )


def log_probs(family: MultiCategorical | Bernoulli, parameters: np.ndarray) -> np.ndarray:
    """Of every action by the family, `[count]`."""
    actions = all_actions(family)
    rows = np.tile(parameters, (len(actions), 1))
    return family.log_prob(tf.constant(rows), tf.constant(actions)).numpy()


@FAMILIES
def test_log_prob_is_the_product_of_the_choices(family, variant):
    actions = all_actions(family)
    log_prob = variant(family.log_prob)
    for row in PARAMETERS[family]:
        rows = tf.constant(np.tile(row, (len(actions), 1)))
        expected = np.log(probabilities(family, row))
        np.testing.assert_allclose(log_prob(rows, tf.constant(actions)), expected, rtol=2e-6)


@FAMILIES
def test_entropy_is_that_of_all_actions(family, variant):
    expected = [stats.entropy(probabilities(family, row)) for row in PARAMETERS[family]]
    actual = variant(family.entropy)(tf.constant(PARAMETERS[family]))
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


@FAMILIES
def test_the_mode_is_the_likeliest_action(family, variant):
    actions = all_actions(family)
    expected = [actions[probabilities(family, row).argmax()] for row in PARAMETERS[family]]
    np.testing.assert_array_equal(variant(family.mode)(PARAMETERS[family]), expected)


@FAMILIES
def test_samples_have_the_probabilities_of_all_actions(family, variant):
    count, row = 60_000, PARAMETERS[family][0]
    noise = prng.uniform([count, family.noise_size], tf.constant([3, 0]))
    samples = variant(family.sample)(tf.constant(np.tile(row, (count, 1))), noise).numpy()
    actions = all_actions(family)
    counts = [(samples == action).all(axis=1).sum() for action in actions]
    expected = probabilities(family, row) * count
    assert samples.dtype == np.int32
    assert stats.chisquare(counts, expected, sum_check=False).pvalue > 0.01


@FAMILIES
def test_extreme_logits_stay_finite(family, variant):
    logits = tf.constant(np.where(PARAMETERS[family] > 0, 1e4, -1e4).astype(np.float32))
    mode = family.mode(logits)
    assert np.isfinite(variant(family.entropy)(logits)).all()
    assert np.isfinite(variant(family.log_prob)(logits, mode)).all()


def test_a_multi_discrete_action_counts_from_its_starts_in_its_shape():
    space = gymnasium.spaces.MultiDiscrete([[2, 3], [4, 5]], start=[[0, 5], [-1, 7]])
    family = distributions.for_space(space)
    action = family.to_env_action(tf.constant([[1, 2, 3, 4], [0, 0, 0, 0]])).numpy()
    np.testing.assert_array_equal(action, [[[1, 7], [2, 11]], [[0, 5], [-1, 7]]])
    assert all(space.contains(a.astype(np.int64)) for a in action)


def test_a_discrete_action_counts_from_its_start():
    family = distributions.for_space(gymnasium.spaces.Discrete(3, start=-1))
    np.testing.assert_array_equal(family.to_env_action(tf.constant([0, 1, 2])), [-1, 0, 1])


def test_bits_have_the_shape_of_the_space():
    space = gymnasium.spaces.MultiBinary([2, 3])
    family = distributions.for_space(space)
    action = family.to_env_action(tf.constant([[1, 0, 1, 0, 0, 1]])).numpy()
    np.testing.assert_array_equal(action, [[[1, 0, 1], [0, 0, 1]]])
    assert space.contains(action[0].astype(np.int8))


MASKED = {
    Categorical(4): np.array([[1, 0, 1, 1], [0, 0, 1, 0], [1, 1, 1, 1]], bool),
    MULTI: np.array(
        [[1, 0, 1, 1, 0, 0, 1, 1, 0], [0, 1, 0, 1, 0, 1, 0, 0, 0], [1] * 9], dtype=bool
    ),
    # of each bit whether 0 and whether 1 is allowed
    BITS: np.array([[1, 1, 1, 0, 0, 1, 1, 1], [0, 1, 1, 0, 1, 0, 0, 1], [1] * 8], bool),
}
MASKED_FAMILIES = pytest.mark.parametrize("family", MASKED, ids=["one", "multi", "bits"])


def allowed_actions(family, mask: np.ndarray) -> np.ndarray:
    """Whether every choice in each of all actions is allowed, `[count]`."""
    actions = np.arange(4)[:, None] if isinstance(family, Categorical) else all_actions(family)
    sizes = {Categorical: (4,), MultiCategorical: (2, 3, 4), Bernoulli: (2,) * 4}[type(family)]
    offsets = np.cumsum(sizes) - sizes
    return mask[actions + offsets].all(axis=1)


@MASKED_FAMILIES
def test_what_is_forbidden_has_probability_0_and_the_rest_is_renormalised(family, variant):
    masks = MASKED[family]
    logits = np.random.default_rng(5).normal(0, 2, (3, family.head_size)).astype(np.float32)
    masked = variant(family.apply_mask)(tf.constant(logits), tf.constant(masks)).numpy()
    for row, plain, mask in zip(masked, logits, masks, strict=True):
        allowed = allowed_actions(family, mask)
        if isinstance(family, Categorical):
            before, after = special.softmax(plain.astype(float)), special.softmax(row.astype(float))
        else:
            before, after = probabilities(family, plain), np.exp(log_probs(family, row))
        np.testing.assert_array_equal(after[~allowed], 0.0)
        np.testing.assert_allclose(after[allowed], before[allowed] / before[allowed].sum(), 1e-5)


@MASKED_FAMILIES
def test_no_sample_nor_mode_is_forbidden(family, variant):
    count = 20_000
    for mask in MASKED[family]:
        # the forbidden choices would be by far the likeliest
        size = family.head_size
        likely = mask[1::2] if isinstance(family, Bernoulli) else mask
        logits = tf.constant(np.where(likely, -9.0, 9.0).astype(np.float32)[None])
        masked = tf.tile(family.apply_mask(logits, tf.constant(mask[None])), [count, 1])
        assert masked.shape == (count, size)
        noise = prng.uniform([count, family.noise_size], tf.constant([4, 0]))
        samples = variant(family.sample)(masked, noise).numpy().reshape(count, -1)
        sizes = {Categorical: (4,), MultiCategorical: (2, 3, 4), Bernoulli: (2,) * 4}[type(family)]
        offsets = np.cumsum(sizes) - sizes
        assert mask[samples + offsets].all()
        assert mask[family.mode(masked).numpy().reshape(count, -1) + offsets].all()


@MASKED_FAMILIES
def test_what_is_forbidden_has_no_gradient(family):
    logits = tf.constant(np.random.default_rng(6).normal(size=(3, family.head_size)), tf.float32)
    masks = tf.constant(MASKED[family])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        masked = family.apply_mask(logits, masks)
        action = family.mode(masked)
        total = tf.reduce_sum(family.log_prob(masked, action) + family.entropy(masked))
    gradient = tape.gradient(total, logits).numpy()
    if isinstance(family, Bernoulli):
        free = MASKED[family][:, ::2] & MASKED[family][:, 1::2]
    else:
        free = MASKED[family]
    np.testing.assert_array_equal(gradient[~free], 0.0)
    assert np.isfinite(gradient).all() and gradient[free].any()


@MASKED_FAMILIES
def test_entropy_under_a_mask_is_that_of_the_allowed_actions(family):
    logits = np.zeros((3, family.head_size), np.float32)
    masked = family.apply_mask(tf.constant(logits), tf.constant(MASKED[family]))
    count = [allowed_actions(family, mask).sum() for mask in MASKED[family]]
    np.testing.assert_allclose(family.entropy(masked), np.log(count), rtol=1e-6, atol=1e-6)


def test_an_absent_mask_leaves_the_parameters():
    logits = tf.constant([[1.0, 2.0]])
    assert distributions.apply_mask(Categorical(2), logits, ()) is logits
