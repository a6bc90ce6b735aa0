"""Boards as the planes of an observation `[B, 10, 10, C]` bool."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from a2c_tf.envs.minatar.bitboard import materialized
from a2c_tf.envs.minatar.board import SIZE

BITS = 1 << np.arange(SIZE, dtype=np.uint16)[:, np.newaxis, np.newaxis]  # [10, 1, 1]


def rows_to_planes(boards: Sequence[tf.Tensor]) -> tf.Tensor:
    """Boards `[10, B]` int32 whose numbers are rows: bit x of number y is the cell (y, x)."""
    return _to_planes(_stack(boards)[:, tf.newaxis] & BITS)


def columns_to_planes(boards: Sequence[tf.Tensor]) -> tf.Tensor:
    """Boards `[10, B]` int32 whose numbers are columns: bit y of number x is the cell (y, x)."""
    return _to_planes(_stack(boards) & BITS[:, tf.newaxis])


def _stack(boards: Sequence[tf.Tensor]) -> tf.Tensor:
    """`[10, C, B]` uint16, twice as many in a vector as of int32."""
    return materialized(tf.stack([tf.cast(board, tf.uint16) for board in boards], axis=1))


def _to_planes(cells: tf.Tensor) -> tf.Tensor:
    """Cells `[10, 10, C, B]`, occupied where they are not 0."""
    return tf.transpose(cells != 0, [3, 0, 1, 2])
