"""MinAtar Space Invaders in the graph.

Aliens march from edge to edge, come down a row at each, and shoot; an episode ends when one of
them or a bullet meets the cannon. https://github.com/kenjyoung/MinAtar

Boards are ten columns `[10, B]` int32: bit y of number x is the cell in row y and column x.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from a2c_tf.envs.minatar.bitboard import FULL_ROW, count, is_row, materialized, meet
from a2c_tf.envs.minatar.board import SIZE, RampingGame, chosen
from a2c_tf.envs.minatar.planes import columns_to_planes
from a2c_tf.envs.rendering import palettes

GROUND = SIZE - 1
START_COLUMN = 5
COOLDOWN = 5  # steps between shots of the cannon
ALIEN_COOLDOWN = 10
SLOWEST, FASTEST = 12, 6  # most steps between the aliens' moves, in the first and the last wave
WAVE_ROWS = 0b1111  # 0 to 3
WAVE_COLUMNS = (2, 7)


class SpaceInvadersState(NamedTuple):
    """Holds the whole game; a field is `[B]` unless it says otherwise, boards are bit columns."""

    cannon: tf.Tensor  # int32, its column
    aliens: tf.Tensor  # [10, B] int32
    rightward: tf.Tensor  # bool, which way the aliens go
    bullets: tf.Tensor  # [10, B] int32, of the cannon
    alien_bullets: tf.Tensor  # [10, B] int32
    shot_timer: tf.Tensor  # int32, as all below
    alien_shot_timer: tf.Tensor
    move_timer: tf.Tensor
    move_period: tf.Tensor  # the most steps between the aliens' moves


class SpaceInvaders(RampingGame[SpaceInvadersState]):
    """Pays 1 for each alien; `v0` has MinAtar's six actions, `v1` noop, left, right, fire."""

    channels = 6
    minimal_actions = ("noop", "left", "right", "fire")
    layers = palettes.SPACE_INVADERS

    def initial(self, noise: tf.Tensor) -> SpaceInvadersState:
        empty = tf.zeros([SIZE, self.spec.num_envs], tf.int32)
        return SpaceInvadersState(
            cannon=self._fill(START_COLUMN),
            aliens=empty + _wave(),
            rightward=tf.zeros([self.spec.num_envs], tf.bool),
            bullets=empty,
            alien_bullets=empty,
            shot_timer=self._fill(0),
            alien_shot_timer=self._fill(ALIEN_COOLDOWN),
            move_timer=self._fill(SLOWEST),
            move_period=self._fill(SLOWEST),
        )

    def transition(
        self, game: SpaceInvadersState, action: tf.Tensor, noise: tf.Tensor
    ) -> tuple[SpaceInvadersState, tf.Tensor, tf.Tensor]:
        cannon, bullets, shot_timer = self._act(game, action)
        here = _at(GROUND, cannon)
        alien_bullets = _move_down(game.alien_bullets)
        terminated = meet(alien_bullets | game.aliens, here)
        aliens, rightward, move_timer, landed = materialized(_march(game))
        terminated |= landed | meet(aliens, here)

        shoots = game.alien_shot_timer == 0
        alien_bullets |= tf.where(shoots, _shooter(aliens, cannon), 0)
        struck = aliens & bullets
        aliens ^= struck
        after = SpaceInvadersState(
            cannon=cannon,
            aliens=aliens,
            rightward=rightward,
            bullets=bullets ^ struck,
            alien_bullets=alien_bullets,
            shot_timer=tf.maximum(shot_timer - 1, 0),
            alien_shot_timer=tf.where(shoots, ALIEN_COOLDOWN, game.alien_shot_timer) - 1,
            move_timer=move_timer - 1,
            move_period=game.move_period,
        )
        return self._next_wave(after), tf.cast(count(struck), tf.float32), terminated

    def observe(self, game: SpaceInvadersState) -> tf.Tensor:
        game = materialized(game)
        planes = [
            _at(GROUND, game.cannon),
            game.aliens,
            tf.where(game.rightward, 0, game.aliens),
            tf.where(game.rightward, game.aliens, 0),
            game.bullets,
            game.alien_bullets,
        ]
        return columns_to_planes(planes)

    def _act(
        self, game: SpaceInvadersState, action: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the cannon's column, its bullets a row further up, and the timer of its shots."""
        fires = chosen(action, "fire", self.spec) & (game.shot_timer == 0)
        right = tf.cast(chosen(action, "right", self.spec), tf.int32)
        left = tf.cast(chosen(action, "left", self.spec), tf.int32)
        cannon = tf.clip_by_value(game.cannon + right - left, 0, SIZE - 1)
        shot = tf.where(fires, _at(GROUND - 1, cannon), 0)
        return cannon, _move_up(game.bullets) | shot, tf.where(fires, COOLDOWN, game.shot_timer)

    def _next_wave(self, game: SpaceInvadersState) -> SpaceInvadersState:
        """Puts all aliens back where no alien is left, and makes them faster."""
        cleared = tf.reduce_all(game.aliens == 0, axis=0)
        aliens = tf.where(cleared, _wave(), game.aliens)
        if not self.ramping:
            return game._replace(aliens=aliens)
        faster = tf.maximum(game.move_period - 1, FASTEST)
        return game._replace(aliens=aliens, move_period=tf.where(cleared, faster, game.move_period))


def _wave() -> tf.Tensor:
    """Returns the aliens that a wave starts with, `[10, 1]`."""
    x, (first, last) = tf.range(SIZE)[:, tf.newaxis], WAVE_COLUMNS
    return tf.where((x >= first) & (x <= last), WAVE_ROWS, 0)


def _at(y: int, x: tf.Tensor) -> tf.Tensor:
    """Returns a board with the one cell (y, x), `x` `[B]`."""
    return tf.where(is_row(x), 1 << y, 0)


def _march(
    game: SpaceInvadersState,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Moves the aliens where it is time; returns them, direction, timer, if they are too low."""
    moves = game.move_timer == 0
    timer = tf.where(moves, tf.minimum(count(game.aliens), game.move_period), game.move_timer)
    edge = tf.where(game.rightward, game.aliens[-1], game.aliens[0])
    turns = moves & (edge != 0)
    lower = _move_down(game.aliens) | tf.bitwise.right_shift(game.aliens, GROUND)  # goes round
    beside = _move_sideways(game.aliens, game.rightward)
    moved = tf.where(turns, lower, beside)
    aliens = tf.where(moves, moved, game.aliens)
    return aliens, game.rightward ^ turns, timer, turns & meet(game.aliens, 1 << GROUND)


def _shooter(aliens: tf.Tensor, cannon: tf.Tensor) -> tf.Tensor:
    """Returns a board of the lowest alien in the column nearest to the cannon, the left of two."""
    offset = tf.range(SIZE)[:, tf.newaxis] - cannon
    order = 2 * tf.abs(offset) + tf.cast(offset > 0, tf.int32)  # no two columns are equally near
    order = tf.where(aliens != 0, order, 2 * SIZE)
    nearest = order == tf.reduce_min(order, axis=0)
    return tf.where(nearest, _highest_bit(aliens), 0)


def _highest_bit(columns: tf.Tensor) -> tf.Tensor:
    """Returns the lowest cell of each column alone."""
    filled = columns
    for distance in (1, 2, 4, 8):
        filled |= tf.bitwise.right_shift(filled, distance)
    return filled ^ tf.bitwise.right_shift(filled, 1)


def _move_sideways(columns: tf.Tensor, rightward: tf.Tensor) -> tf.Tensor:
    right = tf.pad(columns[:-1], [[1, 0], [0, 0]])
    left = tf.pad(columns[1:], [[0, 1], [0, 0]])
    return tf.where(rightward, right, left)


def _move_up(columns: tf.Tensor) -> tf.Tensor:
    return tf.bitwise.right_shift(columns, 1)


def _move_down(columns: tf.Tensor) -> tf.Tensor:
    return tf.bitwise.left_shift(columns, 1) & FULL_ROW
