"""Planes of an observation `[B, 10, 10, C]` bool, written as XLA writes them fast.

From boards as ten columns `[B, 10]`, bit y of number x being the cell (y, x), since a plane's rows
follow each other in memory: each is one bit of all the columns. Or from marks, numbers of cells in
rows `[B, 10]`, where a row has a few.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from a2c_tf.envs.minatar.board import SIZE

NO_MARK = 255
"""marks no cell of a row, which has 10 C of them, at most 254."""
SCRAMBLE = 0b01010101
"""makes of 0, 1, 2, ... no such row, for which XLA would compare 64-bit counters, not bytes."""


def columns_to_planes(boards: Sequence[tf.Tensor]) -> tf.Tensor:
    """Boards `[B, 10]` int32 as the planes of an observation."""
    start = tf.bitwise.right_shift(boards[0][0, 0], SIZE)
    return _to_planes(boards, _columns_to_rows, len(boards), start)


def mark(x: tf.Tensor | int, channel: tf.Tensor | int, channels: int) -> tf.Tensor | int:
    """The number of the cell of a row in column `x` of that plane."""
    return x * channels + channel


def marks_to_planes(marks: Sequence[tf.Tensor], channels: int) -> tf.Tensor:
    """Each of `marks` is one cell of each row, `[B, 10]` int32, or NO_MARK."""
    start = tf.bitwise.right_shift(marks[0][0, 0], 8)
    cells = tf.constant(SCRAMBLE ^ np.arange(SIZE * channels, dtype=np.uint8))

    def to_rows(marks: Sequence[tf.Tensor]) -> tf.Tensor:
        return functools.reduce(tf.logical_or, [m[..., tf.newaxis] == cells for m in marks])

    return _to_planes([tf.cast(m ^ SCRAMBLE, tf.uint8) for m in marks], to_rows, channels, start)


def _to_planes(
    tensors: Sequence[tf.Tensor],
    to_rows: Callable[[Sequence[tf.Tensor]], tf.Tensor],
    channels: int,
    start: tf.Tensor,
) -> tf.Tensor:
    """What `to_rows` makes of the tensors, `[B, 10, 10 C]`, as planes; `start` is always 0.

    XLA fuses a reshape with what leads to it, and would compute runs of C cells, too short for
    vectors, instead of 10 C, and the tensors in them, too. It does not fuse across a loop whose
    end it can't foresee: this one has one iteration, as no tensor has the bit that it starts at.
    """
    num_envs = tensors[0].shape[0]
    empty = tf.zeros([num_envs, SIZE, SIZE * channels], tf.bool)

    def once(i: tf.Tensor, tensors: list[tf.Tensor], _: tf.Tensor) -> tuple:
        # tensors that stay the same XLA would compute within the loop
        following = [tensor + tf.cast(i, tensor.dtype) for tensor in tensors]
        return i + 1, following, to_rows(tensors)

    rows = tf.while_loop(lambda i, *_: i < 1, once, (start, list(tensors), empty))[2]
    return tf.reshape(rows, [num_envs, SIZE, SIZE, channels])


def _columns_to_rows(boards: Sequence[tf.Tensor]) -> tf.Tensor:
    """The planes `[B, 10, 10 C]` bool."""
    columns = tf.stack([tf.cast(board, tf.uint16) for board in boards], axis=-1)
    columns = tf.reshape(columns, [columns.shape[0], 1, -1])  # [B, 1, 10 C]
    y = tf.cast(tf.range(SIZE), tf.uint16)[:, tf.newaxis]
    bits = tf.bitwise.right_shift(columns, y) & tf.constant(1, tf.uint16)
    return tf.cast(bits, tf.bool)
