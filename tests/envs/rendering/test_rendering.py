"""Pictures of environments: what they show, and where."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from support.rollouts import graph, random_actions, seed_of

from a2c_tf.envs.base import GraphEnvironment
from a2c_tf.envs.catch import Catch
from a2c_tf.envs.classic_control.acrobot import Acrobot
from a2c_tf.envs.classic_control.cartpole import CartPole
from a2c_tf.envs.classic_control.mountain_car import MountainCar, MountainCarContinuous
from a2c_tf.envs.classic_control.pendulum import Pendulum
from a2c_tf.envs.minatar.asterix import Asterix
from a2c_tf.envs.minatar.breakout import Breakout
from a2c_tf.envs.minatar.freeway import Freeway
from a2c_tf.envs.minatar.seaquest import Seaquest
from a2c_tf.envs.minatar.space_invaders import SpaceInvaders
from a2c_tf.envs.registration import BUILT_IN, factory_of
from a2c_tf.envs.rendering import boards, canvas, classic_control, frames, palettes

MINATAR = (Asterix, Breakout, Freeway, Seaquest, SpaceInvaders)
CELL = 40


@pytest.mark.parametrize("env_id", BUILT_IN)
def test_each_environment_draws_itself(env_id: str) -> None:
    env = factory_of(env_id)(2)
    assert isinstance(env, GraphEnvironment)
    state, _ = env.reset(seed_of(0))
    before = env.draw(state)
    step = graph(env.step)
    for action in random_actions(env.spec, 7):  # in so many steps something moves everywhere
        state, _ = step(state, tf.constant(action))
    after = env.draw(state)
    assert before.dtype == np.uint8
    assert before.shape == after.shape
    assert max(before.shape) == frames.LONGER_SIDE
    assert before.shape[2:] == (3,)
    assert not np.array_equal(before, after)
    assert env.frames_per_second > 0


def game_of(env: GraphEnvironment[Any], **fields: Any) -> Any:
    """The state after a reset, with some fields of the game as they are given."""
    state, _ = env.reset(seed_of(0))
    leaves = {
        name: tf.constant(value, getattr(state.game, name).dtype) for name, value in fields.items()
    }
    return state._replace(game=state.game._replace(**leaves))


def colors(frame: np.ndarray, size: int = CELL) -> np.ndarray:
    """What is at the middle of each cell, `[H, W, 3]`."""
    return frame[size // 2 :: size, size // 2 :: size]


def rims(frame: np.ndarray, size: int = CELL) -> np.ndarray:
    """What is near the corner of each cell, where small things do not reach."""
    return frame[4::size, 4::size]


def test_breakout_shows_each_thing_in_its_cell() -> None:
    full = 2**10 - 1
    bricks = [[0], [full], [full], [full ^ 1 << 6], *[[0]] * 6]
    at = {"ball_y": [6], "ball_x": [3], "trail_y": [5], "trail_x": [2], "paddle": [7]}
    env = Breakout(1)
    picture = colors(env.draw(game_of(env, bricks=bricks, **at)))
    expected = np.full([10, 10, 3], boards.EMPTY)
    expected[1:4] = palettes.ORANGE
    expected[3, 6] = boards.EMPTY
    expected[6, 3], expected[5, 2], expected[9, 7] = (
        palettes.WHITE,
        palettes.TRAIL,
        palettes.CYAN,
    )
    np.testing.assert_array_equal(picture, expected)


def test_catch_tells_ball_and_paddle_apart() -> None:
    env = Catch(1)
    picture = colors(env.draw(game_of(env, ball_y=[4], ball_x=[1], paddle=[3])))
    expected = np.full([10, 5, 3], boards.EMPTY)
    expected[4, 1], expected[9, 3] = palettes.YELLOW, palettes.CYAN
    np.testing.assert_array_equal(picture, expected)


def test_the_paddle_is_above_the_ball_that_it_caught() -> None:
    env = Catch(1)
    picture = colors(env.draw(game_of(env, ball_y=[9], ball_x=[3], paddle=[3])))
    assert tuple(picture[9, 3]) == palettes.CYAN


def test_seaquest_shows_the_divers_on_board_within_the_oxygen() -> None:
    env = Seaquest(1)
    frame = env.draw(game_of(env, oxygen=[160], carried=[4]))
    oxygen = np.all(rims(frame)[9] == palettes.BLUE, axis=-1)
    divers = np.all(colors(frame)[9] == palettes.YELLOW, axis=-1)
    np.testing.assert_array_equal(oxygen, [True] * 8 + [False] * 2)
    np.testing.assert_array_equal(divers, [False] * 5 + [True] * 4 + [False])


@pytest.mark.parametrize("game", MINATAR)
def test_each_plane_is_seen_alone(game: type) -> None:
    """There is a layer for every plane, and no two look alike."""
    env = game(1)
    channels = env.spec.observation_shape[2]
    alone = np.eye(channels, dtype=bool)[:, np.newaxis, np.newaxis]  # [C, 1, 1, C]
    pictures = [boards.draw(planes, env.layers).tobytes() for planes in alone]
    empty = boards.draw(np.zeros([1, 1, channels], bool), env.layers).tobytes()
    looks = {empty, *pictures}
    assert len(looks) == channels + 1


def test_a_later_layer_is_above_an_earlier_one() -> None:
    red, blue = (255, 0, 0), (0, 0, 255)
    layers = (boards.Layer(1, red), boards.Layer(0, blue, inset=100))
    frame = boards.draw(np.ones([1, 1, 2], bool), layers)
    assert frame.shape == (400, 400, 3)
    assert tuple(frame[200, 200]) == blue
    assert tuple(frame[50, 50]) == red
    assert tuple(frame[0, 0]) == boards.GAP


def is_near(frame: np.ndarray, x: float, y: float, color: frames.Color) -> bool:
    """Whether the pixel at these parts of width and height, from the lower left, has the color."""
    height, width, _ = frame.shape
    return tuple(frame[round((1 - y) * height), round(x * width)]) == color


def test_the_pole_leans_to_the_right_by_a_positive_angle() -> None:
    env = CartPole(1)
    leaning = {sign: env.draw(game_of(env, position=[1.2], angle=[sign * 0.2])) for sign in (1, -1)}
    for sign, frame in leaning.items():
        # 0.8 m up a pole that starts 0.1 m above the track; the frame is 4.8 m by 2.2 m
        for side in (1, -1):
            x = (2.4 + 1.2 + side * 0.8 * math.sin(0.2)) / 4.8
            y = (0.5 + 0.1 + 0.8 * math.cos(0.2)) / 2.2
            expected = classic_control.WOOD if side == sign else canvas.BACKGROUND
            assert is_near(frame, x, y, expected)


def test_the_acrobots_tip_is_where_its_height_says() -> None:
    env = Acrobot(1)
    frame = env.draw(game_of(env, angle_1=[2.0], angle_2=[0.7]))
    x, y = math.sin(2.0) + 0.9 * math.sin(2.7), -math.cos(2.0) - 0.9 * math.cos(2.7)
    assert is_near(frame, (2.2 + x) / 4.4, (2.2 + y) / 4.4, classic_control.STEEL)
    assert is_near(frame, (2.2 - x) / 4.4, (2.2 + y) / 4.4, canvas.BACKGROUND)


@pytest.mark.parametrize("torque", [-2.0, 0.0, 2.0, 99.0])
def test_the_pendulum_shows_angle_and_torque(torque: float) -> None:
    env = Pendulum(1)
    state = game_of(env, angle=[1.0])._replace(last_action=tf.constant([[torque]]))
    frame = env.draw(state)
    x, y = -0.7 * math.sin(1.0), 0.7 * math.cos(1.0)
    assert is_near(frame, (1.5 + x) / 3, (1.5 + y) / 3, classic_control.WOOD)
    red = np.argwhere(np.all(frame == classic_control.FORCE, axis=-1))
    assert (len(red) > 0) == (torque != 0)
    if torque:  # the head of the arrow weighs more than its tail: to the right by a positive one
        assert np.sign(red[:, 1].mean() - frames.LONGER_SIDE / 2) == np.sign(torque)


@pytest.mark.parametrize("game", [MountainCar, MountainCarContinuous])
@pytest.mark.parametrize("position", [-1.0, -0.5, 0.3])
def test_the_car_stands_on_the_hill_before_the_flag(game: type, position: float) -> None:
    env = game(1)
    frame = env.draw(game_of(env, position=[position]))
    wheels = np.argwhere(np.all(frame == classic_control.JOINT, axis=-1))
    scale = frames.LONGER_SIDE / 1.8
    y, x = wheels.mean(axis=0) / scale
    assert x - 1.2 == pytest.approx(position, abs=0.03)
    assert 1.25 - y == pytest.approx(0.45 * math.sin(3 * position) + 0.55, abs=0.05)
    flag = np.argwhere(np.all(frame == classic_control.FLAG, axis=-1))[:, 1]
    assert flag.min() / scale - 1.2 == pytest.approx(env.goal, abs=0.01)


def test_a_rendering_becomes_a_frame() -> None:
    picture = np.zeros([2, 4, 3])
    picture[0, 3] = [1.0, 0.5, 2.0]
    frame = frames.from_rendering(picture)
    assert frame.shape == (200, 400, 3)
    assert frame.dtype == np.uint8
    assert tuple(frame[50, 399]) == (255, 128, 255)
    large = np.full([300, 401, 3], 7, np.uint8)
    np.testing.assert_array_equal(frames.from_rendering(large), large)


@pytest.mark.parametrize("picture", [None, "ansi", np.zeros([5, 5]), np.zeros([5, 5, 4])])
def test_another_rendering_is_refused(picture: Any) -> None:
    with pytest.raises(frames.DrawingError, match=r"expected an RGB picture"):
        frames.from_rendering(picture)


PIXELS = np.random.default_rng(0).integers(0, 256, [84, 60, 3], np.uint8)
GREY = np.repeat(PIXELS[..., 2:], 3, axis=2)
OTHER = np.zeros_like(PIXELS)


@pytest.mark.parametrize(
    ("observation", "expected"),
    [
        pytest.param(PIXELS[..., 2], GREY, id="grey"),
        pytest.param(PIXELS[..., 2:], GREY, id="grey with a channel"),
        pytest.param(PIXELS, PIXELS, id="RGB"),
        pytest.param(np.moveaxis(PIXELS, -1, 0), PIXELS, id="RGB, channels first"),
        pytest.param(np.concatenate([OTHER, PIXELS[..., 2:]], axis=2), GREY, id="stack"),
        pytest.param(
            np.moveaxis(np.concatenate([OTHER, PIXELS[..., 2:]], axis=2), -1, 0),
            GREY,
            id="stack, channels first",
        ),
        pytest.param(np.stack([OTHER, OTHER, PIXELS]), PIXELS, id="stack of RGB"),
        pytest.param(np.stack([OTHER, PIXELS])[..., 2:], GREY, id="stack of grey with a channel"),
    ],
)
def test_the_newest_picture_of_an_observation(
    observation: np.ndarray, expected: np.ndarray
) -> None:
    space = gymnasium.spaces.Box(0, 255, observation.shape, np.uint8)
    assert frames.is_picture(space)
    frame = frames.newest(observation)
    assert frame.shape == (4 * 84, 4 * 60, 3)
    np.testing.assert_array_equal(frame[1::4, 1::4], expected)


@pytest.mark.parametrize("frames_seen", [1, 4])
def test_the_newest_picture_of_a_colored_stack(frames_seen: int) -> None:
    stack = np.moveaxis(np.concatenate([*[OTHER] * (frames_seen - 1), PIXELS], axis=2), -1, 0)
    frame = frames.newest(stack, is_colored=True)
    np.testing.assert_array_equal(frame[1::4, 1::4], PIXELS)


@pytest.mark.parametrize(
    "space",
    [
        gymnasium.spaces.Box(0, 255, (128,), np.uint8),
        gymnasium.spaces.Box(0, 255, (84, 3), np.uint8),
        gymnasium.spaces.Box(0, 1, (84, 84, 3), np.float32),
        gymnasium.spaces.Discrete(5),
    ],
)
def test_other_observations_are_no_pictures(space: gymnasium.Space) -> None:
    assert not frames.is_picture(space)
