"""MinAtar Seaquest in the graph.

A submarine picks up divers and brings them to the surface before its oxygen ends, among fish and
enemy submarines; all gets faster each time it surfaces. https://github.com/kenjyoung/MinAtar
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from a2c_tf.envs.minatar import seaquest_bullets, seaquest_divers, seaquest_enemies
from a2c_tf.envs.minatar.bitboard import at, bit, count, is_row, materialized, meet, shift
from a2c_tf.envs.minatar.board import ACTIONS, SIZE, RampingGame, chosen
from a2c_tf.envs.minatar.planes import rows_to_planes
from a2c_tf.envs.minatar.seaquest_bullets import Bullets, board
from a2c_tf.envs.minatar.seaquest_divers import ON_BOARD, Divers
from a2c_tf.envs.minatar.seaquest_enemies import Enemies, cells, with_timer
from a2c_tf.envs.rendering import palettes

START_COLUMN = 5
LOWEST_ROW = 8
MOST_OXYGEN = 200
GAUGE = 10  # cells of all oxygen, and the reward of a rescue with all of it
COOLDOWN = 5
SPAWN_PERIOD = 20  # steps, at first
MOVE_PERIOD = 5
SHORTEST_MOVE_PERIOD = 2
DIVER_PERIOD = 30


class SeaquestState(NamedTuple):
    """Holds the whole game; a field is `[B]` unless it says otherwise."""

    sub_y: tf.Tensor  # int32
    sub_x: tf.Tensor  # int32
    sub_rightward: tf.Tensor  # bool, which way it looks
    surfaced: tf.Tensor  # bool, and not dived since
    oxygen: tf.Tensor  # int32
    carried: tf.Tensor  # int32, divers; below 0 after a rescue
    bullets: Bullets
    enemy_bullets: Bullets
    enemies: Enemies
    divers: Divers
    shot_timer: tf.Tensor  # int32, as all below
    spawn_timer: tf.Tensor
    diver_timer: tf.Tensor
    spawn_period: tf.Tensor
    move_period: tf.Tensor
    ramps: tf.Tensor  # how often all got faster


class Seaquest(RampingGame[SeaquestState]):
    """Pays 1 for each enemy, and up to 10 for six divers; both versions have all six actions."""

    channels = 10
    minimal_actions = ACTIONS
    layers = palettes.SEAQUEST
    step_noise_size = 5

    def initial(self, noise: tf.Tensor) -> SeaquestState:
        num_envs = self.spec.num_envs
        return SeaquestState(
            sub_y=self._fill(0),
            sub_x=self._fill(START_COLUMN),
            sub_rightward=self._fill(False),
            surfaced=self._fill(True),
            oxygen=self._fill(MOST_OXYGEN),
            carried=self._fill(0),
            bullets=seaquest_bullets.none(num_envs),
            enemy_bullets=seaquest_bullets.none(num_envs),
            enemies=seaquest_enemies.none(num_envs),
            divers=seaquest_divers.none(num_envs),
            shot_timer=self._fill(0),
            spawn_timer=self._fill(SPAWN_PERIOD),
            diver_timer=self._fill(DIVER_PERIOD),
            spawn_period=self._fill(SPAWN_PERIOD),
            move_period=self._fill(MOVE_PERIOD),
            ramps=self._fill(0),
        )

    def transition(
        self, game: SeaquestState, action: tf.Tensor, noise: tf.Tensor
    ) -> tuple[SeaquestState, tf.Tensor, tf.Tensor]:
        game = self._act(_spawn(game, noise), action)
        flying = seaquest_bullets.fly(game.bullets)
        game = _shoot_down(game._replace(bullets=flying))
        divers, carried = seaquest_divers.advance(game.divers, game.sub_y, game.sub_x, game.carried)
        game = game._replace(divers=divers, carried=carried)
        game, rammed = materialized(_move_subs(game))
        game, hit = _move_enemy_bullets(game)
        game, bitten = _move_fish(game)
        shot = count(board(flying)) - count(board(game.bullets))  # a bullet for each enemy
        game, bonus, drowned = self._breathe(_tick(game))
        return game, tf.cast(shot + bonus, tf.float32), rammed | hit | bitten | drowned

    def observe(self, game: SeaquestState) -> tf.Tensor:
        sub = at(game.sub_y, game.sub_x)
        fish, subs = cells(game.enemies.fish), cells(game.enemies.subs)
        divers, diver_trails = seaquest_divers.boards(game.divers)
        trails = shift(fish | subs, ~game.enemies.rightward) | diver_trails
        gauge = tf.maximum(game.oxygen, 0) * GAUGE // MOST_OXYGEN
        carried = bit(tf.maximum(game.carried, 0)) - 1  # as many bits as divers
        carried = tf.bitwise.left_shift(carried, SIZE - 1 - tf.maximum(game.carried, 0))
        planes = [
            sub,
            shift(sub, ~game.sub_rightward),
            board(game.bullets),
            trails,
            board(game.enemy_bullets),
            fish,
            subs,
            tf.where(is_row(SIZE - 1), bit(gauge) - 1, 0),
            tf.where(is_row(SIZE - 1), carried, 0),
            divers,
        ]
        return rows_to_planes(planes)

    def _act(self, game: SeaquestState, action: tf.Tensor) -> SeaquestState:
        """Fires, or moves and turns."""
        left, up, right, down, fire = (
            chosen(action, meaning, self.spec) for meaning in ACTIONS[1:]
        )
        fire &= game.shot_timer == 0
        bullet = tf.where(fire, at(game.sub_y, game.sub_x), 0)
        y = game.sub_y + tf.cast(down, tf.int32) - tf.cast(up, tf.int32)
        x = game.sub_x + tf.cast(right, tf.int32) - tf.cast(left, tf.int32)
        return game._replace(
            sub_y=tf.clip_by_value(y, 0, LOWEST_ROW),
            sub_x=tf.clip_by_value(x, 0, SIZE - 1),
            sub_rightward=(game.sub_rightward | right) & ~left,
            bullets=seaquest_bullets.fire(game.bullets, bullet, game.sub_rightward),
            shot_timer=tf.where(fire, COOLDOWN, game.shot_timer),
        )

    def _breathe(self, game: SeaquestState) -> tuple[SeaquestState, tf.Tensor, tf.Tensor]:
        """Uses oxygen up below the surface, and pays or ends there; reward and end `[B]`."""
        diving = game.sub_y > 0
        arrives = ~diving & ~game.surfaced
        surfaces = arrives & (game.carried != 0)
        rescue = surfaces & (game.carried == ON_BOARD)
        bonus = tf.where(rescue, game.oxygen * GAUGE // MOST_OXYGEN, 0)
        drowned = (game.oxygen <= 0) | (arrives & ~surfaces)
        # six divers leave, and yet one more: MinAtar counts -1 then
        left = tf.where(rescue, 0, game.carried) - 1
        oxygen = game.oxygen - tf.cast(diving, tf.int32)
        after = game._replace(
            oxygen=tf.where(surfaces, MOST_OXYGEN, oxygen),
            carried=tf.where(surfaces, left, game.carried),
            surfaced=~diving & (game.surfaced | surfaces),
        )
        return _ramp(after, surfaces) if self.ramping else after, bonus, drowned


def _spawn(game: SeaquestState, noise: tf.Tensor) -> SeaquestState:
    """Adds an enemy and a diver where it is time; `noise` is `[5, B]`."""
    enemy, diver = game.spawn_timer == 0, game.diver_timer == 0
    row = seaquest_enemies.random_row(noise[4])
    enemies = seaquest_enemies.load(game.enemies)
    return game._replace(
        enemies=seaquest_enemies.spawn(enemies, enemy, game.move_period, noise[:3]),
        divers=seaquest_divers.spawn(game.divers, diver, row, noise[3] < 1 / 2),
        spawn_timer=tf.where(enemy, game.spawn_period, game.spawn_timer),
        diver_timer=tf.where(diver, DIVER_PERIOD, game.diver_timer),
    )


def _shoot_down(game: SeaquestState) -> SeaquestState:
    """Removes, with each bullet, the first fish of its cell, or else the first submarine."""
    fish, bullets = game.enemies.fish, game.bullets
    struck = seaquest_enemies.first_in(fish, board(bullets))
    left = seaquest_bullets.remove(bullets, cells(struck))
    struck |= seaquest_enemies.first_in(game.enemies.subs, board(left))
    struck = materialized(struck)
    return game._replace(
        enemies=seaquest_enemies.remove(game.enemies, struck),
        bullets=seaquest_bullets.remove(bullets, cells(struck)),
    )


def _move_subs(game: SeaquestState) -> tuple[SeaquestState, tf.Tensor]:
    """Moves enemy submarines, which meet bullets and shoot; returns whether one met ours, `[B]`."""
    here, enemies = at(game.sub_y, game.sub_x), game.enemies
    subs, entered = seaquest_enemies.advance(enemies.subs, enemies.rightward, game.move_period)
    loading, _ = seaquest_enemies.advance(enemies.loading, enemies.rightward, game.move_period)
    fired = cells(loading[-1])  # by those that are struck now, too
    struck = materialized(entered & board(game.bullets))
    gone = with_timer(struck, game.move_period)
    enemies = enemies._replace(subs=subs & ~gone, loading=loading & ~gone)
    after = game._replace(
        enemies=enemies,
        bullets=seaquest_bullets.remove(game.bullets, struck),
        enemy_bullets=seaquest_bullets.fire(game.enemy_bullets, fired, enemies.rightward),
    )
    return after, meet(cells(game.enemies.subs) | entered, here)


def _move_enemy_bullets(game: SeaquestState) -> tuple[SeaquestState, tf.Tensor]:
    here, bullets = at(game.sub_y, game.sub_x), seaquest_bullets.fly(game.enemy_bullets)
    hit = meet(board(game.enemy_bullets) | board(bullets), here)
    return game._replace(enemy_bullets=bullets), hit


def _move_fish(game: SeaquestState) -> tuple[SeaquestState, tf.Tensor]:
    """Moves fish, which run into bullets; returns whether one met the submarine, `[B]`."""
    here, enemies = at(game.sub_y, game.sub_x), game.enemies
    fish, entered = seaquest_enemies.advance(enemies.fish, enemies.rightward, game.move_period)
    struck = entered & board(game.bullets)
    fish &= ~with_timer(struck, game.move_period)
    after = game._replace(
        enemies=enemies._replace(fish=fish), bullets=seaquest_bullets.remove(game.bullets, struck)
    )
    return after, meet(cells(enemies.fish) | entered, here)


def _tick(game: SeaquestState) -> SeaquestState:
    return game._replace(
        spawn_timer=tf.maximum(game.spawn_timer - 1, 0),
        diver_timer=tf.maximum(game.diver_timer - 1, 0),
        shot_timer=tf.maximum(game.shot_timer - 1, 0),
    )


def _ramp(game: SeaquestState, surfaces: tf.Tensor) -> SeaquestState:
    """Shortens the period of spawning, every second time that of moving, down to 1 and 2."""
    can = (game.spawn_period > 1) | (game.move_period > SHORTEST_MOVE_PERIOD)
    due = surfaces & can
    shorter = game.move_period - game.ramps % 2
    return game._replace(
        spawn_period=tf.where(due, tf.maximum(game.spawn_period - 1, 1), game.spawn_period),
        move_period=tf.where(due, tf.maximum(shorter, SHORTEST_MOVE_PERIOD), game.move_period),
        ramps=game.ramps + tf.cast(due, tf.int32),
    )
