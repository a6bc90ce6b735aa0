"""Boards as the planes of an observation `[B, 10, 10, C]` bool."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from a2c_tf.envs.minatar.bitboard import materialized
from a2c_tf.envs.minatar.board import SIZE

BITS = 1 << np.arange(SIZE, dtype=np.uint16)[:, np.newaxis, np.newaxis]  # [10, 1, 1]


def rows_to_planes(boards: Sequence[tf.Tensor]) -> tf.Tensor:
    """Converts boards `[10, B]` int32 of rows: bit x of number y is the cell (y, x)."""
    return _to_planes(_stack(boards)[:, tf.newaxis] & BITS)


def columns_to_planes(boards: Sequence[tf.Tensor]) -> tf.Tensor:
    """Converts boards `[10, B]` int32 of columns: bit y of number x is the cell (y, x)."""
    return _to_planes(_stack(boards) & BITS[:, tf.newaxis])


def _stack(boards: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns `[10, C, B]` uint16, of which a vector holds twice as many as of int32."""
    return materialized(tf.stack([tf.cast(board, tf.uint16) for board in boards], axis=1))


def _to_planes(cells: tf.Tensor) -> tf.Tensor:
    """Returns planes of cells `[10, 10, C, B]`, occupied where they are not 0."""
    return tf.transpose(cells != 0, [3, 0, 1, 2])  # [B, 10, 10, C]
