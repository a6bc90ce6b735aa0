"""Atari by every backend: the same frames, rewards and ends, and each step of the recipe."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from support.contract import EnvironmentContract
from support.rollouts import rollout

from a2c_tf.config import AtariConfig, EnvConfig
from a2c_tf.envs import registry
from a2c_tf.envs.base import Environment
from a2c_tf.types import TimeStep

pytestmark = pytest.mark.slow  # each starts emulators, several hundred frames deep

BACKENDS = ("ale", "gymnasium", "envpool")
AT_ONCE = AtariConfig(noop_max=0, fire_reset=False)
ONE_NOOP = AtariConfig(noop_max=1, fire_reset=False)


def make(backend: str, game: str = "Breakout", num_envs: int = 2, **settings: Any) -> Environment:
    settings = {"sticky_action_probability": 0.0, "atari": AT_ONCE, **settings}
    return registry.make(
        EnvConfig(id=f"ALE/{game}-v5", backend=backend, num_envs=num_envs, **settings)
    )


def actions_of(env: Environment, steps: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, env.spec.action_space.n, (steps, env.spec.num_envs), np.int32)


def play(backend: str, steps: int, **settings: Any) -> TimeStep:
    env = make(backend, **settings)
    return rollout(env, actions_of(env, steps))


class AtariContract(EnvironmentContract):
    """Boxing and its like take minutes to an end: Breakout is lost in some 180 steps."""

    backend: str
    num_envs = 3  # an emulator takes an eighth of a second to start
    steps = 40
    starts_vary = False

    # an episode takes longer than these tests play; `test_backends_show_the_same` plays some
    test_the_step_after_the_last_starts_an_episode = None
    test_the_step_after_the_last_ignores_the_action = None
    test_environments_of_a_batch_start_differently = None
    test_termination_at_the_limit_has_discount_0 = None

    def make(self, num_envs: int, **settings: Any) -> Environment:
        whole = AtariConfig(terminal_on_life_loss=False)
        return make(self.backend, num_envs=num_envs, atari=whole, **settings)

    def is_first(self, observation: np.ndarray) -> bool:
        return not observation[:-1].any() and bool(observation[-1].any())

    def test_discount_is_0_only_where_an_episode_ends(self) -> None:
        stream = play(self.backend, 250, atari=AtariConfig(terminal_on_life_loss=False))
        assert np.all(stream.last[stream.discount == 0])
        assert (stream.discount == 0).any()


class TestAleContract(AtariContract):
    backend = "ale"


class TestGymnasiumContract(AtariContract):
    backend = "gymnasium"


class TestEnvPoolContract(AtariContract):
    backend = "envpool"


@functools.cache
def reference(game: str, atari: AtariConfig) -> TimeStep:
    return play("gymnasium", 260, game=game, atari=atari)


SHOWN_ALIKE = [
    ("ale", AT_ONCE),
    ("ale", AtariConfig(noop_max=0)),  # FIRE is pressed
    ("ale", AT_ONCE.model_copy(update={"frame_skip": 1, "frame_stack": 2, "screen_size": 42})),
    ("ale", AT_ONCE.model_copy(update={"full_action_space": True})),
    ("envpool", ONE_NOOP),
]
ALIKE_IN_BREAKOUT = [
    ("ale", AT_ONCE.model_copy(update={"grayscale": False})),
    ("ale", AT_ONCE.model_copy(update={"max_pool": False})),
    ("envpool", ONE_NOOP.model_copy(update={"frame_skip": 1})),
    ("envpool", ONE_NOOP.model_copy(update={"grayscale": False, "frame_stack": 2})),
]


@pytest.mark.parametrize(
    ("game", "backend", "atari"),
    [
        *((game, *case) for game in ("Pong", "Breakout", "MsPacman") for case in SHOWN_ALIKE),
        *(("Breakout", *case) for case in ALIKE_IN_BREAKOUT),
    ],
)
def test_backends_show_the_same(game: str, backend: str, atari: AtariConfig) -> None:
    """Frame for frame, over lost lives and resets, since nothing here is left to chance."""
    expected = reference(game, atari)
    stream = play(backend, 260, game=game, atari=atari)
    if game == "Breakout" and atari.frame_skip == 4:
        assert expected.last.any() and (expected.discount == 0).sum() > expected.last.sum()
    np.testing.assert_array_equal(stream.reward, expected.reward)
    np.testing.assert_array_equal(stream.discount, expected.discount)
    np.testing.assert_array_equal(stream.last, expected.last)
    live = ~expected.last  # ale does not look at the screen again where a game ends within a skip
    np.testing.assert_array_equal(stream.observation[live], expected.observation[live])


@pytest.mark.parametrize("game", ["Pong", "Breakout"])
@pytest.mark.parametrize("backend", ["ale", "envpool"])
def test_a_limit_truncates_at_the_same_step_and_ale_shows_an_older_frame(
    backend: str, game: str
) -> None:
    """ale does not look at the screen again where a game ends, which a limit of 27,000 seldom does.

    What it shows then is at most a few pixels off, and only in the newest frame.
    """
    atari = ONE_NOOP if backend == "envpool" else AT_ONCE
    expected, stream = (
        play(b, 40, game=game, atari=atari, max_episode_steps=7) for b in ("gymnasium", backend)
    )
    assert expected.last.any()
    for name in ("reward", "discount", "last"):
        np.testing.assert_array_equal(getattr(stream, name), getattr(expected, name))
    live = ~expected.last
    np.testing.assert_array_equal(stream.observation[live], expected.observation[live])
    shown, seen = stream.observation[expected.last], expected.observation[expected.last]
    np.testing.assert_array_equal(shown[:, :-1], seen[:, :-1])
    differing = (shown[:, -1] != seen[:, -1]).sum(axis=(-2, -1))
    assert differing.max() == 0 if backend == "envpool" else 0 < differing.max() < 100


@pytest.mark.parametrize("backend", BACKENDS)
def test_specs_agree(backend: str) -> None:
    spec = make(backend, "Pong", atari=AtariConfig()).spec
    assert spec.observation_shape == (4, 84, 84) and spec.observation_space.dtype == np.uint8
    assert spec.action_meanings == ("noop", "fire", "right", "left", "rightfire", "leftfire")
    assert (spec.action_space.n, spec.max_episode_steps, spec.backend) == (6, 27_000, backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_three_planes_a_frame_are_its_colours(backend: str) -> None:
    """Pong's rackets are green and red-brown on brown; grey is what ITU-R BT.601 makes of them.

    A maximum over two frames is another one over colours than over greys: here is one frame.
    """
    one_frame = ONE_NOOP.model_copy(update={"frame_skip": 1})
    grey, colored = (
        play(backend, 80, game="Pong", atari=one_frame.model_copy(update={"grayscale": gray}))
        for gray in (True, False)
    )
    assert colored.observation.shape[2:] == (12, 84, 84)
    red, green, blue = (colored.observation[..., plane::3, :, :] for plane in range(3))
    assert (green > red).any() and (red > green).any()
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    np.testing.assert_allclose(luma, grey.observation, atol=2)  # each plane is rounded by itself


@pytest.mark.parametrize("backend", ["ale", "gymnasium"])
def test_without_the_maximum_the_last_frame_is_seen(backend: str) -> None:
    """Sprites move on between two frames, and the maximum shows them in both places."""

    def seen(max_pool: bool) -> np.ndarray:
        atari = AT_ONCE.model_copy(update={"max_pool": max_pool})
        return play(backend, 60, game="Pong", atari=atari).observation

    both, last = seen(True), seen(False)
    assert (both >= last).all() and (both > last).any()


def test_envpool_always_takes_the_maximum() -> None:
    with pytest.raises(registry.ConfigError, match="envpool takes the maximum; use backend ale"):
        make("envpool", atari=ONE_NOOP.model_copy(update={"max_pool": False}))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_lost_life_ends_the_return_and_not_the_game(backend: str) -> None:
    stream = play(backend, 260, atari=ONE_NOOP)
    lost = (stream.discount == 0) & ~stream.last
    ended = np.flatnonzero(stream.last.any(axis=0))
    assert ended.size
    for i in ended:
        end = int(np.flatnonzero(stream.last[:, i])[0])
        assert lost[:end, i].sum() == 4  # Breakout gives five lives
    after = stream.observation[1:][lost[:-1]]
    assert after[:, :-1].any(axis=(1, 2, 3)).all()  # frames of before are still in the stack


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_score_is_that_of_the_game(backend: str) -> None:
    """A pill of Ms. Pac-Man is worth 10: nothing is clipped."""
    stream = play(backend, 120, game="MsPacman", atari=ONE_NOOP)
    assert stream.reward.max() >= 10


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_step_limit_truncates(backend: str) -> None:
    stream = play(backend, 25, game="Pong", atari=ONE_NOOP, max_episode_steps=10)
    assert np.flatnonzero(stream.last[:, 0]).tolist() == [10, 21]
    assert (stream.discount == 1).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_starts_are_random_and_named_by_the_seed(backend: str) -> None:
    def starts(seed: int) -> np.ndarray:
        return rollout(env, np.zeros((2, 4), np.int32), seed).observation[-1]

    env = make(backend, num_envs=4, atari=AtariConfig())
    first, again, another = (starts(seed) for seed in (1, 1, 2))
    assert len({start.tobytes() for start in first}) > 1
    np.testing.assert_array_equal(first, again)
    assert (first != another).any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_sticky_actions_are_the_ids_own_unless_set(backend: str) -> None:
    """Two games with the same actions stay the same only where none of them sticks."""

    def differ(probability: float | None) -> bool:
        atari = AT_ONCE if backend == "ale" else ONE_NOOP
        env = make(backend, sticky_action_probability=probability, atari=atari)
        actions = np.repeat(actions_of(env, 60)[:, :1], 2, axis=1)
        observation = rollout(env, actions).observation
        return bool((observation[:, 0] != observation[:, 1]).any())

    assert not differ(0.0)
    assert differ(None)


def test_envpool_plays_one_noop_at_least() -> None:
    with pytest.raises(registry.ConfigError, match="envpool plays at least one; use backend ale"):
        make("envpool")
