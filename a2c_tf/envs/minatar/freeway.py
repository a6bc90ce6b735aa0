"""MinAtar Freeway in the graph.

A chicken crosses eight rows of cars again and again; an episode has 2501 steps.
https://github.com/kenjyoung/MinAtar
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from a2c_tf.envs.minatar.bitboard import bit, is_row, materialized
from a2c_tf.envs.minatar.board import SIZE, MinAtarGame, chosen
from a2c_tf.envs.minatar.planes import rows_to_planes
from a2c_tf.envs.rendering import palettes

FIRST_ROW, LAST_ROW = 1, 8  # of those with a car each
SLOWEST = 5  # steps between its moves
SPEEDS = 2 * SLOWEST
COLUMN = 4  # of the chicken
START_ROW = SIZE - 1
COOLDOWN = 3
TIME_LIMIT = 2500


class FreewayState(NamedTuple):
    """Holds the whole game; a field is `[B]` unless it says otherwise."""

    chicken: tf.Tensor  # int32, its row
    car: tf.Tensor  # [10, B] int32, column of each row's; of rows without one it says nothing
    speed: tf.Tensor  # [10, B] int32 in ±1..5: rightward above 0, steps between moves
    car_timer: tf.Tensor  # [10, B] int32
    move_timer: tf.Tensor  # int32, until the chicken can move
    time_left: tf.Tensor  # int32


class Freeway(MinAtarGame[FreewayState]):
    """Pays 1 for each crossing; `v0` has MinAtar's six actions, `v1` noop, up and down."""

    channels = 7
    minimal_actions = ("noop", "up", "down")
    layers = palettes.FREEWAY
    reset_noise_size = SIZE // 2
    step_noise_size = SIZE // 2

    def initial(self, noise: tf.Tensor) -> FreewayState:
        speed = _random_speed(noise)
        return FreewayState(
            chicken=self._fill(START_ROW),
            car=tf.zeros_like(speed),
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
        speed = tf.where(crossed, _random_speed(noise), game.speed)
        timer = tf.where(crossed, tf.abs(speed), game.car_timer)

        moves = timer == 0
        car = tf.where(moves, _beside(game.car, speed > 0), game.car)
        # once hit the chicken is in the lowest row, which has no car: there is no second hit
        in_column = _has_car() & ((game.car == COLUMN) | (car == COLUMN))
        hit = tf.reduce_any(in_column & is_row(row), axis=0)
        after = FreewayState(
            chicken=tf.where(crossed | hit, START_ROW, row),
            car=car,
            speed=speed,
            car_timer=tf.where(moves, tf.abs(speed), timer - 1),
            move_timer=tf.maximum(move_timer - 1, 0),
            time_left=game.time_left - 1,
        )
        return after, tf.cast(crossed, tf.float32), after.time_left < 0

    def observe(self, game: FreewayState) -> tf.Tensor:
        game = materialized(game)
        cars = tf.where(_has_car(), bit(game.car), 0)
        behind = tf.where(_has_car(), bit(_beside(game.car, game.speed < 0)), 0)
        slowness = tf.abs(game.speed)
        trails = [tf.where(slowness == steps, behind, 0) for steps in range(1, SLOWEST + 1)]
        chicken = tf.where(is_row(game.chicken), 1 << COLUMN, 0)
        return rows_to_planes([chicken, cars, *trails])

    def _move_chicken(self, game: FreewayState, action: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        able = game.move_timer == 0
        up = chosen(action, "up", self.spec) & able
        down = chosen(action, "down", self.spec) & able
        row = game.chicken + tf.cast(down, tf.int32) - tf.cast(up, tf.int32)
        timer = tf.where(up | down, COOLDOWN, game.move_timer)
        return tf.clip_by_value(row, 0, SIZE - 1), timer


def _has_car() -> tf.Tensor:
    """Returns which rows have a car, `[10, 1]` bool."""
    rows = tf.range(SIZE)[:, tf.newaxis]
    return (rows >= FIRST_ROW) & (rows <= LAST_ROW)


def _beside(column: tf.Tensor, rightward: tf.Tensor) -> tf.Tensor:
    """Returns the next column, which wraps around the edge of the board."""
    right = tf.where(column == SIZE - 1, 0, column + 1)
    left = tf.where(column == 0, SIZE - 1, column - 1)
    return tf.where(rightward, right, left)


def _random_speed(noise: tf.Tensor) -> tf.Tensor:
    """Draws speeds `[10, B]`, all alike, from uniform numbers `[5, B]`: each decides two rows."""
    pair = tf.cast(noise * SPEEDS**2, tf.int32)
    number = tf.concat([pair // SPEEDS, pair % SPEEDS], axis=0)  # [10, B]
    return tf.where(number < SLOWEST, number - SLOWEST, number - SLOWEST + 1)
