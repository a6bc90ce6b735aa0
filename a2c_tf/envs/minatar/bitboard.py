"""Boards as ten integers `[10, B]`: bit x of number y is the cell in row y and column x.

A whole board is shifted at once, what leaves it falls off, and two things meet where an `and` is
not 0: an operation costs a tenth of what it does on boards of bool.
"""

from __future__ import annotations

from typing import TypeVar

import tensorflow as tf

from a2c_tf.envs.minatar.board import SIZE

Tensors = TypeVar("Tensors")

FULL_ROW = 2**SIZE - 1


def is_row(y: tf.Tensor | int) -> tf.Tensor:
    """Returns which row `y` `[B]` is, `[10, B]` bool; `[10, 1]` where `y` is one number."""
    return tf.range(SIZE)[:, tf.newaxis] == y


def bit(x: tf.Tensor) -> tf.Tensor:
    """Returns a row with the one cell in column `x`, which must be on the board."""
    return tf.bitwise.left_shift(tf.ones_like(x), x)


def at(y: tf.Tensor | int, x: tf.Tensor) -> tf.Tensor:
    """Returns a board with the one cell (y, x), each `[B]`."""
    return tf.where(is_row(y), bit(x), 0)


def shift(rows: tf.Tensor, rightward: tf.Tensor) -> tf.Tensor:
    """Moves the rows one column to the right, or to the left; what leaves the board is gone."""
    right = tf.bitwise.left_shift(rows, 1) & FULL_ROW
    return tf.where(rightward, right, tf.bitwise.right_shift(rows, 1))


def meet(board: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Returns whether the boards `[10, B]` have a cell in common, `[B]` bool."""
    return tf.reduce_any((board & other) != 0, axis=0)


def count(board: tf.Tensor) -> tf.Tensor:
    """Counts the cells of a board, `[B]` int32."""
    return tf.reduce_sum(tf.cast(tf.raw_ops.PopulationCount(x=board), tf.int32), axis=0)


def materialized(tensors: Tensors) -> Tensors:
    """Computes tensors before what follows: integers or bools, one or a structure of them.

    XLA fuses what leads to a tensor into every kernel that reads it, once for each element where
    it is broadcast. It does not fuse across a loop whose end it can't foresee: this has no turn.
    """
    leaves = tf.nest.flatten(tensors)
    start = tf.cast(tf.cast(tf.reshape(leaves[0], [-1])[0], tf.bool), tf.int32)  # 0 or 1

    def never(i: tf.Tensor, *leaves: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return i + 1, *(~leaf for leaf in leaves)  # what stays the same XLA would take out

    leaves = tf.while_loop(lambda i, *_: i < 0, never, (start, *leaves))[1:]
    return tf.nest.pack_sequence_as(tensors, leaves)
