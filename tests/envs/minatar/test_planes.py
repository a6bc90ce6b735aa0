"""Planes from boards of bits, or from marked cells, against cells taken one by one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from a2c_tf.envs.minatar.bitboard import to_planes
from a2c_tf.envs.minatar.planes import NO_MARK, columns_to_planes, mark, marks_to_planes


@pytest.mark.parametrize("channels", [4, 6, 7, 10])
def test_planes_have_the_bits_of_the_boards(channels: int, variant: Callable) -> None:
    boards = np.random.default_rng(0).integers(2**10, size=(channels, 5, 10)).astype(np.int32)
    bits = (boards[..., np.newaxis] >> np.arange(10) & 1).astype(bool)  # [C, B, number, bit]
    inputs = [tf.constant(board) for board in boards]
    rows = variant(lambda *boards: to_planes(boards))(*inputs)
    np.testing.assert_array_equal(rows, bits.transpose(1, 2, 3, 0))
    columns = variant(lambda *boards: columns_to_planes(boards))(*inputs)
    np.testing.assert_array_equal(columns, bits.transpose(1, 3, 2, 0))


@pytest.mark.parametrize("channels", [4, 7, 10, 25])
def test_planes_have_the_cells_that_are_marked(channels: int, variant: Callable) -> None:
    rng, expected = np.random.default_rng(0), np.zeros((5, 10, 10, channels), bool)
    marks = np.full((3, 5, 10), NO_MARK, np.int32)
    for i, b, y in np.argwhere(rng.uniform(size=marks.shape) < 0.7):
        x, channel = rng.integers(10), rng.integers(channels)
        marks[i, b, y] = mark(x, channel, channels)
        expected[b, y, x, channel] = True
    planes = variant(lambda *marks: marks_to_planes(marks, channels))(*map(tf.constant, marks))
    np.testing.assert_array_equal(planes, expected)
