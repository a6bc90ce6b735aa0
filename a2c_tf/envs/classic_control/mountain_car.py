"""MountainCar-v0 and MountainCarContinuous-v0 in the graph.

The car in a valley of Moore (1990), too weak to drive straight out, with gymnasium's constants:
https://gymnasium.farama.org/environments/classic_control/mountain_car
https://gymnasium.farama.org/environments/classic_control/mountain_car_continuous
"""

from __future__ import annotations

from typing import NamedTuple

import gymnasium
import numpy as np
import tensorflow as tf

from a2c_tf.envs.base import GraphEnvironment, GraphState, first
from a2c_tf.envs.rendering import classic_control

# positions have no unit, and velocities are what a step adds to them
GRAVITY = 0.0025
MIN_POSITION, MAX_POSITION = -1.2, 0.6
MAX_SPEED = 0.07
LOW = np.array([MIN_POSITION, -MAX_SPEED], np.float32)  # of an observation
HIGH = np.array([MAX_POSITION, MAX_SPEED], np.float32)
INITIAL_LOW, INITIAL_HIGH = -0.6, -0.4  # the car starts uniformly between these, at rest
GOAL = 0.5
FORCE = 0.001
CONTINUOUS_GOAL = 0.45
CONTINUOUS_FORCE = 0.0015  # of action 1
GOAL_REWARD = 100.0
ACTION_COST = 0.1  # of action², as the action was asked for: only the force is limited


class MountainCarState(NamedTuple):
    """Holds where the car is; each field is `[B]` float32."""

    position: tf.Tensor  # the valley's bottom is at -π/6
    velocity: tf.Tensor


class _Valley(GraphEnvironment[MountainCarState]):
    """Holds what both cars share: where they start and what is seen of them."""

    observation_space = gymnasium.spaces.Box(LOW, HIGH, dtype=np.float32)
    reset_noise_size = 1
    goal: float

    def initial(self, noise: tf.Tensor) -> MountainCarState:
        position = INITIAL_LOW + (INITIAL_HIGH - INITIAL_LOW) * noise[0]
        return MountainCarState(position, tf.zeros_like(position))

    def observe(self, game: MountainCarState) -> tf.Tensor:
        return tf.stack(game, axis=-1)  # [B, 2]

    def draw(self, state: GraphState) -> np.ndarray:
        position = first(state.game).position
        return classic_control.mountain_car(position, MIN_POSITION, MAX_POSITION, self.goal)


class MountainCar(_Valley):
    """Costs 1 a step until the car is at the goal."""

    id = "MountainCar-v0"
    action_space = gymnasium.spaces.Discrete(3)
    action_meanings = ("left", "noop", "right")
    default_max_episode_steps = 200
    goal = GOAL

    def transition(
        self, game: MountainCarState, action: tf.Tensor, noise: tf.Tensor
    ) -> tuple[MountainCarState, tf.Tensor, tf.Tensor]:
        after = _move(game, FORCE * tf.cast(action - 1, tf.float32))
        return after, -tf.ones_like(after.position), _arrived(after, self.goal)


class MountainCarContinuous(_Valley):
    """Pays 100 at the goal; each step costs by the square of its action `[B, 1]`."""

    id = "MountainCarContinuous-v0"
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), dtype=np.float32)
    default_max_episode_steps = 999
    goal = CONTINUOUS_GOAL

    def transition(
        self, game: MountainCarState, action: tf.Tensor, noise: tf.Tensor
    ) -> tuple[MountainCarState, tf.Tensor, tf.Tensor]:
        asked = action[:, 0]
        after = _move(game, CONTINUOUS_FORCE * tf.clip_by_value(asked, -1.0, 1.0))
        arrived = _arrived(after, self.goal)
        reward = tf.where(arrived, GOAL_REWARD, 0.0) - ACTION_COST * tf.square(asked)
        return after, reward, arrived


def _move(game: MountainCarState, push: tf.Tensor) -> MountainCarState:
    """Takes one step along the slope; the left wall stops the car, the right one only holds it."""
    velocity = game.velocity + push - GRAVITY * tf.cos(3 * game.position)
    velocity = tf.clip_by_value(velocity, -MAX_SPEED, MAX_SPEED)
    position = tf.clip_by_value(game.position + velocity, MIN_POSITION, MAX_POSITION)
    stopped = (position <= MIN_POSITION) & (velocity < 0)
    return MountainCarState(position, tf.where(stopped, 0.0, velocity))


def _arrived(game: MountainCarState, goal: float) -> tf.Tensor:
    """Returns whether the car is at the goal and does not roll back, `[B]` bool."""
    return (game.position >= goal) & (game.velocity >= 0)
