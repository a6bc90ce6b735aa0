"""The categorical distribution against scipy and its definition."""

from __future__ import annotations

import re

import numpy as np
import pytest
import tensorflow as tf
from gymnasium import spaces
from scipy import special, stats

from a2c_tf import distributions, prng
from a2c_tf.distributions import (
    Bernoulli,
    Bounds,
    Categorical,
    DiagonalGaussian,
    MultiCategorical,
    TanhGaussian,
)

LOGITS = np.random.default_rng(0).normal(0, 3, (11, 5)).astype(np.float32)
ACTIONS = np.random.default_rng(1).integers(0, 5, 11).astype(np.int32)
CATEGORICAL = Categorical(5)


def test_log_prob_is_that_of_scipy(variant):
    expected = special.log_softmax(LOGITS.astype(np.float64), axis=-1)[np.arange(11), ACTIONS]
    actual = variant(CATEGORICAL.log_prob)(tf.constant(LOGITS), tf.constant(ACTIONS))
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


def test_entropy_is_that_of_scipy(variant):
    expected = stats.entropy(special.softmax(LOGITS.astype(np.float64), axis=-1), axis=-1)
    actual = variant(CATEGORICAL.entropy)(tf.constant(LOGITS))
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


def test_entropy_lies_between_zero_and_that_of_the_uniform():
    entropy = CATEGORICAL.entropy(tf.constant(LOGITS)).numpy()
    assert (entropy >= 0).all() and (entropy <= np.log(5)).all()
    uniform = CATEGORICAL.entropy(tf.fill([1, 5], 4.2))
    np.testing.assert_allclose(uniform, [np.log(5)], rtol=1e-6)


def test_entropy_has_no_gradient_at_the_uniform():
    logits = tf.fill([1, 5], 4.2)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        entropy = CATEGORICAL.entropy(logits)
    np.testing.assert_allclose(tape.gradient(entropy, logits), np.zeros([1, 5]), atol=1e-7)


def test_extreme_logits_stay_finite(variant):
    logits = tf.constant([[1e4, -1e4, 0, 0, 0]])
    for value in (
        variant(CATEGORICAL.log_prob)(logits, tf.constant([0])),
        variant(CATEGORICAL.entropy)(logits),
    ):
        np.testing.assert_allclose(value, [0.0], atol=1e-6)


def test_mode_is_the_most_likely_action(variant):
    np.testing.assert_array_equal(
        variant(CATEGORICAL.mode)(tf.constant(LOGITS)), LOGITS.argmax(axis=-1)
    )


def test_samples_have_the_frequencies_of_the_softmax(variant):
    count = 40_000
    logits = tf.tile(tf.constant(LOGITS[:1]), [count, 1])
    noise = prng.uniform([count, CATEGORICAL.noise_size], tf.constant([7, 0]))
    counts = np.bincount(variant(CATEGORICAL.sample)(logits, noise), minlength=5)
    expected = special.softmax(LOGITS[0].astype(np.float64)) * count
    assert stats.chisquare(counts, expected, sum_check=False).pvalue > 0.01


def test_a_sample_is_where_logits_and_gumbel_noise_are_highest(variant):
    noise = prng.uniform([11, 5], tf.constant([7, 2]))
    gumbel = -np.log(-np.log(noise.numpy().astype(np.float64)))
    expected = (LOGITS + gumbel).argmax(axis=-1)
    np.testing.assert_array_equal(variant(CATEGORICAL.sample)(tf.constant(LOGITS), noise), expected)


def test_samples_are_the_same_in_every_mode(variant):
    noise = prng.uniform([11, 5], tf.constant([7, 1]))
    logits = tf.constant(LOGITS)
    np.testing.assert_array_equal(
        variant(CATEGORICAL.sample)(logits, noise), CATEGORICAL.sample(logits, noise)
    )


BOUNDS = Bounds((-1.0, -1.0), (1.0, 1.0), (2,), "float32")


@pytest.mark.parametrize(
    ("space", "squash", "family"),
    [
        (spaces.Discrete(4), False, Categorical(4)),
        (spaces.Discrete(4, start=1), False, Categorical(4, start=1)),
        (spaces.MultiDiscrete([2, 3]), False, MultiCategorical((2, 3), (0, 0), (2,))),
        (spaces.MultiBinary(3), False, Bernoulli((3,))),
        (spaces.Box(-1, 1, (2,)), False, DiagonalGaussian(BOUNDS)),
        (spaces.Box(-1, 1, (2,)), True, TanhGaussian(BOUNDS)),
    ],
)
def test_space_decides_the_family(space, squash, family):
    chosen = distributions.for_space(space, squash)
    assert (chosen, type(chosen)) == (family, type(family))


@pytest.mark.parametrize(
    "space", [spaces.Box(0, 9, (2,), np.int32), spaces.Tuple([spaces.Discrete(4)]), spaces.Text(3)]
)
def test_other_spaces_are_refused_by_name(space):
    with pytest.raises(ValueError, match=rf"{re.escape(str(space))} .*expected Discrete"):
        distributions.for_space(space)


@pytest.mark.parametrize(
    ("space", "reason"),
    [
        (spaces.Discrete(4), r"Discrete\(4\) is not a Box"),
        (spaces.Box(0, np.inf, (2,)), "no finite bounds"),
    ],
)
def test_what_cannot_be_squashed_is_refused(space, reason):
    with pytest.raises(ValueError, match=f"network.squash_actions=true: .*{reason}.* to false"):
        distributions.for_space(space, squash=True)
