"""Checks of graph-native games: a good one passes all, a fault is found by its check alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.flawed_games import FLAWED, Walk

from a2c_tf.acceleration import compilation
from a2c_tf.config import EnvConfig
from a2c_tf.envs import registration
from a2c_tf.envs.checking import checker
from a2c_tf.envs.checking.findings import Finding

pytestmark = pytest.mark.slow  # each compiles a step by XLA

COMPILERS = checker.Compilers(compilation.graph, compilation.xla)
FOUND = {
    "spaces": "action_space: action space Box(0, 3, (1,), int32) is not supported",
    "stepping": "flawed_games.py, line",
    "tracing": "took 2 traces: int32 (), then int32 (4,)",
    "shapes": "step 0, observation: is float64 of shape [4, 2]; return float32 of shape [4, 2]",
    "bounds": "observation[1]: 1.25 is outside [0.0, 1.0]",
    "finite": "reward: is -inf",
    "masks": "action_mask: allows no action",
    "purity": "reward: another value from the same state and action",
    "seeding": "another value by the same seed and actions",
    "autoreset": "reward: is -0.0099",
    "step limit": "env.max_episode_steps=5 did not end the episode",
    "independence": "reward: depends on the actions of sub-environment 0",
    "modes": "reward: eager and graph differ",
    "drawing": "draw: is uint8 of shape [4, 6]; return uint8 [height, width, 3]",
}


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    registration.unregister("Flawed-v0")


def findings_of(game: Any, env_id: str = "Flawed-v0") -> list[Finding]:
    registration.register(env_id, game)
    config = EnvConfig(id=env_id, num_envs=4)
    return list(checker.check(config, COMPILERS, lambda progress: None))


def test_a_good_game_passes_every_check() -> None:
    findings = findings_of(Walk)
    assert {finding.level for finding in findings} == {"ok"}
    assert {finding.check for finding in findings} == {*FLAWED, "speed"}


@pytest.mark.parametrize("check", FLAWED)
def test_a_fault_is_found_by_its_check_alone(check: str) -> None:
    findings = findings_of(FLAWED[check])
    (error,) = [finding for finding in findings if finding.level not in ("ok", "skipped")]
    assert (error.level, error.check) == ("error", check)
    assert FOUND[check] in str(error)
    assert "\n" not in str(error)


def test_what_no_step_shows_is_a_warning() -> None:
    class Plain(Walk):
        reset_noise_size = 1

        def initial(self, noise: Any) -> Any:
            return super().initial(0 * noise)

        draw = Walk.__mro__[1].draw

        def __init__(self, num_envs: int) -> None:
            super().__init__(num_envs)

    warnings = {f.check: str(f) for f in findings_of(Plain) if f.level == "warning"}
    assert set(warnings) == {"seeding", "step limit", "drawing"}
    assert "right if nothing in it is random" in warnings["seeding"]
    assert "accept max_episode_steps" in warnings["step limit"]
    assert "define draw(self, state)" in warnings["drawing"]
