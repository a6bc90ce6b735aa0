"""Arguments, wrappers and factories of the user's own environments, by name."""

from __future__ import annotations

import sys
from typing import Any

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from gymnasium import spaces
from support.rollouts import seed_of

from a2c_tf import config as configs
from a2c_tf.envs import registry
from a2c_tf.envs.base import Environment
from a2c_tf.errors import ConfigError


class Knob(gymnasium.Env):
    """Rewards the first number of an action, a Box of integers; observes the last action."""

    observation_space = spaces.Box(-3, 9, (2,), np.float32)
    action_space = spaces.Box(
        np.array([-3, 5], np.int32), np.array([3, 9], np.int32), (2,), np.int32
    )

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert action in self.action_space
        return action.astype(np.float32), self.gain * action[0], False, False, {}


class Doubled(gymnasium.RewardWrapper):
    def reward(self, reward: Any) -> Any:
        return 2 * reward


def make_knob(**settings: Any) -> gymnasium.Env:
    return Knob(**settings)


def no_environment() -> str:
    return "a knob"


HERE = __name__


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "own_module", sys.modules[HERE])


def make(*words: str) -> Environment:
    return registry.make(configs.load(None, ["env.num_envs=2", *words]).env)


def first(env: Environment, action: Any) -> Any:
    state, _ = env.reset(seed_of(0))
    _, time_step = env.step(state, tf.constant(action))
    env.close()
    return time_step


def test_kwargs_reach_the_environment() -> None:
    assert make("env.id=FrozenLake-v1", "env.kwargs.map_name=8x8").spec.observation_space.n == 64
    assert make("env.id=FrozenLake-v1", "env.kwargs={map_name: 4x4}").spec.observation_space.n == 16


@pytest.mark.parametrize("env_id", ["CartPole-v1", "FrozenLake-v1"])
def test_kwargs_choose_the_backend_that_takes_them(env_id: str) -> None:
    """`auto` is the graph's or EnvPool's without."""
    assert make(f"env.id={env_id}").spec.backend in ("graph", "envpool")
    name = "sutton_barto_reward" if env_id == "CartPole-v1" else "is_slippery"
    assert make(f"env.id={env_id}", f"env.kwargs.{name}=false").spec.backend == "gymnasium"


@pytest.mark.parametrize("backend", ["graph", "envpool"])
def test_another_backend_refuses_them(backend: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"env.wrappers: .*{backend} cannot use; set env.backend"
    ):
        make("env.id=CartPole-v1", f"env.backend={backend}", "env.wrappers=[FlattenObservation]")


def test_wrappers_of_gymnasium_have_short_names() -> None:
    env = make("env.id=Blackjack-v1", "env.wrappers=[FlattenObservation]")
    assert spaces.utils.flatdim(env.spec.observation_space) == 45
    stacked = "[{name: FrameStackObservation, kwargs: {stack_size: 3}}]"
    env = make("env.id=Acrobot-v1", f"env.wrappers={stacked}")
    assert env.spec.observation_space.shape == (3, 6)


def test_the_first_wrapper_is_the_innermost() -> None:
    words = ["env.factory=own_module:Knob"]
    clipped = "{name: ClipReward, kwargs: {max_reward: 3.0}}"
    twice = f"env.wrappers=[own_module:Doubled, {clipped}]"
    assert first(make(*words, twice), [[2, 5]] * 2).reward.numpy().tolist() == [3, 3]
    twice = f"env.wrappers=[{clipped}, own_module:Doubled]"
    assert first(make(*words, twice), [[3, 5]] * 2).reward.numpy().tolist() == [6, 6]


def test_a_factory_makes_environments() -> None:
    env = make("env.factory=own_module:make_knob", "env.kwargs.gain=0.5", "env.max_episode_steps=3")
    assert (env.spec.id, env.spec.backend) == ("own_module:make_knob", "gymnasium")
    assert env.spec.max_episode_steps == 3
    state, _ = env.reset(seed_of(0))
    lasts = []
    for _ in range(4):
        state, time_step = env.step(state, tf.constant([[-3, 9], [2, 5]]))
        lasts.append(time_step.last.numpy().tolist())
    assert lasts == [[False] * 2, [False] * 2, [True] * 2, [False] * 2]
    env.close()


def test_a_box_of_integers_is_a_choice_for_each_number() -> None:
    env = make("env.factory=own_module:Knob")
    space = env.spec.action_space
    assert isinstance(space, spaces.MultiDiscrete)
    assert space.nvec.tolist() == [7, 5] and space.start.tolist() == [-3, 5]
    time_step = first(env, [[-3, 9], [2, 5]])
    assert time_step.reward.numpy().tolist() == [-3, 2]
    np.testing.assert_array_equal(time_step.observation, [[-3, 9], [2, 5]])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["env.wrappers=[FlatenObservation]"], "did you mean FlattenObservation"),
        (["env.wrappers=[own_module:Missing]"], "env.wrappers=own_module:Missing: .*no attribute"),
        (["env.wrappers=[absent_module:Wrap]"], "env.wrappers=absent_module:Wrap: No module named"),
        (["env.wrappers=[own_module:HERE]"], "received .*; expected a function or class"),
        (["env.wrappers=[{name: ClipReward, kwargs: {a: 1}}]"], "ClipReward raised TypeError"),
        (["env.wrappers=[own_module:no_environment]"], "no_environment raised TypeError"),
        (["env.kwargs.colour=red"], "unexpected keyword argument 'colour'"),
    ],
)
def test_what_does_not_fit_is_one_line(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        make("env.id=Acrobot-v1", "env.backend=gymnasium", *words)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("own_module:no_environment", "returned 'a knob'; expected a gymnasium.Env"),
        ("own_module:missing", "no attribute 'missing'; expected my_module:name"),
        ("own_module", "expected my_module:name"),
    ],
)
def test_a_factory_that_makes_none_is_one_line(path: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(f"env.factory={path}")
