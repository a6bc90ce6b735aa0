"""The fish and submarines of Seaquest, as bits.

The enemies of a row go one way and never share both column and move timer, so that a row, a lane,
is 60 bits of an int64: bit 10 k + x is the enemy in column x that moves in k steps.

Why they never do: one that came L steps after another makes each of its moves about as much later,
as long as the period of moves is the same for both. It falls by 1 three times, with the second,
fourth and sixth ramp, and up to then spawns are at least 15 steps apart: L stays at least 12, and
no enemy is in one column for more than 6 steps. Those that come later are 1 step apart or more,
and move with the same period of 2. So of a cell's enemies the first to come has the lowest timer.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from a2c_tf.envs.minatar.bitboard import FULL_ROW, bit, is_row, materialized, shift
from a2c_tf.envs.minatar.board import SIZE

ROWS = 8  # 1 to 8
TIMERS = 6  # a move timer is 0 to 5
SHOT_TIMERS = 11  # 0 to 10
EVERY_TIMER = sum(1 << SIZE * timer for timer in range(TIMERS))


class Enemies(NamedTuple):
    """Lanes of bits, and which way each goes."""

    fish: tf.Tensor  # [10, B] int64
    subs: tf.Tensor  # [10, B] int64
    loading: tf.Tensor  # [11, 10, B] int64, the same: those with shot timer 0 to those with 10
    rightward: tf.Tensor  # [10, B] bool


def none(num_envs: int) -> Enemies:
    """Returns empty lanes."""
    lanes = tf.zeros([SIZE, num_envs], tf.int64)
    loading = tf.zeros([SHOT_TIMERS, SIZE, num_envs], tf.int64)
    return Enemies(lanes, lanes, loading, tf.zeros_like(lanes, tf.bool))


def load(enemies: Enemies) -> Enemies:
    """Counts down the shot timers; those that were 0 are 10, and these submarines shoot."""
    timers = enemies.loading
    return enemies._replace(loading=tf.concat([timers[1:], timers[:1]], axis=0))


def spawn(enemies: Enemies, due: tf.Tensor, period: tf.Tensor, noise: tf.Tensor) -> Enemies:
    """Adds one enemy where one is due, unless its lane goes the other way.

    A submarine's shot timer starts at 10, and the step of `load` before this counts.

    Args:
      enemies: before.
      due: `[B]` bool.
      period: `[B]` int32, steps between two moves of a new enemy.
      noise: `[3, B]` float32, uniform in (0, 1).

    Returns:
      The enemies with the new ones.
    """
    from_left, is_sub = noise[0] < 1 / 2, noise[1] < 1 / 3
    lane = is_row(random_row(noise[2]))  # [10, B]
    inhabited = (enemies.fish | enemies.subs) != 0
    opposed = inhabited & (enemies.rightward != from_left)
    lane &= due & ~opposed
    edge = bit(tf.where(from_left, 0, SIZE - 1))
    enemy = with_timer(materialized(tf.where(lane, edge, 0)), period)
    sub = tf.where(is_sub, enemy, tf.zeros_like(enemy))
    new = (tf.range(SHOT_TIMERS) == SHOT_TIMERS - 2)[:, tf.newaxis, tf.newaxis]  # counted down once
    return Enemies(
        fish=enemies.fish | (enemy ^ sub),
        subs=enemies.subs | sub,
        loading=enemies.loading | tf.where(new, sub, tf.zeros_like(enemies.loading)),
        rightward=tf.where(lane, from_left, enemies.rightward),
    )


def random_row(noise: tf.Tensor) -> tf.Tensor:
    """Returns a row in which something crosses, 1 to 8, from a uniform number `[B]`."""
    return 1 + tf.cast(noise * ROWS, tf.int32)


def remove(enemies: Enemies, lanes: tf.Tensor) -> Enemies:
    """Returns the enemies without those whose bits are in `lanes` `[10, B]`."""
    return enemies._replace(
        fish=enemies.fish & ~lanes,
        subs=enemies.subs & ~lanes,
        loading=enemies.loading & ~lanes,
    )


def cells(lanes: tf.Tensor) -> tf.Tensor:
    """Returns where there are enemies with any move timer, of lanes `[10, B]`: a board, int32."""
    right_shift = tf.bitwise.right_shift
    lanes |= right_shift(lanes, SIZE * TIMERS // 2)
    lanes |= right_shift(lanes, SIZE) | right_shift(lanes, 2 * SIZE)
    return tf.cast(lanes & FULL_ROW, tf.int32)


def with_timer(board: tf.Tensor, timer: tf.Tensor) -> tf.Tensor:
    """Returns lanes with enemies in the cells of a board `[10, B]`, of move timer `[B]`."""
    offset = tf.cast(SIZE * timer, tf.int64)
    return tf.bitwise.left_shift(tf.cast(board, tf.int64), offset)


def first_in(lanes: tf.Tensor, board: tf.Tensor) -> tf.Tensor:
    """Returns of the enemies in each cell of `board` the one that came first, as lanes."""
    left_shift = tf.bitwise.left_shift
    present = lanes & (tf.cast(board, tf.int64) * EVERY_TIMER)
    later = left_shift(present, SIZE)  # all of a higher timer than one that is present
    for timers in (1, 2, 4):
        later |= left_shift(later, SIZE * timers)
    return present & ~later


def advance(
    lanes: tf.Tensor, rightward: tf.Tensor, period: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Moves the enemies whose timer is 0, and counts down the others'.

    Args:
      lanes: `[10, B]` int64.
      rightward: `[10, B]` bool, the direction of each lane.
      period: `[B]` int32, steps between two moves.

    Returns:
      The lanes after it, and the boards of the cells that were entered.
    """
    entered = shift(lanes & FULL_ROW, rightward)
    offset = tf.cast(SIZE * period, tf.int64)
    waiting = tf.bitwise.right_shift(lanes, SIZE)
    moved = tf.bitwise.left_shift(entered, offset)
    return waiting | moved, tf.cast(entered, tf.int32)
