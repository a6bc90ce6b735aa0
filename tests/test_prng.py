"""Threefry: published vectors, the same numbers in every mode, and uniform ones."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from a2c_tf import prng

# key, counter, expected: the known answers that come with Random123 (Salmon et al., 2011)
KNOWN_ANSWERS = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
]


@pytest.mark.parametrize(("key", "counter", "expected"), KNOWN_ANSWERS)
def test_known_answers(key, counter, expected, variant):
    words = [tf.constant([word], tf.uint32) for word in (*key, *counter)]
    assert [int(x[0]) for x in variant(prng.threefry_2x32)(*words)] == list(expected)


def test_every_mode_gives_the_same_bits(variant):
    seed = tf.constant([5, -7])
    numbers = variant(lambda seed: prng.uniform([7, 33], seed))(seed)
    np.testing.assert_array_equal(numbers, prng.uniform([7, 33], seed))


def test_numbers_are_uniform_and_inside_the_open_interval():
    numbers = prng.uniform([200_000], tf.constant([1, 2])).numpy()
    assert numbers.min() > 0 and numbers.max() < 1
    assert stats.kstest(numbers, "uniform").pvalue > 0.01


def test_extreme_words_stay_inside_the_open_interval(variant):
    words = tf.constant([0, 0xFFFFFFFF], tf.uint32)
    least, greatest = variant(prng.to_unit_interval)(words).numpy()
    assert 0 < least < 1e-6 and 1 - 1e-6 < greatest < 1


def test_streams_and_steps_of_a_stream_are_unrelated():
    seeds = [tf.constant([1, 0]), tf.constant([2, 0])]
    seeds += [prng.next_seed(seeds[0])]
    draws = np.stack([prng.uniform([20_000], seed).numpy() for seed in seeds])
    correlation = np.corrcoef(draws) - np.eye(3)
    assert np.abs(correlation).max() < 0.03


def test_a_longer_draw_of_odd_length_is_whole():
    numbers = prng.uniform([5], tf.constant([3, 4])).numpy()
    assert numbers.shape == (5,) and len(set(numbers.tolist())) == 5
