"""Planes from boards of bits against cells taken one by one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from a2c_tf.envs.minatar.bitboard import materialized
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
def test_what_is_materialized_stays_the_same(value: int, variant: Callable) -> None:
    numbers = np.full([3], value)
    leaves = [numbers.astype(dtype) for dtype in (np.int64, np.int32, np.uint16)]
    leaves += [np.array([[True], [False]]), np.array([False])]
    for structure in (leaves, leaves[::-1]):
        same = variant(materialized)([tf.constant(leaf) for leaf in structure])
        for actual, expected in zip(same, structure, strict=True):
            assert actual.dtype == expected.dtype
            np.testing.assert_array_equal(actual, expected)


def test_xla_keeps_what_is_materialized_apart() -> None:
    """It would gain nothing if XLA saw through it."""

    def broadcast(board: tf.Tensor) -> tf.Tensor:
        return materialized(board + 1)[:, tf.newaxis] + tf.range(9)

    compiled = tf.function(broadcast, jit_compile=True, autograph=False)
    program = compiled.experimental_get_compiler_ir(tf.range(5))(stage="optimized_hlo")
    assert " while(" in program
