"""Checks of environments on the host: a good one passes all, and each fault is found once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from a2c_tf.acceleration import compilation
from a2c_tf.config import EnvConfig
from a2c_tf.envs.checking import checker
from a2c_tf.envs.checking.findings import Finding
from a2c_tf.errors import ConfigError

COMPILERS = checker.Compilers(compilation.graph, compilation.xla)
SPACE = gymnasium.spaces.Box(0, 1, (2,), np.float32)
alive: list[Any] = []
"""those that were made and not closed."""


class Coins(gymnasium.Env):
    """Shows random numbers, pays for a right guess, and ends after 8 steps."""

    observation_space: gymnasium.Space = SPACE
    action_space: gymnasium.Space = gymnasium.spaces.Discrete(2)

    def __init__(self) -> None:
        assert not alive
        alive.append(self)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.steps = 0
        return self.observed(), self.info()

    def step(self, action: Any) -> Any:
        self.steps += 1
        return self.observed(), self.reward(), self.steps == 8, False, self.info()

    def close(self) -> None:
        if self in alive:
            alive.remove(self)

    def observed(self) -> np.ndarray:
        return self.np_random.random(2, np.float32)

    def reward(self) -> float:
        return 1.0

    def info(self) -> dict[str, Any]:
        return {}


class Unsupported(Coins):
    observation_space = gymnasium.spaces.Tuple([SPACE])


class Raising(Coins):
    def reward(self) -> float:
        raise KeyError("no such coin")


class OutOfBounds(Coins):
    def observed(self) -> np.ndarray:
        return super().observed() + np.float32(self.steps > 3)


class NotFinite(Coins):
    def reward(self) -> float:
        return float("nan")


class AllForbidden(Coins):
    def info(self) -> dict[str, Any]:
        return {"action_mask": np.array([self.steps != 3, False])}


class Unseeded(Coins):
    def observed(self) -> np.ndarray:
        return np.random.default_rng().random(2, np.float32)


class Reused(Coins):
    """Writes each observation into the same array."""

    def observed(self) -> np.ndarray:
        self.array = getattr(self, "array", np.zeros(2, np.float32))
        self.array[:] = super().observed()
        return self.array


class Vector(VectorEnv):
    """Pays on the step that starts an episode, too."""

    def __init__(self, num_envs: int = 1, max_episode_steps: int = 8) -> None:
        self.num_envs, self.limit = num_envs, max_episode_steps
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
        self.single_observation_space, self.single_action_space = SPACE, Coins.action_space
        self.observation_space = batch_space(SPACE, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        self.rng, self.steps = np.random.default_rng(seed), 0
        return self._observed(), {}

    def step(self, actions: Any) -> Any:
        self.steps = 0 if self.steps == self.limit else self.steps + 1
        never, last = np.zeros(self.num_envs, bool), self.steps == self.limit
        return self._observed(), np.ones(self.num_envs), never, np.full(self.num_envs, last), {}

    def _observed(self) -> np.ndarray:
        return self.rng.random((self.num_envs, 2), np.float32)


class Unlimited(Vector):
    def __init__(self, num_envs: int = 1, max_episode_steps: int = 8) -> None:
        super().__init__(num_envs)

    def step(self, actions: Any) -> Any:
        observation, _, *ends = super().step(actions)
        return observation, np.zeros(self.num_envs), *ends


FAULTS: dict[str, tuple[Any, set[str], str]] = {
    "spaces": (Unsupported, {"making"}, "is not supported: expected Box, Discrete"),
    "stepping": (Raising, {"stepping"}, "test_on_host.py, line 66: sub-environment 0"),
    # validation of the backend's own may find it first, with the same place and value
    "bounds": (OutOfBounds, {"bounds", "stepping"}, "sub-environment 0"),
    "finite": (NotFinite, {"finite"}, "sub-environment 0, episode 1, step 1: reward is nan"),
    "masks": (AllForbidden, {"masks", "stepping"}, "allows no action"),
    "seeding": (Unseeded, {"seeding"}, "another value by the same seed"),
    "gymnasium": (Reused, {"gymnasium"}, "`env.reset(seed=123)` is non-deterministic"),
    "autoreset": (Vector, {"autoreset"}, "reward: is 1.0; return 0 on the step that starts"),
    "step limit": (Unlimited, {"step limit"}, "did not end the episode"),
}


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    left, gymnasium.registry["Flawed-v0"] = list(alive), None
    gymnasium.registry.pop("Flawed-v0")
    alive.clear()
    assert not left, "an environment was not closed"


def findings_of(env: Any) -> list[Finding]:
    is_vector = issubclass(env, VectorEnv)
    entry = {"vector_entry_point" if is_vector else "entry_point": env}
    gymnasium.registry["Flawed-v0"] = EnvSpec("Flawed-v0", **entry)
    config = EnvConfig(id="Flawed-v0", num_envs=16)
    return list(checker.check(config, COMPILERS, lambda progress: None))


def test_a_good_environment_passes_every_check() -> None:
    findings = findings_of(Coins)
    assert [str(finding) for finding in findings if finding.level != "ok"] == []
    assert {"autoreset", "bounds", "gymnasium", "seeding", "speed"} <= {f.check for f in findings}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_once(fault: str) -> None:
    env, checks, expected = FAULTS[fault]
    findings = findings_of(env)
    errors = [finding for finding in findings if finding.level == "error"]
    assert len(errors) == 1, [str(finding) for finding in findings]
    assert errors[0].check in checks
    assert expected in str(errors[0])
    assert "\n" not in str(errors[0])


def test_an_id_that_is_not_there_is_no_finding() -> None:
    for env_id in ("Nope-v0", "no_such_module:Nope-v0"):
        with pytest.raises(ConfigError, match=f"env.id={env_id}: "):
            list(checker.check(EnvConfig(id=env_id), COMPILERS, print))
