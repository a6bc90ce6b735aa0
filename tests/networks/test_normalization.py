"""Running statistics against two passes over everything, inside the network and beside it."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from a2c_tf.networks.normalization import RunningNormalization
from a2c_tf.running_statistics import (
    CLIP,
    EPSILON,
    Moments,
    RewardScale,
    merge,
    moments_of,
    scale_reward,
)

SETTINGS = hypothesis.settings(deadline=None, derandomize=True, max_examples=40)
SIZES = st.lists(st.integers(0, 20), min_size=1, max_size=6)


def batches(seed: int, sizes: list[int]) -> list[np.ndarray]:
    """Of very different means and scales."""
    rng = np.random.default_rng(seed)
    return [rng.normal(rng.normal(0, 50), rng.uniform(0.1, 9), (size, 3)) for size in sizes]


def moments(x: np.ndarray) -> Moments:
    return moments_of(tf.constant(x), tf.ones([len(x)]))


def assert_moments(actual: Moments, x: np.ndarray) -> None:
    """Two passes: the mean, then the squares about it."""
    assert float(actual.count) == len(x)
    np.testing.assert_allclose(actual.mean, x.mean(axis=0), rtol=1e-10, atol=1e-10)
    squares = ((x - x.mean(axis=0)) ** 2).sum(axis=0)
    np.testing.assert_allclose(actual.squares, squares, rtol=1e-9, atol=1e-8)


@SETTINGS
@hypothesis.given(seed=st.integers(0, 10_000), sizes=SIZES)
def test_merged_batches_are_their_union(seed, sizes):
    hypothesis.assume(sum(sizes))
    parts = batches(seed, sizes)
    total = moments(parts[0])
    for part in parts[1:]:
        before = float(total.count)
        total = merge(total, moments(part))
        assert float(total.count) >= before
    assert_moments(total, np.concatenate(parts))


@SETTINGS
@hypothesis.given(seed=st.integers(0, 10_000))
def test_the_order_of_merging_does_not_matter(seed):
    a, b, c = map(moments, batches(seed, [3, 17, 8]))
    for x, y in zip(merge(merge(a, b), c), merge(a, merge(c, b)), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-9)


def test_rows_of_weight_0_do_not_count(variant):
    x = np.random.default_rng(0).normal(3, 2, (40, 3))
    weight = np.random.default_rng(1).random(40) < 0.6
    weighed = variant(moments_of)(tf.constant(x), tf.constant(weight, tf.float32))
    assert_moments(Moments(*weighed), x[weight])


def test_a_large_mean_does_not_drown_the_variance():
    """Sums of squares in float32 would lose it altogether."""
    layer = RunningNormalization()
    x = np.random.default_rng(0).normal(1e4, 0.5, (50, 16, 1)).astype(np.float32)
    layer(tf.constant(x[0]))
    for batch in x:
        layer.merge(tf.constant(batch))
    everything = x.reshape(-1, 1).astype(np.float64)
    assert_moments(Moments(*(w.numpy() for w in layer.weights)), everything)


def test_before_any_statistics_observations_pass_unchanged(variant):
    layer = RunningNormalization()
    x = tf.constant([[1.0, -2.0], [30.0, 4.0]])
    layer(x)
    np.testing.assert_allclose(variant(layer)(x), [[1, -2], [CLIP, 4]], rtol=1e-6)


def test_observations_are_normalised_by_what_was_merged(variant):
    layer = RunningNormalization()
    x = np.random.default_rng(2).normal([5, -3], [2, 0.1], (200, 2)).astype(np.float32)
    layer(tf.constant(x))
    merging = variant(layer.merge)
    merging(tf.constant(x[:50]))
    merging(tf.constant(x[50:]))
    wide = x.astype(np.float64)
    expected = (wide - wide.mean(axis=0)) / np.sqrt(wide.var(axis=0) + EPSILON)
    np.testing.assert_allclose(variant(layer)(tf.constant(x)), expected, rtol=1e-4, atol=1e-5)


def test_calling_changes_nothing():
    layer = RunningNormalization()
    x = tf.constant(np.random.default_rng(3).normal(size=(9, 2)), tf.float32)
    layer(x)
    layer.merge(x)
    before = [w.numpy() for w in layer.weights]
    for training in (True, False):
        layer(x + 100.0, training=training)
    for a, b in zip(before, layer.weights, strict=True):
        np.testing.assert_array_equal(a, b.numpy())
    assert not layer.trainable_weights


def test_a_constant_observation_stays_finite():
    layer = RunningNormalization()
    x = tf.fill([8, 1], 7.0)
    layer(x)
    layer.merge(x)
    np.testing.assert_array_equal(layer(x), np.zeros((8, 1)))


class SlowRewardScale:
    """OpenAI baselines' VecNormalize, one environment after another, over all that it has seen."""

    def __init__(self, num_envs: int, gamma: float) -> None:
        self.returns, self.gamma, self.seen = np.zeros(num_envs), gamma, []

    def scale(self, reward: np.ndarray, mask: np.ndarray) -> np.ndarray:
        for t, b in np.ndindex(*reward.shape):
            if not mask[t, b]:
                self.returns[b] = 0.0  # the row of a reset
                continue
            self.returns[b] = self.gamma * self.returns[b] + reward[t, b]
            self.seen.append(self.returns[b])
        return np.clip(reward / np.sqrt(np.var(self.seen) + EPSILON), -CLIP, CLIP)


def scaled(scale: RewardScale, reward: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """As an update does it: the unroll is counted in first."""
    counted = scale.count(reward, mask)
    scale.assign(counted)
    return scale_reward(reward, counted)


def test_rewards_are_scaled_by_the_returns_so_far(variant):
    rng = np.random.default_rng(4)
    fast, slow = RewardScale(3, 0.9), SlowRewardScale(3, 0.9)
    scale = variant(lambda *rows: scaled(fast, *rows))
    for i in range(6):
        mask = (rng.random((5, 3)) < 0.8).astype(np.float32)
        reward = (rng.normal(1, 10.0**i, (5, 3)) * mask).astype(np.float32)
        expected = slow.scale(reward.astype(np.float64), mask)
        actual = scale(tf.constant(reward), tf.constant(mask))
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-6)


def test_counting_changes_nothing_until_it_is_assigned():
    scale = RewardScale(2, 0.9)
    before = [variable.numpy() for variable in scale.variables]
    counted = scale.count(tf.ones([3, 2]), tf.ones([3, 2]))
    assert float(counted.moments.count) == 6
    for a, b in zip(before, scale.variables, strict=True):
        np.testing.assert_array_equal(a, b.numpy())


def test_a_first_reward_of_zero_stays_zero():
    scale = RewardScale(2, 0.99)
    zeros = scaled(scale, tf.zeros([4, 2]), tf.ones([4, 2]))
    np.testing.assert_array_equal(zeros, np.zeros((4, 2)))


def test_a_huge_reward_is_clipped():
    scale = RewardScale(1, 0.0)
    scaled(scale, tf.constant([[1.0], [-1.0]] * 500), tf.ones([1000, 1]))
    clipped = scaled(scale, tf.constant([[90.0]]), tf.ones([1, 1]))
    assert float(clipped[0, 0]) == pytest.approx(CLIP)
