"""Planes from boards of bits against cells taken one by one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from a2c_tf.envs.minatar.bitboard import computed
from a2c_tf.envs.minatar.planes import columns_to_planes, rows_to_planes


@pytest.mark.parametrize("channels", [4, 6, 7, 10])
def test_planes_have_the_bits_of_the_boards(channels: int, variant: Callable) -> None:
    boards = np.random.default_rng(0).integers(2**10, size=(channels, 10, 5)).astype(np.int32)
    bits = (boards[..., np.newaxis] >> np.arange(10) & 1).astype(bool)  # [C, number, B, bit]
    inputs = [tf.constant(board) for board in boards]
    rows = variant(lambda *boards: rows_to_planes(boards))(*inputs)
    np.testing.assert_array_equal(rows, bits.transpose(2, 1, 3, 0))
    columns = variant(lambda *boards: columns_to_planes(boards))(*inputs)
    np.testing.assert_array_equal(columns, bits.transpose(2, 3, 1, 0))


@pytest.mark.parametrize("value", [0, 1, -1])
def test_what_is_computed_apart_stays_the_same(value: int, variant: Callable) -> None:
    numbers, truths = tf.fill([3], value), tf.constant([[True], [False]])
    same = variant(computed)((tf.cast(numbers, tf.int64), numbers, truths))
    assert [leaf.dtype for leaf in same] == [tf.int64, tf.int32, tf.bool]
    np.testing.assert_array_equal(same[1], numbers)
    np.testing.assert_array_equal(same[2], truths)
    np.testing.assert_array_equal(variant(computed)(tf.cast(numbers, tf.uint16)), numbers % 2**16)
