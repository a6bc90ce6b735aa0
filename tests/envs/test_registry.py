"""From a config to an environment, and what a wrong config is told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import pytest
import tensorflow as tf
from rollouts import seed_of

from a2c_tf.config import ConfigError, EnvConfig
from a2c_tf.envs import registry
from a2c_tf.envs.acrobot import Acrobot
from a2c_tf.envs.cartpole import CartPole
from a2c_tf.envs.catch import Catch
from a2c_tf.envs.host import HostEnvironment
from a2c_tf.envs.minatar.asterix import Asterix
from a2c_tf.envs.minatar.breakout import Breakout
from a2c_tf.envs.minatar.freeway import Freeway
from a2c_tf.envs.minatar.seaquest import Seaquest
from a2c_tf.envs.minatar.space_invaders import SpaceInvaders
from a2c_tf.envs.mountain_car import MountainCar, MountainCarContinuous
from a2c_tf.envs.pendulum import Pendulum

OWN_MODULE = """
import gymnasium
import numpy as np

class Own(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(0, 1, (3,), np.float64)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.full(3, 0.5), {}

    def step(self, action):
        return np.full(3, 0.5), 2.0, False, False, {}

def broken():
    raise ValueError("needs a licence:\\n  see its README")

gymnasium.register("OwnForTests-v0", Own, max_episode_steps=7)
gymnasium.register("BrokenForTests-v0", broken)
"""


def refusal(config: EnvConfig) -> str:
    """The message, which must be a single line about `env`."""
    with pytest.raises(ConfigError) as caught:
        registry.make(config)
    message = str(caught.value)
    assert message.startswith("env.")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("backend", ["auto", "graph"])
@pytest.mark.parametrize(
    ("env_id", "game"),
    [
        ("Acrobot-v1", Acrobot),
        ("CartPole-v1", CartPole),
        ("Catch-v0", Catch),
        ("MinAtar/Asterix-v0", Asterix),
        ("MinAtar/Asterix-v1", Asterix),
        ("MinAtar/Breakout-v0", Breakout),
        ("MinAtar/Breakout-v1", Breakout),
        ("MinAtar/Seaquest-v0", Seaquest),
        ("MinAtar/Seaquest-v1", Seaquest),
        ("MinAtar/SpaceInvaders-v0", SpaceInvaders),
        ("MinAtar/SpaceInvaders-v1", SpaceInvaders),
        ("MinAtar/Freeway-v0", Freeway),
        ("MinAtar/Freeway-v1", Freeway),
        ("MountainCar-v0", MountainCar),
        ("MountainCarContinuous-v0", MountainCarContinuous),
        ("Pendulum-v1", Pendulum),
    ],
)
def test_what_the_graph_has_is_taken_from_the_graph(env_id: str, game: type, backend: str) -> None:
    env = registry.make(EnvConfig(id=env_id, num_envs=3, backend=backend))
    assert isinstance(env, game)
    assert (env.spec.id, env.spec.backend, env.spec.num_envs) == (env_id, "graph", 3)


def test_the_backend_may_be_gymnasium_all_the_same() -> None:
    env = registry.make(EnvConfig(id="CartPole-v1", num_envs=3, backend="gymnasium"))
    assert isinstance(env, HostEnvironment)
    assert (env.spec.id, env.spec.backend, env.spec.num_envs) == ("CartPole-v1", "gymnasium", 3)


@pytest.mark.parametrize("backend", ["auto", "gymnasium"])
def test_what_the_graph_lacks_is_gymnasiums(backend: str) -> None:
    env = registry.make(EnvConfig(id="FrozenLake-v1", num_envs=2, backend=backend))
    assert isinstance(env, HostEnvironment)


def test_settings_reach_the_environment() -> None:
    config = EnvConfig(id="CartPole-v1", max_episode_steps=9, sticky_action_probability=0.25)
    env = registry.make(config)
    assert env.spec.max_episode_steps == 9
    assert env.sticky_action_probability == 0.25
    assert (
        registry.make(EnvConfig(id="FrozenLake-v1", max_episode_steps=9)).spec.max_episode_steps
        == 9
    )
    assert not registry.make(EnvConfig(id="MinAtar/Asterix-v1", difficulty_ramping=False)).ramping


def test_null_settings_are_the_environments_own() -> None:
    assert registry.make(EnvConfig(id="CartPole-v1")).spec.max_episode_steps == 500
    assert registry.make(EnvConfig(id="CartPole-v1")).sticky_action_probability == 0
    assert registry.make(EnvConfig(id="MinAtar/Breakout-v1")).sticky_action_probability == 0.1
    assert registry.make(EnvConfig(id="MinAtar/Asterix-v1")).ramping


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (EnvConfig(id="CartPol-v1"), "Did you mean: `CartPole`"),
        (EnvConfig(id="CartPole-v9"), "`v9`"),
        (EnvConfig(id="NoSuchThing-v0"), "doesn't exist"),
        (EnvConfig(id="no such id"), "Malformed"),
        (EnvConfig(id="no_such_module:Own-v0"), "No module named 'no_such_module'"),
        (EnvConfig(id="MinAtar/Brekout-v1", backend="graph"), "did you mean MinAtar/Breakout-v1?"),
        (EnvConfig(id="FrozenLake-v1", backend="graph"), "set env.backend=gymnasium"),
        (EnvConfig(id="Blackjack-v1"), "expected Box, Discrete, "),
    ],
)
def test_an_id_that_cannot_be_is_refused(config: EnvConfig, expected: str) -> None:
    message = refusal(config)
    assert message.startswith(f"env.id={config.id}: ")
    assert expected in message


@pytest.mark.parametrize(
    ("env_id", "backend"), [("FrozenLake-v1", "auto"), ("CartPole-v1", "gymnasium")]
)
def test_sticky_actions_are_refused_on_the_host(env_id: str, backend: str) -> None:
    config = EnvConfig(id=env_id, backend=backend, sticky_action_probability=0.1)
    message = refusal(config)
    assert message.startswith("env.sticky_action_probability=0.1: ")
    assert env_id in message


@pytest.mark.parametrize("ramping", [False, True])
@pytest.mark.parametrize(
    ("env_id", "backend"),
    [
        ("Acrobot-v1", "auto"),
        ("CartPole-v1", "auto"),
        ("MinAtar/Breakout-v1", "graph"),
        ("MinAtar/Asterix-v1", "gymnasium"),
    ],
)
def test_ramping_is_refused_where_there_is_none(env_id: str, backend: str, ramping: bool) -> None:
    message = refusal(EnvConfig(id=env_id, backend=backend, difficulty_ramping=ramping))
    assert message.startswith(f"env.difficulty_ramping={ramping}: ")
    assert env_id in message


def test_atari_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ale_py", None)  # as if it were not installed
    assert "pip install 'a2c_tf[atari]'" in refusal(EnvConfig(id="ALE/Pong-v5"))


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a user's module that registers two environments when it is imported."""
    (tmp_path / "own_environment_for_tests.py").write_text(OWN_MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield "own_environment_for_tests"
    for env_id in ("OwnForTests-v0", "BrokenForTests-v0"):
        gymnasium.registry.pop(env_id, None)
    sys.modules.pop("own_environment_for_tests", None)


def test_ones_own_environment_is_imported(own_module: str) -> None:
    config = EnvConfig(id=f"{own_module}:OwnForTests-v0", num_envs=2)
    env = registry.make(config)
    assert env.spec.id == config.id
    assert env.spec.max_episode_steps == 7
    state, _ = env.reset(seed_of(0))
    _, time_step = env.step(state, tf.constant([0, 1]))
    assert time_step.reward.numpy().tolist() == [2.0, 2.0]
    assert time_step.observation.dtype == tf.float64


def test_what_ones_own_environment_raises_is_told_in_one_line(own_module: str) -> None:
    message = refusal(EnvConfig(id=f"{own_module}:BrokenForTests-v0"))
    assert "needs a licence: see its README" in message
