"""`python -m a2c_tf.envs`: what it lists is what a config can name."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable
from typing import Any

import gymnasium
import pytest
from gymnasium.spaces import Discrete
from support.rollouts import seed_of

from a2c_tf.config import EnvConfig
from a2c_tf.envs import registry
from a2c_tf.envs.registration import BUILT_IN
from a2c_tf.errors import ConfigError

Command = Callable[..., Any]

BACKENDS = ("graph", "ale", "envpool", "gymnasium")


@pytest.fixture
def listing(command: Command) -> Callable[..., str]:
    """(arguments) -> what the command prints."""

    def run(*arguments: str) -> str:
        outcome = command("a2c_tf.envs.__main__", *arguments)
        assert (outcome.code, outcome.err) == (0, "")
        return outcome.out

    return run


def rows(text: str) -> dict[str, list[str]]:
    """The cells of each environment beside its id."""
    header, *lines = (re.split(r"  +", line) for line in text.split("\n\n")[0].splitlines())
    assert header == ["id", "observation", "actions", "steps", "backends"]
    return {env_id: cells for env_id, *cells in lines}


def test_every_environment_of_the_graph_is_listed_as_it_is(listing: Callable[..., str]) -> None:
    listed = rows(listing())
    assert list(listed) == list(BUILT_IN)
    for env_id, (observation, actions, steps, _) in listed.items():
        env = registry.make(EnvConfig(id=env_id, num_envs=2))
        _, time_step = env.reset(seed_of(0))
        dtype, _, shape = observation.partition(" ")
        assert dtype == time_step.observation.dtype.name
        assert ast.literal_eval(shape) == tuple(time_step.observation.shape[1:])
        if isinstance(env.spec.action_space, Discrete):
            assert int(actions) == env.spec.action_space.n
        else:
            assert actions == f"box {env.spec.action_space.shape}"
        limit = env.spec.max_episode_steps
        assert steps == ("no limit" if limit is None else str(limit))


@pytest.mark.parametrize(
    "env_id", ["ALE/Pong-v5", "CartPole-v1", "Catch-v0", "FrozenLake-v1", "MinAtar/Breakout-v1"]
)
def test_the_backends_are_those_that_make_it(env_id: str, listing: Callable[..., str]) -> None:
    able = []
    for backend in BACKENDS:
        try:
            registry.make(EnvConfig(id=env_id, num_envs=1, backend=backend))
            able.append(backend)
        except ConfigError:
            pass
    *_, backends = rows(listing(env_id))[env_id]
    assert backends.split(", ") == able
    assert able[0] == registry.default_backend(env_id)


def test_a_filter_searches_the_ids_of_all_backends(listing: Callable[..., str]) -> None:
    listed = rows(listing("BREAKOUT"))
    assert list(listed)[:2] == ["MinAtar/Breakout-v0", "MinAtar/Breakout-v1"]  # the graph's first
    assert "ALE/Breakout-v5" in listed
    assert all("breakout" in env_id.lower() for env_id in listed)


@pytest.mark.parametrize(
    ("part", "env_id", "cells"),
    [
        ("pong", "ALE/Pong-v5", ["uint8 (4, 84, 84)", "6", "27000", "ale, envpool, gymnasium"]),
        ("Lake-", "FrozenLake-v1", ["Discrete(16)", "4", "100", "envpool, gymnasium"]),
        ("Taxi", "Taxi-v4", ["Discrete(500)", "6", "200", "gymnasium"]),
        # a Tuple elsewhere
        ("Blackjack-v1", "Blackjack-v1", ["int32 (3,)", "2", "no limit", "envpool"]),
        ("CartPole-v0", "CartPole-v0", ["float32 (4,)", "2", "200", "envpool, gymnasium"]),
        (
            "CartpoleBalance-v1",
            "CartpoleBalance-v1",
            ["position: float64 (3,), velocity: float64 (2,)", "box (1,)", "1000", "envpool"],
        ),
    ],
)
def test_few_are_made_to_tell_what_they_are(
    part: str, env_id: str, cells: list[str], listing: Callable[..., str]
) -> None:
    """Old versions among them, without the warnings of gymnasium."""
    text = listing(part)
    assert rows(text)[env_id] == cells
    assert ("-  is not known" in text) == any("-" in row for row in rows(text).values())


def test_many_are_listed_without_being_made(listing: Callable[..., str]) -> None:
    text = listing("ALE/")
    listed = rows(text)
    assert len(listed) >= 104
    assert listed["ALE/Pong-v5"] == ["-", "-", "-", "ale, envpool, gymnasium"]
    assert text.splitlines()[-1].startswith("-  is not known: ")


def test_what_a_backend_does_not_make_says_why(
    listing: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """gymnasium knows the id without the package that it takes."""
    monkeypatch.setitem(sys.modules, "mujoco", None)
    text = listing("HalfCheetah-v5")
    assert rows(text)["HalfCheetah-v5"][-1] == "envpool"
    assert text.splitlines()[-1].startswith("HalfCheetah-v5 by gymnasium: MuJoCo is not installed")
    monkeypatch.setitem(sys.modules, "envpool", None)
    assert rows(listing("HalfCheetah-v5"))["HalfCheetah-v5"] == ["-", "-", "1000", "-"]


class Unready(gymnasium.Env):
    observation_space, action_space = Discrete(2), Discrete(2)

    def reset(self, **_: Any) -> Any:
        raise RuntimeError("no license")


def test_one_that_cannot_start_does_not_lose_the_list(
    listing: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = gymnasium.envs.registration.EnvSpec("Unready-v0", entry_point=Unready)
    monkeypatch.setitem(gymnasium.registry, "Unready-v0", spec)
    text = listing("ready")
    assert rows(text)["Unready-v0"] == ["-", "-", "-", "-"]
    assert "-  is not known; under backends: it cannot be made here" in text.splitlines()
    assert "Unready-v0 by gymnasium: environment Unready-v0: " in text
    assert "raised RuntimeError: no license" in text


def test_the_host_backends_are_listed_with_their_versions(listing: Callable[..., str]) -> None:
    text = listing()
    assert re.search(r"^gymnasium +1\.4\.\d+ .* ids, and my_module:MyEnv-v0$", text, re.M)
    assert re.search(r"^ale +0\.12\.\d+ +104 games, ALE/<Game>-v5$", text, re.M)
    assert re.search(r"^envpool +1\.\d+\.\d+ +\d{3,} ids", text, re.M)


def test_what_is_missing_is_listed_with_its_extra(
    listing: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("ale_py", "envpool"):
        monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    text = listing()
    assert re.search(r"^ale +not installed; .*pip install 'ale-py>=", text, re.M)
    assert re.search(r"^envpool +not installed; .*pip install 'envpool>=", text, re.M)
    assert {cells[-1] for cells in rows(text).values()} == {"graph, gymnasium", "graph"}


def test_atari_games_of_envpool_are_listed_without_ale_py(
    listing: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ale_py", None)
    assert rows(listing("ALE/Pong-v5"))["ALE/Pong-v5"][3] == "envpool"


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("brekout", "did you mean MinAtar/Breakout-v0, MinAtar/Breakout-v1, ALE/Breakout-v5?"),
        ("CartPole-v9", "did you mean CartPole-v1, CartPole-v0, "),
        ("atari", "Atari games have ALE/"),
    ],
)
def test_a_filter_that_finds_nothing_names_what_is_near(
    part: str, expected: str, command: Command
) -> None:
    outcome = command("a2c_tf.envs.__main__", part)
    assert outcome.code == 2
    assert outcome.mistake.startswith(f"filter {part}: ")
    assert expected in outcome.mistake


def test_it_runs_as_a_command_of_its_own(process: Command) -> None:
    outcome = process("a2c_tf.envs", "acrobot")
    assert (outcome.code, outcome.err) == (0, "")
    assert "Acrobot-v1" in rows(outcome.out)
