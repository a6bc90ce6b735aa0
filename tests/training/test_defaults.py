"""Settings that nobody gave follow the kind of environment."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from a2c_tf import config as configs
from a2c_tf.agent import make_agent
from a2c_tf.config.kinds import DEFAULTS
from a2c_tf.training import defaults
from a2c_tf.types import EnvSpec

FLOATS = spaces.Box(-1, 1, (3,), np.float32)
CHOICES, PUSH = spaces.Discrete(4), spaces.Box(-1, 1, (1,), np.float32)


def image(*shape: int) -> spaces.Box:
    return spaces.Box(0, 255, shape, np.uint8)


def spec(observation: gymnasium.Space, action: gymnasium.Space = CHOICES) -> EnvSpec:
    return EnvSpec("Own-v0", "gymnasium", 2, observation, action)


KINDS = [
    (FLOATS, CHOICES, "vector"),
    (FLOATS, PUSH, "continuous"),
    (spaces.Discrete(16), CHOICES, "tabular"),
    (spaces.MultiDiscrete([3, 4]), CHOICES, "tabular"),
    (spaces.MultiBinary(9), CHOICES, "tabular"),
    (spaces.Dict({"a": spaces.Discrete(3), "b": FLOATS}), CHOICES, "vector"),
    (image(10, 10, 4), CHOICES, "grid"),
    (image(7, 7, 3), PUSH, "grid"),
    (image(4, 84, 84), CHOICES, "pixels"),
    (spaces.Dict({"a": FLOATS, "b": image(84, 84, 3)}), CHOICES, "pixels"),
    (spaces.Dict({"a": image(8, 8, 3), "b": image(84, 84, 3)}), CHOICES, "grid"),
    (image(2, 2, 3), CHOICES, "tabular"),
]


@pytest.mark.parametrize(("observation", "action", "kind"), KINDS)
def test_the_spaces_say_the_kind(observation: Any, action: Any, kind: str) -> None:
    assert defaults.kind_of(spec(observation, action)) == kind


@pytest.mark.parametrize(("observation", "action", "kind"), KINDS)
def test_each_kind_has_a_network_that_fits(observation: Any, action: Any, kind: Any) -> None:
    config = configs.complete(configs.load(None), kind)
    assert make_agent(spec(observation, action), config).model.count_params() > 0


@pytest.mark.parametrize("kind", DEFAULTS)
def test_what_is_given_stays(kind: Any) -> None:
    given = ["env.num_envs=3", "network.torso=mlp", "optimizer.learning_rate=0.5"]
    config = configs.complete(configs.load(None, given), kind)
    assert (config.env.num_envs, config.network.torso) == (3, "mlp")
    assert config.optimizer.learning_rate == 0.5
    others = {name: value for name, value in DEFAULTS[kind].items() if name.startswith("a2c.")}
    for name, value in others.items():
        assert getattr(config.a2c, name.removeprefix("a2c.")) == value


def test_auto_counts_as_not_given() -> None:
    config = configs.complete(configs.load(None, ["network.torso=auto"]), "grid")
    assert config.network.torso == "minatar"


def test_a_complete_config_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    config = configs.complete(configs.load(None, ["env.id=CartPole-v1"]), "vector")
    again = configs.parse(config.model_dump(mode="json"))
    assert configs.is_complete(again)
    monkeypatch.setattr(defaults.registry, "make_spec", None)
    assert defaults.with_defaults(again) == config


@pytest.mark.parametrize("name", configs.names())
def test_our_configs_give_what_their_kind_would_change(name: str) -> None:
    """Their scores are those of their settings, not of defaults that may be chosen again."""
    config = configs.load(name)
    kind = "pixels" if name == "pong" else defaults.kind_of(defaults.registry.make_spec(config.env))
    assert configs.complete(config, kind) == config


def test_without_a_config_the_environment_decides() -> None:
    assert configs.default_name([]) == "minatar_breakout"
    assert configs.default_name(["run.seed=3"]) == "minatar_breakout"
    assert configs.default_name(["run.seed=3", "env.id=CartPole-v1"]) is None
    assert configs.default_name(["env.factory=my_module:make"]) is None
    config = defaults.with_defaults(configs.load(None, ["env.id=CartPole-v1"]))
    assert config.network.torso == "mlp" and config.env.num_envs == 16


def test_a_resumed_run_keeps_the_settings_that_a_config_leaves_out() -> None:
    started_with = configs.complete(configs.load(None, ["env.id=CartPole-v1"]), "vector")
    config = configs.load(None, ["env.id=CartPole-v1", "run.total_steps=5"])
    config = configs.complete_from(config, started_with)
    configs.check_resumable(started_with, config)
    assert config.run.total_steps == 5


@pytest.mark.parametrize(
    ("asked", "excluded", "kind"),
    [("scale_reward", "clip_reward", "pixels"), ("clip_reward", "scale_reward", "vector")],
)
def test_no_default_excludes_what_was_asked_for(asked: str, excluded: str, kind: Any) -> None:
    config = configs.complete(configs.load(None, [f"a2c.{asked}=true"]), kind)
    assert getattr(config.a2c, asked) and not getattr(config.a2c, excluded)
