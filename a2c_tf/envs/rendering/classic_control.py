"""The classic control problems as users know them; lengths and angles in the problems' units."""

from __future__ import annotations

import math

import numpy as np

from a2c_tf.envs.rendering.canvas import Canvas, Point
from a2c_tf.envs.rendering.frames import LONGER_SIDE

INK = (45, 48, 58)
FAINT = (196, 199, 207)
WOOD = (203, 146, 96)
JOINT = (94, 112, 196)
STEEL = (84, 168, 188)
HILL = (158, 196, 144)
FLAG = (224, 176, 40)
FORCE = (214, 84, 70)


def cart_pole(position: float, angle: float, limit: float, pole_length: float) -> np.ndarray:
    """Draws a cart with a pole on its track.

    Args:
      position: of the cart, m.
      angle: of the pole, rad to the right of upright.
      limit: where the track ends at either side, m.
      pole_length: m.

    Returns:
      A frame `[H, W, 3]` uint8.
    """
    canvas = Canvas(LONGER_SIDE, (-limit, -0.5), (limit, 1.7))
    canvas.line([(-limit, 0), (limit, 0)], FAINT, 0.02)
    canvas.polygon(_box(position, 0.0, 0.5, 0.3), INK)
    axle = (position, 0.1)
    canvas.line([axle, _end(axle, angle, pole_length)], WOOD, 0.11)
    canvas.disc(axle, 0.055, JOINT)
    return canvas.frame()


def acrobot(angle_1: float, angle_2: float, link_length: float, goal: float) -> np.ndarray:
    """Draws two links that hang from a fixed end.

    Args:
      angle_1: of the first link, rad from hanging.
      angle_2: of the second link, rad from the first one's direction.
      link_length: of either link, m.
      goal: height above the fixed end, m.

    Returns:
      A frame `[H, W, 3]` uint8.
    """
    reach = 2.2 * link_length
    canvas = Canvas(LONGER_SIDE, (-reach, -reach), (reach, reach))
    canvas.line([(-reach, goal), (reach, goal)], FORCE, 0.02)
    fixed = (0.0, 0.0)
    elbow = _end(fixed, math.pi - angle_1, link_length)
    tip = _end(elbow, math.pi - angle_1 - angle_2, link_length)
    for start, end in ((fixed, elbow), (elbow, tip)):
        canvas.line([start, end], STEEL, 0.2)
    for joint in (fixed, elbow):
        canvas.disc(joint, 0.08, FLAG)
    return canvas.frame()


def mountain_car(position: float, low: float, high: float, goal: float) -> np.ndarray:
    """Draws a car in a valley, and a flag.

    Args:
      position: of the car.
      low: the valley's left end.
      high: its right end.
      goal: position of the flag.

    Returns:
      A frame `[H, W, 3]` uint8.
    """
    canvas = Canvas(LONGER_SIDE, (low, 0.0), (high, 1.25))
    ground = [(x, _height(x)) for x in np.linspace(low, high, 200)]
    canvas.polygon([(low, 0.0), *ground, (high, 0.0)], HILL)
    canvas.line(ground, INK, 0.008)
    foot, top = _height(goal), _height(goal) + 0.2
    canvas.line([(goal, foot), (goal, top)], INK, 0.008)
    canvas.polygon([(goal, top), (goal, top - 0.08), (goal + 0.09, top - 0.04)], FLAG)

    slope = math.atan(0.45 * 3 * math.cos(3 * position))
    at = (position, _height(position))
    canvas.polygon([_moved(p, at, slope) for p in _box(0, 0.065, 0.16, 0.06)], INK)
    for wheel in (-0.045, 0.045):
        canvas.disc(_moved((wheel, 0.028), at, slope), 0.026, JOINT)
    return canvas.frame()


def pendulum(angle: float, torque: float, max_torque: float) -> np.ndarray:
    """Draws a rod, and an arc that shows the motor's torque.

    Args:
      angle: rad to the left of upright.
      torque: N m.
      max_torque: the motor's most, N m.

    Returns:
      A frame `[H, W, 3]` uint8.
    """
    canvas = Canvas(LONGER_SIDE, (-1.5, -1.5), (1.5, 1.5))
    pivot = (0.0, 0.0)
    canvas.line([pivot, _end(pivot, -angle, 1.0)], WOOD, 0.18)
    canvas.disc(pivot, 0.05, INK)
    _turning(canvas, torque / max_torque)
    return canvas.frame()


def _turning(canvas: Canvas, strength: float) -> None:
    """Draws an arrow around the middle, to the left above 0; the stronger, the longer."""
    if abs(strength) < 0.05:
        return
    turn = math.copysign(0.35 + 1.2 * abs(strength), strength)
    angles = np.linspace(turn / 2, -turn / 2, 30)  # towards the arrow's head
    radius = 0.4
    arc = [(-radius * math.sin(a), -radius * math.cos(a)) for a in angles]
    canvas.line(arc, FORCE, 0.035)
    (x, y), way = arc[-1], math.copysign(1.0, strength)
    along = (-way * y / radius, way * x / radius)
    outward = (x / radius, y / radius)
    head = [(0.14, 0.0), (-0.03, 0.09), (-0.03, -0.09)]
    canvas.polygon(
        [(x + a * along[0] + o * outward[0], y + a * along[1] + o * outward[1]) for a, o in head],
        FORCE,
    )


def _height(x: float) -> float:
    """Returns the height of the valley's ground, as gymnasium draws it."""
    return 0.45 * math.sin(3 * x) + 0.55


def _end(start: Point, angle: float, length: float) -> Point:
    """Returns where a rod ends that leans `angle` to the right of upright."""
    return (start[0] + length * math.sin(angle), start[1] + length * math.cos(angle))


def _box(x: float, y: float, width: float, height: float) -> list[Point]:
    """Returns corners around the middle (x, y)."""
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return [(x + a * width / 2, y + b * height / 2) for a, b in signs]


def _moved(point: Point, to: Point, angle: float) -> Point:
    """Turns `point` to the left about the origin, which then lies at `to`."""
    (x, y), sin, cos = point, math.sin(angle), math.cos(angle)
    return (to[0] + x * cos - y * sin, to[1] + x * sin + y * cos)
