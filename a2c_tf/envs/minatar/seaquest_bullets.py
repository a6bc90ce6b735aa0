"""The bullets of Seaquest, as bits: ours, and those of the enemy submarines."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from a2c_tf.envs.minatar.bitboard import FULL_ROW
from a2c_tf.envs.minatar.board import SIZE


class Bullets(NamedTuple):
    """Holds boards of bits `[10, B]` int32; two bullets of one cell and direction are one bit."""

    leftward: tf.Tensor
    rightward: tf.Tensor


def none(num_envs: int) -> Bullets:
    """Returns empty boards."""
    empty = tf.zeros([SIZE, num_envs], tf.int32)
    return Bullets(empty, empty)


def fire(bullets: Bullets, cells: tf.Tensor, rightward: tf.Tensor) -> Bullets:
    """Adds a bullet in each of the cells.

    Args:
      bullets: those there are.
      cells: `[10, B]` int32, a board.
      rightward: bool, broadcast against the cells: which way the new ones fly.

    Returns:
      The bullets with the new ones.
    """
    return Bullets(
        bullets.leftward | tf.where(rightward, 0, cells),
        bullets.rightward | tf.where(rightward, cells, 0),
    )


def fly(bullets: Bullets) -> Bullets:
    """Moves all by one column; those at the edge are gone."""
    left = tf.bitwise.right_shift(bullets.leftward, 1)
    return Bullets(left, tf.bitwise.left_shift(bullets.rightward, 1) & FULL_ROW)


def remove(bullets: Bullets, cells: tf.Tensor) -> Bullets:
    """Returns the bullets without those in the cells `[10, B]`."""
    return Bullets(bullets.leftward & ~cells, bullets.rightward & ~cells)


def board(bullets: Bullets) -> tf.Tensor:
    """Returns the cells with a bullet, whichever way it flies, `[10, B]` int32."""
    return bullets.leftward | bullets.rightward
