"""An id that is not there: the one that was meant, or the package that has it."""

from __future__ import annotations

import re

import pytest

from a2c_tf.config import EnvConfig
from a2c_tf.envs import registry, suggestions
from a2c_tf.errors import ConfigError

KNOWN = [
    "CartPole-v0",
    "CartPole-v1",
    "Catch-v0",
    "FrozenLake-v1",
    "MinAtar/Breakout-v0",
    "MinAtar/Breakout-v1",
    "Taxi-v4",
    "ALE/Breakout-v5",
    "ALE/SpaceInvaders-v5",
    "phys2d/CartPole-v0",
]


@pytest.mark.parametrize(
    ("env_id", "meant"),
    [
        ("BreakoutNoFrameskip-v4", "ALE/Breakout-v5"),
        ("Breakout-ram-v4", "ALE/Breakout-v5"),
        ("Breakout-v4", "ALE/Breakout-v5"),
        ("SpaceInvadersDeterministic-v0", "ALE/SpaceInvaders-v5"),
        ("CartPole", "CartPole-v1"),
        ("cartpole-v1", "CartPole-v1"),
        ("Cart_Pole-v1", "CartPole-v1"),
        ("CartPole-v9", "CartPole-v1"),
        ("Taxi-v3", "Taxi-v4"),
        ("MinAtar/Breakout", "MinAtar/Breakout-v1"),
        ("Cach-v0", "Catch-v0"),
    ],
)
def test_the_id_that_was_meant_is_named(env_id: str, meant: str) -> None:
    assert suggestions.hint(env_id, KNOWN) == f"did you mean {meant}?"


@pytest.mark.parametrize(
    ("env_id", "package", "meant"),
    [
        ("MiniGrid-Empty-5x5-v0", "minigrid", "minigrid:MiniGrid-Empty-5x5-v0"),
        ("BabyAI-GoToRedBall-v0", "minigrid", "minigrid:BabyAI-GoToRedBall-v0"),
        ("highway-fast-v0", "highway-env", "highway_env:highway-fast-v0"),
        ("FetchReach-v4", "gymnasium-robotics", "gymnasium_robotics:FetchReach-v4"),
        (
            "dm_control/cartpole-balance-v0",
            "'shimmy[dm-control]'",
            "shimmy:dm_control/cartpole-balance-v0",
        ),
    ],
)
def test_the_package_that_has_it_is_named(env_id: str, package: str, meant: str) -> None:
    for asked in (env_id, meant):
        hint = suggestions.hint(asked, KNOWN)
        assert hint.endswith(f"pip install {package}, then env.id={meant}"), asked


def test_what_is_like_nothing_is_sent_to_the_list() -> None:
    hint = suggestions.hint("Nope-v0", KNOWN)
    assert hint.startswith("python -m a2c_tf.envs lists what there is")
    hint = suggestions.hint("no_such_module:Nope-v0", KNOWN)
    assert hint.startswith("expected no_such_module.py in the working directory")


def test_without_ale_py_an_atari_game_names_the_extra() -> None:
    hint = suggestions.hint("QbertNoFrameskip-v4", ["CartPole-v1"])
    assert hint.startswith("did you mean ALE/Qbert-v5? It needs ")
    assert "pip install 'ale-py>=" in hint


@pytest.mark.parametrize(
    ("env_id", "expected"),
    [
        ("BreakoutNoFrameskip-v4", "did you mean ALE/Breakout-v5?"),
        ("Pong-v4", "did you mean ALE/Pong-v5?"),
        ("CartPole", "did you mean CartPole-v1?"),
        ("Taxi-v3", "did you mean Taxi-v4?"),
        ("CartPole-v9", "did you mean CartPole-v1?"),
        ("ALE/Breakout-v4", "did you mean ALE/Breakout-v5?"),
        ("MiniGrid-Empty-5x5-v0", "env.id=minigrid:MiniGrid-Empty-5x5-v0"),
        ("minigrid:MiniGrid-Empty-5x5-v0", "pip install minigrid"),
    ],
)
def test_the_error_ends_with_it(env_id: str, expected: str) -> None:
    """Twice, since the search for an id registers those of ale-py."""
    for _ in range(2):
        with pytest.raises(ConfigError, match=f"^env.id={re.escape(env_id)}: ") as caught:
            registry.make(EnvConfig(id=env_id, backend="gymnasium", num_envs=1))
        message = str(caught.value)
        assert message.endswith(expected) or expected in message.rpartition("; ")[2]
        assert "\n" not in message
        assert "Did you mean" not in message and "Acrobot-v1" not in message
