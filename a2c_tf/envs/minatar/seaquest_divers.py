"""The divers of Seaquest: at most two, since one comes every 30 steps and leaves in 60."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from a2c_tf.envs.minatar.bitboard import at, shift
from a2c_tf.envs.minatar.board import SIZE

MOST = 2
ON_BOARD = 6  # how many the submarine can carry
MOVE_PERIOD = 5
NOWHERE = -1


class Divers(NamedTuple):
    """Holds the divers, the newest first; each field is `[2, B]`, unused where there is no row."""

    y: tf.Tensor  # int32, -1 where there is no diver
    x: tf.Tensor  # int32
    rightward: tf.Tensor  # bool
    move_timer: tf.Tensor  # int32


def none(num_envs: int) -> Divers:
    """Returns no divers."""
    zero = tf.zeros([MOST, num_envs], tf.int32)
    return Divers(zero + NOWHERE, zero, tf.zeros_like(zero, tf.bool), zero)


def spawn(divers: Divers, due: tf.Tensor, row: tf.Tensor, from_left: tf.Tensor) -> Divers:
    """Adds a diver in place of the oldest.

    Args:
      divers: those there are.
      due: `[B]` bool, where there is a new one.
      row: `[B]` int32.
      from_left: `[B]` bool, the side that it comes from.

    Returns:
      The divers with the new ones.
    """
    edge = tf.where(from_left, 0, SIZE - 1)
    new = Divers(row, edge, from_left, tf.fill(row.shape, MOVE_PERIOD))
    return Divers(
        *(
            tf.where(due, tf.stack([first, leaf[0]]), leaf)  # [2, B]
            for first, leaf in zip(new, divers, strict=True)
        )
    )


def advance(
    divers: Divers, y: tf.Tensor, x: tf.Tensor, carried: tf.Tensor
) -> tuple[Divers, tf.Tensor]:
    """Moves the divers; those that the submarine meets are carried while there is room.

    Args:
      divers: those in the water.
      y: `[B]` int32, row of the submarine.
      x: `[B]` int32, its column.
      carried: `[B]` int32, divers on board.

    Returns:
      The divers left, and how many are `carried` `[B]`.
    """
    slots = []
    for i in range(MOST):  # one after another: there may be room for the first alone
        diver, carried = _advance_one(Divers(*(leaf[i] for leaf in divers)), y, x, carried)
        slots.append(diver)
    # [2, B] each
    return Divers(*(tf.stack(leaves) for leaves in zip(*slots, strict=True))), carried


def _advance_one(
    diver: Divers, y: tf.Tensor, x: tf.Tensor, carried: tf.Tensor
) -> tuple[Divers, tf.Tensor]:
    room = (diver.y == y) & (carried < ON_BOARD)
    picked = room & (diver.x == x)
    moves = ~picked & (diver.move_timer == 0)
    column = diver.x + tf.where(diver.rightward, 1, -1)
    left = moves & ((column < 0) | (column >= SIZE))
    picked |= room & moves & (column == x)
    after = Divers(
        y=tf.where(picked | left, NOWHERE, diver.y),
        x=tf.where(moves & ~left, column, diver.x),
        rightward=diver.rightward,
        move_timer=tf.where(moves, MOVE_PERIOD, diver.move_timer - 1),
    )
    return after, carried + tf.cast(picked, tf.int32)


def boards(divers: Divers) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the divers, and the trails behind them, as boards of bits `[10, B]`."""
    places = [at(divers.y[i], divers.x[i]) for i in range(MOST)]
    trails = [shift(place, ~divers.rightward[i]) for i, place in enumerate(places)]
    return places[0] | places[1], trails[0] | trails[1]
