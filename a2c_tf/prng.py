"""Uniform random numbers that are the same eagerly, in `tf.function` and under XLA.

TensorFlow's own stateless numbers change with the mode and are slower under XLA
(tensorflow/tensorflow#117644; figures: benchmarks/notebook/2026-11-27.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
ROUNDS = 20
KEY_PARITY = 0x1BD11BDA


def uniform(shape: Sequence[int], seed: tf.Tensor) -> tf.Tensor:
    """Returns float32 numbers in the open interval (0, 1), a pure function of `seed`.

    Args:
      shape: the static shape of the result.
      seed: `[2]` int32; every pair names a stream of its own.
    """
    size = math.prod(shape)
    half = (size + 1) // 2
    key = tf.bitcast(seed, tf.uint32)
    counter = tf.bitcast(tf.range(half), tf.uint32)
    words = threefry_2x32(key[0], key[1], counter, tf.zeros_like(counter))
    bits = tf.concat(words, axis=0)  # [2·half]
    return tf.reshape(to_unit_interval(bits[:size]), shape)  # [size] -> shape


def to_unit_interval(bits: tf.Tensor) -> tf.Tensor:
    """Maps uint32 to float32 in (0, 1): the middle of one of 2^23 cells, and exact."""
    cells = tf.cast(tf.bitcast(tf.bitwise.right_shift(bits, _word(9)), tf.int32), tf.float32)
    return (cells + 0.5) * 2.0**-23


def next_seed(seed: tf.Tensor) -> tf.Tensor:
    """Returns the next seed of the same stream: the first word stays, the second counts."""
    return seed + tf.constant([0, 1], tf.int32)


def threefry_2x32(
    key_0: tf.Tensor, key_1: tf.Tensor, x_0: tf.Tensor, x_1: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Encrypts counters by Threefry-2x32 with 20 rounds (Salmon et al., 2011).

    Args:
      key_0: scalar uint32, the first word of the key.
      key_1: scalar uint32, the second.
      x_0: `[N]` uint32, the first words of the counters.
      x_1: `[N]` uint32, the second.

    Returns:
      Two words `[N]` uint32 for each counter.
    """
    keys = (
        key_0,
        key_1,
        tf.bitwise.bitwise_xor(tf.bitwise.bitwise_xor(key_0, key_1), _word(KEY_PARITY)),
    )
    x_0, x_1 = x_0 + keys[0], x_1 + keys[1]
    for i in range(ROUNDS):
        x_0 = x_0 + x_1
        x_1 = tf.bitwise.bitwise_xor(_rotate_left(x_1, ROTATIONS[i % 8]), x_0)
        if i % 4 == 3:
            j = i // 4 + 1
            x_0, x_1 = x_0 + keys[j % 3], x_1 + keys[(j + 1) % 3] + _word(j)
    return x_0, x_1


def _rotate_left(x: tf.Tensor, bits: int) -> tf.Tensor:
    left = tf.bitwise.left_shift(x, _word(bits))
    return tf.bitwise.bitwise_or(left, tf.bitwise.right_shift(x, _word(32 - bits)))


def _word(value: int) -> tf.Tensor:
    return tf.constant(value, tf.uint32)
