"""Acrobot-v1 in the graph.

The two-link pendulum of Sutton (1996), actuated at the joint between its links, with the equations
of Sutton and Barto's book and gymnasium's constants:
https://gymnasium.farama.org/environments/classic_control/acrobot
"""

from __future__ import annotations

import math
from typing import NamedTuple

import gymnasium
import numpy as np
import tensorflow as tf

from a2c_tf.envs.base import GraphEnvironment, GraphState, first
from a2c_tf.envs.rendering import classic_control

GRAVITY = 9.8  # m/s²
LINK_MASS = 1.0  # kg, of either link
LINK_LENGTH = 1.0  # m
HALF_LENGTH = 0.5  # m, where a link's mass is centred
LINK_INERTIA = 1.0  # kg m²
TORQUE = 1.0  # N m
TIME_STEP = 0.2  # s
MAX_SPEED_1 = 4 * math.pi  # rad/s
MAX_SPEED_2 = 9 * math.pi  # rad/s
GOAL_HEIGHT = 1.0  # m above the fixed end
INITIAL_SPREAD = 0.1  # each coordinate starts uniformly within ± this
LIMITS = np.array([1, 1, 1, 1, MAX_SPEED_1, MAX_SPEED_2], np.float32)  # of an observation


class AcrobotState(NamedTuple):
    """Holds how the links hang and turn; each field is `[B]` float32."""

    angle_1: tf.Tensor  # rad from hanging, in [-π, π]
    angle_2: tf.Tensor  # rad from the first link's direction, in [-π, π]
    speed_1: tf.Tensor  # rad/s
    speed_2: tf.Tensor  # rad/s


class Acrobot(GraphEnvironment[AcrobotState]):
    """Costs 1 a step until the free end swings above the goal height, which costs 0."""

    id = "Acrobot-v1"
    observation_space = gymnasium.spaces.Box(-LIMITS, LIMITS, dtype=np.float32)
    action_space = gymnasium.spaces.Discrete(3)
    action_meanings = ("torque -1", "torque 0", "torque +1")
    default_max_episode_steps = 500
    reset_noise_size = 4
    frames_per_second = 15

    def initial(self, noise: tf.Tensor) -> AcrobotState:
        return AcrobotState(*tf.unstack((2 * noise - 1) * INITIAL_SPREAD))

    def transition(
        self, game: AcrobotState, action: tf.Tensor, noise: tf.Tensor
    ) -> tuple[AcrobotState, tf.Tensor, tf.Tensor]:
        torque = TORQUE * tf.cast(action - 1, tf.float32)
        moved = _integrate(tf.stack(game), torque)  # [4, B]
        angle_1, angle_2, speed_1, speed_2 = tf.unstack(moved)
        after = AcrobotState(
            angle_1=_wrap(angle_1),
            angle_2=_wrap(angle_2),
            speed_1=tf.clip_by_value(speed_1, -MAX_SPEED_1, MAX_SPEED_1),
            speed_2=tf.clip_by_value(speed_2, -MAX_SPEED_2, MAX_SPEED_2),
        )
        height = -tf.cos(after.angle_1) - tf.cos(after.angle_1 + after.angle_2)
        swung_up = height > GOAL_HEIGHT
        return after, tf.where(swung_up, 0.0, -1.0), swung_up

    def observe(self, game: AcrobotState) -> tf.Tensor:
        return tf.stack(  # [B, 6]
            [
                tf.cos(game.angle_1),
                tf.sin(game.angle_1),
                tf.cos(game.angle_2),
                tf.sin(game.angle_2),
                game.speed_1,
                game.speed_2,
            ],
            axis=-1,
        )

    def draw(self, state: GraphState) -> np.ndarray:
        game = first(state.game)
        return classic_control.acrobot(game.angle_1, game.angle_2, LINK_LENGTH, GOAL_HEIGHT)


def _integrate(state: tf.Tensor, torque: tf.Tensor) -> tf.Tensor:
    """Takes one classical Runge-Kutta step of fourth order; `state` is `[4, B]`, as the result."""
    k1 = _derivative(state, torque)
    k2 = _derivative(state + TIME_STEP / 2 * k1, torque)
    k3 = _derivative(state + TIME_STEP / 2 * k2, torque)
    k4 = _derivative(state + TIME_STEP * k3, torque)
    return state + TIME_STEP / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def _derivative(state: tf.Tensor, torque: tf.Tensor) -> tf.Tensor:
    """Solves the book's equations of motion; d1, d2, phi1, phi2 have longer names; `[4, B]`."""
    angle_1, angle_2, speed_1, speed_2 = tf.unstack(state)
    sin, cos = tf.sin(angle_2), tf.cos(angle_2)
    lever = LINK_MASS * LINK_LENGTH * HALF_LENGTH
    own_inertia = LINK_MASS * HALF_LENGTH**2 + LINK_INERTIA
    joint_inertia = own_inertia + lever * cos
    inertia = 2 * own_inertia + LINK_MASS * LINK_LENGTH**2 + 2 * lever * cos
    weight_2 = LINK_MASS * HALF_LENGTH * GRAVITY * tf.sin(angle_1 + angle_2)
    weight_1 = LINK_MASS * (HALF_LENGTH + LINK_LENGTH) * GRAVITY * tf.sin(angle_1) + weight_2
    load = weight_1 - lever * sin * speed_2 * (speed_2 + 2 * speed_1)

    ratio = joint_inertia / inertia
    effort = torque + ratio * load - lever * sin * tf.square(speed_1) - weight_2
    acceleration_2 = effort / (own_inertia - ratio * joint_inertia)
    acceleration_1 = -(joint_inertia * acceleration_2 + load) / inertia
    return tf.stack([speed_1, speed_2, acceleration_1, acceleration_2])  # [4, B]


def _wrap(angle: tf.Tensor) -> tf.Tensor:
    """Returns the same direction within [-π, π]."""
    return angle - 2 * math.pi * tf.round(angle / (2 * math.pi))
