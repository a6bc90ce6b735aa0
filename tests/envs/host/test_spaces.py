"""Dict observations and action masks of gymnasium environments, as our contract carries them."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv

from a2c_tf.envs.host.action_masks import with_masks
from a2c_tf.envs.host.adapter import HostEnvironment
from a2c_tf.envs.host.failures import HostEnvironmentError

OBSERVATION = spaces.Dict(
    {
        "zeta": spaces.Box(-9, 9, (2,), np.float32),
        "alpha": spaces.Discrete(7, start=2),
        "mid": spaces.MultiBinary(3),
    }
)


class Shop(gymnasium.Env):
    """Observes its step in three ways; allows the action that is the step modulo 3, and 3.

    Episodes end after 4 steps. `silent_at` names the step whose info holds no mask.
    """

    def __init__(self, silent_at: int | None = None, empty_at: int | None = None) -> None:
        self.observation_space, self.action_space = OBSERVATION, spaces.Discrete(4)
        self.silent_at, self.empty_at, self.count = silent_at, empty_at, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.count = 0
        return self._observation(), self._info()

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.count += 1
        return self._observation(), 1.0, self.count == 4, False, self._info()

    def _observation(self) -> dict[str, Any]:
        return {
            "zeta": np.array([self.count, -self.count], np.float32),
            "alpha": np.int64(2 + self.count),
            "mid": np.array([self.count & 1, self.count >> 1 & 1, self.count >> 2], np.int8),
        }

    def _info(self) -> dict[str, Any]:
        if self.count == self.silent_at:
            return {}
        mask = np.zeros(4, np.int8)
        if self.count != self.empty_at and self.count != 4:  # at the end nothing is allowed
            mask[[self.count % 3, 3]] = 1
        return {"action_mask": mask}


def host(*environments: Shop) -> HostEnvironment:
    makers = [lambda e=e: with_masks(e) for e in environments]
    return HostEnvironment(lambda: SyncVectorEnv(makers), "Shop-v0", "test")


def expected_mask(count: int) -> list[bool]:
    return [count % 3 == i or i == 3 for i in range(4)]


def test_each_key_of_a_dict_is_a_tensor_of_its_own():
    env = host(Shop(), Shop())
    state, step = env.reset(tf.constant([0, 1]))
    for count in (0, 1, 2):
        assert list(step.observation) == ["alpha", "mid", "zeta"]
        np.testing.assert_array_equal(step.observation["alpha"], [2 + count] * 2)
        np.testing.assert_array_equal(step.observation["zeta"], [[count, -count]] * 2)
        np.testing.assert_array_equal(step.observation["mid"], [[count & 1, count >> 1, 0]] * 2)
        state, step = env.step(state, tf.constant([3, 3]))
    dtypes = {name: x.dtype for name, x in step.observation.items()}
    assert dtypes == {"alpha": tf.int64, "mid": tf.int8, "zeta": tf.float32}


def test_shapes_are_known_when_traced():
    env = host(Shop(), Shop())

    @tf.function
    def run() -> Any:
        state, step = env.reset(tf.constant([0, 1]))
        _, step = env.step(state, tf.constant([3, 3]))
        shapes.append(tf.nest.map_structure(lambda x: tuple(x.shape), step))
        return step

    shapes: list[Any] = []
    run()
    assert shapes[0].observation == {"alpha": (2,), "mid": (2, 3), "zeta": (2, 2)}
    assert shapes[0].action_mask == (2, 4)


def test_masks_come_from_the_info_of_every_step_and_reset():
    env = host(Shop(), Shop(silent_at=2))
    assert env.spec.action_mask_size == 4
    state, step = env.reset(tf.constant([0, 1]))
    for count in (0, 1, 2, 3, 4, 0, 1):
        # where none is given, and at an episode's end, everything is allowed
        first = [True] * 4 if count == 4 else expected_mask(count)
        second = [True] * 4 if count in (2, 4) else expected_mask(count)
        np.testing.assert_array_equal(step.action_mask, [first, second], str(count))
        assert (step.last.numpy() == (count == 4)).all()
        state, step = env.step(state, tf.constant([3, 3]))


def test_an_environment_without_masks_has_none():
    env = HostEnvironment(
        lambda: gymnasium.make_vec("FrozenLake-v1", num_envs=2), "FrozenLake-v1", "test"
    )
    assert env.spec.action_mask_size == 0
    assert env.reset(tf.constant([0, 1]))[1].action_mask == ()


def test_a_mask_that_allows_nothing_names_the_environment():
    env = host(Shop(), Shop(empty_at=1))
    state, _ = env.reset(tf.constant([0, 1]))
    expected = "environment Shop-v0: sub-environment 1, step 1: action_mask allows no action"
    with pytest.raises(HostEnvironmentError, match=expected):
        env.step(state, tf.constant([3, 3]))


def test_a_space_that_no_network_takes_is_refused_by_its_key():
    class Odd(Shop):
        def __init__(self) -> None:
            super().__init__()
            self.observation_space = spaces.Dict({"talk": spaces.Text(5)})

    with pytest.raises(ValueError, match=r"key 'talk': Text.*expected Box, Discrete"):
        host(Odd())
