"""Configs from Python: the same as the command line makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from a2c_tf import config
from a2c_tf.config import Config
from a2c_tf.errors import ConfigError


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"run.seed": 3, "a2c.gamma": 0.9}, ["run.seed=3", "a2c.gamma=0.9"]),
        (
            {"run": {"seed": 3}, "env": {"atari": {"noop_max": 0}}},
            ["run.seed=3", "env.atari.noop_max=0"],
        ),
        ({"network.hidden": (64, 32)}, ["network.hidden=[64,32]"]),
        ({"optimizer": {"schedule": {"shape": "cosine"}}}, ["optimizer.schedule.shape=cosine"]),
        (
            {"run.total_steps": 1e6, "optimizer.learning_rate": 1e-5},
            ["run.total_steps=1e6", "optimizer.learning_rate=1e-5"],
        ),
        (
            {"env.max_episode_steps": None, "a2c.clip_reward": True},
            ["env.max_episode_steps=null", "a2c.clip_reward=true"],
        ),
        ({"run.seed": np.int64(3), "a2c.gamma": np.float64(0.1)}, ["run.seed=3", "a2c.gamma=0.1"]),
        ({"network.hidden": np.array([8, 8])}, ["network.hidden=[8,8]"]),
    ],
)
def test_overrides_are_those_of_the_command_line(
    overrides: dict[str, Any], words: list[str]
) -> None:
    assert config.resolve("cartpole", overrides) == config.load("cartpole", words)


def test_a_config_may_be_a_name_a_path_a_config_or_a_mapping(tmp_path: Path) -> None:
    expected = config.load("cartpole", ["run.seed=3"])
    path = tmp_path / "mine.yaml"
    path.write_text(config.to_yaml(expected), encoding="utf-8")
    for source in ("cartpole", config.load("cartpole"), path, str(path), expected.model_dump()):
        assert config.resolve(source, {"run.seed": 3}) == expected
    assert config.resolve(expected, {}) is expected
    assert config.resolve({"run.seed": 3}, {}) == Config.model_validate({"run": {"seed": 3}})


@pytest.mark.parametrize(
    ("source", "overrides", "message"),
    [
        ("cartpol", {}, "no such name; did you mean cartpole"),
        ("cartpole", {"a2c.gama": 1}, "a2c.gama: unknown setting; did you mean a2c.gamma"),
        ("cartpole", {"run.seed": -1}, "run.seed: received -1"),
        ("cartpole", {"run.seed": "3"}, "run.seed: received '3'"),
        ("cartpole", {"run": 3}, "override 'run=3': expected section.key=value"),
        ("cartpole", {"run.seed": object()}, r"run.seed: received <object .*>; expected a value"),
        (3, {}, "config: received 3; expected a name"),
    ],
)
def test_mistakes_are_one_line(source: Any, overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        config.resolve(source, overrides)
    assert "\n" not in str(raised.value)
