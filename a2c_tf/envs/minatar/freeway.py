"""MinAtar Freeway in the graph.

A chicken crosses eight rows of cars again and again; an episode has 2501 steps.
https://github.com/kenjyoung/MinAtar
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from a2c_tf.envs.drawing import palettes
from a2c_tf.envs.minatar.bitboard import FULL_ROW, is_row, meet, to_planes
from a2c_tf.envs.minatar.board import SIZE, MinAtarGame, chosen

FIRST_ROW, LAST_ROW = 1, 8  # of those with a car each
SLOWEST = 5  # steps between its moves
SPEEDS = 2 * SLOWEST
COLUMN = 4  # of the chicken
START_ROW = SIZE - 1
COOLDOWN = 3
TIME_LIMIT = 2500


class FreewayState(NamedTuple):
    """The whole game; each field leads with `[B]`."""

    chicken: tf.Tensor  # int32, its row
    cars: tf.Tensor  # [B, 10] int32, a board of bits
    speed: tf.Tensor  # [B, 10] int32 in ±1..5: rightward above 0, steps between moves
    car_timer: tf.Tensor  # [B, 10] int32
    move_timer: tf.Tensor  # int32, until the chicken can move
    time_left: tf.Tensor  # int32


class Freeway(MinAtarGame[FreewayState]):
    """Reward 1 for each crossing; `v0` has MinAtar's six actions, `v1` noop, up and down."""

    channels = 7
    minimal_actions = ("noop", "up", "down")
    layers = palettes.FREEWAY
    reset_noise_size = SIZE // 2
    step_noise_size = SIZE // 2

    def initial(self, noise: tf.Tensor) -> FreewayState:
        speed = _random_speed(noise)
        return FreewayState(
            chicken=self._fill(START_ROW),
            cars=tf.where(_has_car(), tf.ones_like(speed), 0),
            speed=speed,
            car_timer=tf.abs(speed),
            move_timer=self._fill(COOLDOWN),
            time_left=self._fill(TIME_LIMIT),
        )

    def transition(
        self, game: FreewayState, action: tf.Tensor, noise: tf.Tensor
    ) -> tuple[FreewayState, tf.Tensor, tf.Tensor]:
        row, move_timer = self._move_chicken(game, action)
        crossed = row == 0
        speed = tf.where(crossed[:, tf.newaxis], _random_speed(noise), game.speed)
        timer = tf.where(crossed[:, tf.newaxis], tf.abs(speed), game.car_timer)

        moves = timer == 0
        cars = tf.where(moves, _rotate(game.cars, speed > 0), game.cars)
        # once hit the chicken is in the lowest row, which has no car: there is no second hit
        hit = meet(game.cars | cars, _in_column(row))
        after = FreewayState(
            chicken=tf.where(crossed | hit, START_ROW, row),
            cars=cars,
            speed=speed,
            car_timer=tf.where(moves, tf.abs(speed), timer - 1),
            move_timer=tf.maximum(move_timer - 1, 0),
            time_left=game.time_left - 1,
        )
        return after, tf.cast(crossed, tf.float32), after.time_left < 0

    def observe(self, game: FreewayState) -> tf.Tensor:
        behind, slowness = _rotate(game.cars, game.speed < 0), tf.abs(game.speed)
        trails = [tf.where(slowness == k, behind, 0) for k in range(1, SLOWEST + 1)]
        return to_planes([_in_column(game.chicken), game.cars, *trails])

    def _move_chicken(self, game: FreewayState, action: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        able = game.move_timer == 0
        up = chosen(action, "up", self.spec) & able
        down = chosen(action, "down", self.spec) & able
        row = game.chicken + tf.cast(down, tf.int32) - tf.cast(up, tf.int32)
        timer = tf.where(up | down, COOLDOWN, game.move_timer)
        return tf.clip_by_value(row, 0, SIZE - 1), timer


def _in_column(row: tf.Tensor) -> tf.Tensor:
    """The board `[B, 10]` with the chicken's cell."""
    return tf.where(is_row(row), 1 << COLUMN, 0)


def _has_car() -> tf.Tensor:
    rows = tf.range(SIZE)
    return (rows >= FIRST_ROW) & (rows <= LAST_ROW)


def _rotate(rows: tf.Tensor, rightward: tf.Tensor) -> tf.Tensor:
    """The rows one column on, across the edge of the board too."""
    left_shift, right_shift = tf.bitwise.left_shift, tf.bitwise.right_shift
    right = left_shift(rows, 1) | right_shift(rows, SIZE - 1)
    left = right_shift(rows, 1) | left_shift(rows, SIZE - 1)
    return tf.where(rightward, right, left) & FULL_ROW


def _random_speed(noise: tf.Tensor) -> tf.Tensor:
    """Speeds `[B, 10]`, all alike, of uniform numbers `[5, B]`: each decides on two rows."""
    pair = tf.cast(tf.transpose(noise) * SPEEDS**2, tf.int32)
    number = tf.concat([pair // SPEEDS, pair % SPEEDS], axis=1)
    return tf.where(number < SLOWEST, number - SLOWEST, number - SLOWEST + 1)
