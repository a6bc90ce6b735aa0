"""The fish and submarines of Seaquest, as boards of bits: one for each move timer.

A board is `[10, B]` int32, where bit x of number y is the cell in row y and column x. The enemies
of a row go one way and never share both column and move timer, so that each is one bit.

Why they never do: one that came L steps after another makes each of its moves about as much later,
as long as the period of moves is the same for both. It falls by 1 three times, with the second,
fourth and sixth ramp, and up to then spawns are at least 15 steps apart: L stays at least 12, and
no enemy is in one column for more than 6 steps. Those that come later are 1 step apart or more,
and move with the same period of 2. So of a cell's enemies the first to come has the lowest timer.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import tensorflow as tf

from a2c_tf.envs.minatar.bitboard import bit, is_row, materialized, shift
from a2c_tf.envs.minatar.board import SIZE

ROWS = 8  # 1 to 8
TIMERS = 6  # a move timer is 0 to 5
SHOT_TIMERS = 11  # 0 to 10


class Enemies(NamedTuple):
    """Holds boards by move timer, and which way the enemies of each row go."""

    fish: tf.Tensor  # [6, 10, B] int32
    subs: tf.Tensor  # [6, 10, B] int32
    loading: tf.Tensor  # [11, 6, 10, B] int32, the submarines again, by shot timer
    rightward: tf.Tensor  # [10, B] bool


def none(num_envs: int) -> Enemies:
    """Returns empty boards."""
    boards = tf.zeros([TIMERS, SIZE, num_envs], tf.int32)
    loading = tf.zeros([SHOT_TIMERS, TIMERS, SIZE, num_envs], tf.int32)
    return Enemies(boards, boards, loading, tf.zeros([SIZE, num_envs], tf.bool))


def load(enemies: Enemies) -> Enemies:
    """Counts down the shot timers; those that were 0 are 10, and these submarines shoot."""
    timers = enemies.loading
    return enemies._replace(loading=tf.concat([timers[1:], timers[:1]], axis=0))  # [11, 6, 10, B]


def spawn(enemies: Enemies, due: tf.Tensor, period: tf.Tensor, noise: tf.Tensor) -> Enemies:
    """Adds an enemy where `due`, unless those in its row go the other way.

    A submarine's shot timer starts at 10, and the step of `load` before this counts.

    Args:
      enemies: those there are.
      due: `[B]` bool.
      period: `[B]` int32, the move timer that the enemy starts with.
      noise: `[3, B]` float32 in (0, 1), for side, kind and row.

    Returns:
      The enemies with the new ones.
    """
    from_left, is_sub = noise[0] < 1 / 2, noise[1] < 1 / 3
    row = is_row(random_row(noise[2]))  # [10, B]
    inhabited = cells(enemies.fish | enemies.subs) != 0
    row &= due & ~(inhabited & (enemies.rightward != from_left))
    edge = bit(tf.where(from_left, 0, SIZE - 1))
    enemy = with_timer(materialized(tf.where(row, edge, 0)), period)
    sub = tf.where(is_sub, enemy, 0)
    # [11, 1, 1, 1]; 10 was counted down once
    new = tf.reshape(tf.range(SHOT_TIMERS) == SHOT_TIMERS - 2, [SHOT_TIMERS, 1, 1, 1])
    return Enemies(
        fish=enemies.fish | (enemy ^ sub),
        subs=enemies.subs | sub,
        loading=enemies.loading | tf.where(new, sub, 0),
        rightward=tf.where(row, from_left, enemies.rightward),
    )


def random_row(noise: tf.Tensor) -> tf.Tensor:
    """Returns a row in which something crosses, 1 to 8, for a uniform number `[B]`."""
    return 1 + tf.cast(noise * ROWS, tf.int32)


def remove(enemies: Enemies, gone: tf.Tensor) -> Enemies:
    """Returns the enemies without those of the bits `gone` `[6, 10, B]`."""
    return enemies._replace(
        fish=enemies.fish & ~gone,
        subs=enemies.subs & ~gone,
        loading=enemies.loading & ~gone,
    )


def cells(boards: tf.Tensor) -> tf.Tensor:
    """Returns the cells with an enemy of any move timer: of `[6, 10, B]` a board `[10, B]`."""
    return functools.reduce(tf.bitwise.bitwise_or, tf.unstack(boards))


def with_timer(board: tf.Tensor, timer: tf.Tensor) -> tf.Tensor:
    """Returns boards with enemies in the cells of one, all with the same move timer.

    Args:
      board: `[..., 10, B]` int32.
      timer: `[B]` int32.

    Returns:
      Boards `[..., 6, 10, B]`, empty but for the one of that timer.
    """
    is_timer = tf.range(TIMERS)[:, tf.newaxis, tf.newaxis] == timer  # [6, 1, B]
    return tf.where(is_timer, board[..., tf.newaxis, :, :], 0)


def first_in(boards: tf.Tensor, board: tf.Tensor) -> tf.Tensor:
    """Returns of the enemies `[6, 10, B]` in each cell of `board`, the one that came first."""
    firsts = []
    for present in tf.unstack(boards):
        firsts.append(present & board)
        board &= ~present
    return tf.stack(firsts)  # [6, 10, B]


def advance(
    boards: tf.Tensor, rightward: tf.Tensor, period: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Moves the enemies whose timer is 0, and counts down the timers of the others.

    Args:
      boards: `[..., 6, 10, B]` int32.
      rightward: `[10, B]` bool, which way each row goes.
      period: `[B]` int32, the timer of those that moved.

    Returns:
      The boards after that, and the cells that were entered, `[..., 10, B]`.
    """
    entered = shift(boards[..., 0, :, :], rightward)
    nobody = tf.zeros_like(boards[..., :1, :, :])
    waiting = tf.concat([boards[..., 1:, :, :], nobody], axis=-3)  # [..., 6, 10, B]
    return waiting | with_timer(entered, period), entered
