"""Planes of an observation from boards as ten columns `[B, 10]`: bit y of number x is cell (y, x).

Columns, since a plane's rows follow each other in memory: each is one bit of all the columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from a2c_tf.envs.minatar.board import SIZE


def columns_to_planes(boards: Sequence[tf.Tensor]) -> tf.Tensor:
    """Boards `[B, 10]` int32 as the planes of an observation, `[B, 10, 10, C]` bool.

    XLA fuses a reshape with what leads to it, and would compute runs of C cells, too short for
    vectors, instead of 10 C, and the boards in them, too. It does not fuse across a loop whose
    end it can't foresee: this one has one iteration, as no column has the bit that it starts at.
    """
    num_envs, channels = boards[0].shape[0], len(boards)
    start = tf.bitwise.right_shift(boards[0][0, 0], SIZE)
    empty = tf.zeros([num_envs, SIZE, SIZE * channels], tf.bool)

    def once(i: tf.Tensor, boards: list[tf.Tensor], _: tf.Tensor) -> tuple:
        # boards that stay the same XLA would compute within the loop
        return i + 1, [board + i for board in boards], _to_rows(boards)

    rows = tf.while_loop(lambda i, *_: i < 1, once, (start, list(boards), empty))[2]
    return tf.reshape(rows, [num_envs, SIZE, SIZE, channels])


def _to_rows(boards: Sequence[tf.Tensor]) -> tf.Tensor:
    """The planes `[B, 10, 10 C]` bool."""
    columns = tf.stack([tf.cast(board, tf.uint16) for board in boards], axis=-1)
    columns = tf.reshape(columns, [columns.shape[0], 1, -1])  # [B, 1, 10 C]
    y = tf.cast(tf.range(SIZE), tf.uint16)[:, tf.newaxis]
    bits = tf.bitwise.right_shift(columns, y) & tf.constant(1, tf.uint16)
    return tf.cast(bits, tf.bool)
