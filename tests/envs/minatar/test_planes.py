"""Planes from boards of bits against bits taken one by one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from a2c_tf.envs.minatar.bitboard import to_planes
from a2c_tf.envs.minatar.planes import columns_to_planes


@pytest.mark.parametrize("channels", [4, 6, 7, 10])
def test_planes_have_the_bits_of_the_boards(channels: int, variant: Callable) -> None:
    boards = np.random.default_rng(0).integers(2**10, size=(channels, 5, 10)).astype(np.int32)
    bits = (boards[..., np.newaxis] >> np.arange(10) & 1).astype(bool)  # [C, B, number, bit]
    inputs = [tf.constant(board) for board in boards]
    rows = variant(lambda *boards: to_planes(boards))(*inputs)
    np.testing.assert_array_equal(rows, bits.transpose(1, 2, 3, 0))
    columns = variant(lambda *boards: columns_to_planes(boards))(*inputs)
    np.testing.assert_array_equal(columns, bits.transpose(1, 3, 2, 0))
