"""From a config to an environment, and what a wrong config is told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import pytest
import tensorflow as tf
from support.rollouts import seed_of

from a2c_tf.config import AtariConfig, EnvConfig
from a2c_tf.dependencies import install_extra
from a2c_tf.envs import registry
from a2c_tf.envs.catch import Catch
from a2c_tf.envs.classic_control.acrobot import Acrobot
from a2c_tf.envs.classic_control.cartpole import CartPole
from a2c_tf.envs.classic_control.mountain_car import MountainCar, MountainCarContinuous
from a2c_tf.envs.classic_control.pendulum import Pendulum
from a2c_tf.envs.host.adapter import HostEnvironment
from a2c_tf.envs.minatar.asterix import Asterix
from a2c_tf.envs.minatar.breakout import Breakout
from a2c_tf.envs.minatar.freeway import Freeway
from a2c_tf.envs.minatar.seaquest import Seaquest
from a2c_tf.envs.minatar.space_invaders import SpaceInvaders
from a2c_tf.errors import ConfigError

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


@pytest.mark.parametrize(
    ("env_id", "missing", "backend"),
    [
        ("ALE/Pong-v5", "", "ale"),
        ("ALE/Pong-v5", "envpool", "ale"),
        ("ALE/Pong-v5", "ale", "envpool"),
        ("LunarLander-v3", "", "envpool"),
        ("LunarLander-v3", "envpool", "gymnasium"),
        ("CliffWalking-v2", "", "gymnasium"),
        ("own:Env-v0", "", "gymnasium"),
        ("CartPole-v1", "", "graph"),
    ],
)
def test_the_default_backend_is_the_first_that_is_there(
    env_id: str, missing: str, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "installed", lambda backend: backend != missing)
    assert registry.default_backend(env_id) == backend


@pytest.mark.parametrize("vectorization", [None, "sync"])
def test_gymnasium_may_be_asked_for(vectorization: str | None) -> None:
    env = registry.make(
        EnvConfig(id="FrozenLake-v1", num_envs=2, backend="gymnasium", vectorization=vectorization)
    )
    assert isinstance(env, HostEnvironment)
    assert env.spec.backend == "gymnasium"


def test_settings_reach_the_environment() -> None:
    config = EnvConfig(id="CartPole-v1", max_episode_steps=9, sticky_action_probability=0.25)
    env = registry.make(config)
    assert env.spec.max_episode_steps == 9
    assert env.sticky_action_probability == 0.25
    for backend in ("gymnasium", "envpool"):
        config = EnvConfig(id="FrozenLake-v1", backend=backend, max_episode_steps=9)
        assert registry.make(config).spec.max_episode_steps == 9
    assert not registry.make(EnvConfig(id="MinAtar/Asterix-v1", difficulty_ramping=False)).ramping


def test_null_settings_are_the_environments_own() -> None:
    assert registry.make(EnvConfig(id="CartPole-v1")).spec.max_episode_steps == 500
    assert registry.make(EnvConfig(id="CartPole-v1")).sticky_action_probability == 0
    assert registry.make(EnvConfig(id="MinAtar/Breakout-v1")).sticky_action_probability == 0.1
    assert registry.make(EnvConfig(id="MinAtar/Asterix-v1")).ramping


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (EnvConfig(id="CartPol-v1"), "did you mean CartPole-v1, "),
        (EnvConfig(id="CartPole-v9"), "`v9`"),
        (EnvConfig(id="NoSuchThing-v0"), "doesn't exist"),
        (EnvConfig(id="no such id"), "Malformed"),
        (EnvConfig(id="no_such_module:Own-v0"), "No module named 'no_such_module'"),
        (EnvConfig(id="MinAtar/Brekout-v1", backend="graph"), "did you mean MinAtar/Breakout-v1?"),
        (EnvConfig(id="FrozenLake-v1", backend="graph"), "set env.backend=gymnasium"),
        (EnvConfig(id="Blackjack-v1", backend="gymnasium"), "expected Box, Discrete, "),
        (EnvConfig(id="ALE/Pongg-v5"), "did you mean ALE/Pong-v5?"),
        (EnvConfig(id="ALE/Pongg-v5", backend="envpool"), "did you mean Pong-v5?"),
        (EnvConfig(id="NoSuchThing-v0", backend="envpool"), "not in envpool"),
    ],
)
def test_an_id_that_cannot_be_is_refused(config: EnvConfig, expected: str) -> None:
    message = refusal(config)
    assert message.startswith(f"env.id={config.id}: ")
    assert expected in message


def test_ale_is_for_its_own_games() -> None:
    message = refusal(EnvConfig(id="CartPole-v1", backend="ale"))
    assert message == "env.backend=ale: CartPole-v1 is no Atari game; expected ALE/Pong-v5"


def test_settings_of_atari_are_refused_elsewhere() -> None:
    config = EnvConfig(id="CartPole-v1", atari=AtariConfig(frame_skip=1))
    assert refusal(config) == "env.atari: CartPole-v1 is no Atari game; leave it out"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (EnvConfig(id="CartPole-v1", vectorization="async"), "or set env.backend=gymnasium"),
        (EnvConfig(id="CartPole-v1", num_threads=2), "or set env.backend=ale or envpool"),
        (EnvConfig(id="ALE/Pong-v5", vectorization="sync"), "backend ale has no such setting"),
    ],
)
def test_settings_of_another_backend_are_refused(config: EnvConfig, expected: str) -> None:
    assert expected in refusal(config)


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


@pytest.mark.parametrize(
    ("config", "missing", "extra"),
    [
        (EnvConfig(id="ALE/Pong-v5"), ("ale", "envpool"), "atari"),
        (EnvConfig(id="ALE/Pong-v5", backend="gymnasium"), ("ale",), "atari"),
        (EnvConfig(id="ALE/Pong-v5", backend="envpool"), ("envpool",), "envpool"),
        (EnvConfig(id="CartPole-v1", backend="envpool"), ("envpool",), "envpool"),
    ],
)
def test_a_missing_package_says_what_to_install(
    config: EnvConfig, missing: tuple[str, ...], extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "installed", lambda backend: backend not in missing)
    assert install_extra(extra) in refusal(config)


def test_what_is_installed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert registry.installed("ale") and registry.installed("gymnasium")
    monkeypatch.setitem(registry.EXTRAS, "ale", ("no_such_package", "atari"))
    assert not registry.installed("ale")


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


@pytest.mark.parametrize(
    ("source", "told"),
    [("raise RuntimeError('no port')", "raised RuntimeError: no port"), ("x =", "SyntaxError")],
)
def test_what_ones_own_module_raises_is_told_in_one_line(
    source: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_module_that_raises.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    message = refusal(EnvConfig(id="own_module_that_raises:Env-v0"))
    assert told in message and "lists what there is" not in message


def test_an_unknown_id_is_told_before_its_settings() -> None:
    message = refusal(EnvConfig(id="Nope-v0", sticky_action_probability=0.1))
    assert message.startswith("env.id=Nope-v0: ") and "python -m a2c_tf.envs lists" in message


def test_what_ones_own_environment_raises_is_told_in_one_line(own_module: str) -> None:
    message = refusal(EnvConfig(id=f"{own_module}:BrokenForTests-v0"))
    assert "needs a licence: see its README" in message
