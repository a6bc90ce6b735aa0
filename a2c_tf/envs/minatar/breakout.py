"""MinAtar Breakout in the graph.

The ball flies diagonally, one cell a step, and breaks a brick where it strikes one; an episode
ends when the paddle misses it. https://github.com/kenjyoung/MinAtar
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from a2c_tf.envs.minatar.bitboard import FULL_ROW, at, meet
from a2c_tf.envs.minatar.board import SIZE, MinAtarGame, chosen
from a2c_tf.envs.minatar.planes import rows_to_planes
from a2c_tf.envs.rendering import palettes

UP_LEFT, UP_RIGHT, DOWN_RIGHT, DOWN_LEFT = range(4)
BRICK_ROWS = (1, 3)  # the first and the last
START_ROW = 3
START_PADDLE = 4
PADDLE_ROW = SIZE - 1


class BreakoutState(NamedTuple):
    """Holds the whole game; a field is `[B]` unless it says otherwise."""

    ball_y: tf.Tensor  # int32
    ball_x: tf.Tensor  # int32
    direction: tf.Tensor  # int32, one of the four diagonals
    paddle: tf.Tensor  # int32, its column
    bricks: tf.Tensor  # [10, B] int32, a board of bits
    striking: tf.Tensor  # bool: a brick was struck and the ball has not left the bricks since
    trail_y: tf.Tensor  # int32, where the ball was
    trail_x: tf.Tensor  # int32


class Breakout(MinAtarGame[BreakoutState]):
    """Pays 1 for each brick; `v0` has MinAtar's six actions, `v1` noop, left and right."""

    channels = 4
    minimal_actions = ("noop", "left", "right")
    layers = palettes.BREAKOUT
    reset_noise_size = 1

    def initial(self, noise: tf.Tensor) -> BreakoutState:
        from_left = noise[0] < 0.5
        row = tf.fill(tf.shape(from_left), START_ROW)
        column = tf.where(from_left, 0, SIZE - 1)
        return BreakoutState(
            ball_y=row,
            ball_x=column,
            direction=tf.where(from_left, DOWN_RIGHT, DOWN_LEFT),
            paddle=tf.fill(tf.shape(from_left), START_PADDLE),
            bricks=tf.zeros([SIZE, from_left.shape[0]], tf.int32) + _wall(),
            striking=tf.zeros_like(from_left),
            trail_y=row,
            trail_x=column,
        )

    def transition(
        self, game: BreakoutState, action: tf.Tensor, noise: tf.Tensor
    ) -> tuple[BreakoutState, tf.Tensor, tf.Tensor]:
        paddle = self._move_paddle(game.paddle, action)
        x, direction = _fly_sideways(game)
        y = game.ball_y + tf.where(game.direction <= UP_RIGHT, -1, 1)

        # of ceiling, brick and floor at most one is met, and in this order
        at_ceiling = y < 0
        ball = at(y, x)
        in_brick = meet(game.bricks, ball)
        breaks = in_brick & ~game.striking
        at_floor = (y == PADDLE_ROW) & ~in_brick
        caught = at_floor & (game.ball_x == paddle)
        edged = at_floor & (x == paddle) & ~caught

        bricks = _refill(game.bricks & ~tf.where(breaks, ball, 0), at_floor)
        after = BreakoutState(
            ball_y=tf.where(breaks | caught | edged, game.ball_y, tf.maximum(y, 0)),
            ball_x=x,
            direction=_bounce(direction, at_ceiling | breaks | caught, edged),
            paddle=paddle,
            bricks=bricks,
            striking=in_brick,
            trail_y=game.ball_y,
            trail_x=game.ball_x,
        )
        return after, tf.cast(breaks, tf.float32), at_floor & ~caught & ~edged

    def observe(self, game: BreakoutState) -> tf.Tensor:
        paddle = at(PADDLE_ROW, game.paddle)
        ball, trail = at(game.ball_y, game.ball_x), at(game.trail_y, game.trail_x)
        return rows_to_planes([paddle, ball, trail, game.bricks])

    def _move_paddle(self, paddle: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
        right = tf.cast(chosen(action, "right", self.spec), tf.int32)
        left = tf.cast(chosen(action, "left", self.spec), tf.int32)
        return tf.clip_by_value(paddle + right - left, 0, SIZE - 1)


def _fly_sideways(game: BreakoutState) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the ball's next column and its direction, turned where it met a side wall."""
    rightward = (game.direction == UP_RIGHT) | (game.direction == DOWN_RIGHT)
    x = game.ball_x + tf.where(rightward, 1, -1)
    inside = tf.clip_by_value(x, 0, SIZE - 1)
    mirrored = tf.bitwise.bitwise_xor(game.direction, 1)  # left becomes right
    return inside, tf.where(x == inside, game.direction, mirrored)


def _bounce(direction: tf.Tensor, flipped: tf.Tensor, reversed_: tf.Tensor) -> tf.Tensor:
    """Turns up into down where `flipped`, and the ball back to where it was where `reversed_`."""
    direction = tf.where(flipped, 3 - direction, direction)
    return tf.where(reversed_, tf.bitwise.bitwise_xor(direction, 2), direction)


def _refill(bricks: tf.Tensor, at_floor: tf.Tensor) -> tf.Tensor:
    """Puts all bricks back where the ball reaches the floor and no brick is left."""
    cleared = tf.reduce_all(bricks == 0, axis=0)
    return tf.where(cleared & at_floor, _wall(), bricks)


def _wall() -> tf.Tensor:
    """Returns all bricks, `[10, 1]`."""
    rows, (first, last) = tf.range(SIZE)[:, tf.newaxis], BRICK_ROWS
    return tf.where((rows >= first) & (rows <= last), FULL_ROW, 0)
