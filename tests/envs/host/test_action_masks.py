"""Action masks by info, by a method, or in the observation; infos that nobody reads."""

from __future__ import annotations

import functools
from typing import Any

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from gymnasium import spaces
from support.rollouts import seed_of

from a2c_tf.envs.host.adapter import HostEnvironment
from a2c_tf.envs.host.gymnasium_vector import vectorized
from a2c_tf.errors import CommandError

ALLOWED = [True, False, True]
BOX = spaces.Box(0, 9, (2,), np.float32)


class Own(gymnasium.Env):
    """Observes its step twice; a subclass says where its masks are."""

    observation_space: spaces.Space = BOX
    action_space = spaces.Discrete(3)
    count = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.count = 0
        return self.observe(), self.info()

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.count += 1
        return self.observe(), 1.0, self.count == 6, False, self.info()

    def observe(self) -> Any:
        return np.full(2, self.count, np.float32)

    def info(self) -> dict[str, Any]:
        return {}


class ByInfo(Own):
    """Any sequence of booleans will do."""

    def __init__(self, mask: Any = ALLOWED) -> None:
        self.mask = mask

    def info(self) -> dict[str, Any]:
        return {"action_mask": self.mask}


class ByMethod(Own):
    """As sb3-contrib's MaskablePPO reads them."""

    def action_masks(self) -> list[bool]:
        return ALLOWED


class InObservation(Own):
    """As PettingZoo and RLlib observe them."""

    observation_space = spaces.Dict({"observation": BOX, "action_mask": spaces.MultiBinary(3)})

    def observe(self) -> Any:
        return {"observation": super().observe(), "action_mask": np.array(ALLOWED, np.int8)}


class BesideOthers(InObservation):
    """Observes two more things than the mask."""

    observation_space = spaces.Dict(
        {"a": BOX, "b": spaces.Discrete(9), "action_mask": spaces.MultiBinary(3)}
    )

    def observe(self) -> Any:
        mask = np.array(ALLOWED, np.int8)
        return {"a": Own.observe(self), "b": self.count, "action_mask": mask}


class OnlyInSteps(Own):
    """Forgets the mask of the first observation."""

    def info(self) -> dict[str, Any]:
        return {"action_mask": ALLOWED} if self.count else {}


class Changing(Own):
    """Allows other actions at its second step than declared."""

    def info(self) -> dict[str, Any]:
        return {"action_mask": [True] * (4 if self.count == 2 else 3)}


class Talking(Own):
    """Says in its infos what gymnasium cannot merge."""

    def __init__(self, winner: Any = None) -> None:
        self.winner = winner

    def info(self) -> dict[str, Any]:
        return {"path": np.arange(self.count), "winner": self.winner, "lives": {"a": 1}}


def host(*makers: Any, vectorization: str | None = None) -> HostEnvironment:
    """A host environment with one sub-environment of each maker."""
    left = list(makers)
    make = functools.partial(vectorized, lambda: left.pop(0)(), len(makers), vectorization)
    return HostEnvironment(make, "Own-v0", "gymnasium")


def played(env: HostEnvironment, steps: int = 8) -> list[Any]:
    """The time steps of zeros as actions."""
    state, time_step = env.reset(seed_of(0))
    rows = [time_step]
    for _ in range(steps):
        state, time_step = env.step(state, tf.zeros([env.spec.num_envs], tf.int32))
        rows.append(time_step)
    env.close()
    return rows


@pytest.mark.parametrize(
    "maker",
    [
        ByInfo,
        lambda: ByInfo(tuple(ALLOWED)),
        lambda: ByInfo(np.array(ALLOWED)),
        lambda: ByInfo(np.array(ALLOWED, np.int8)),
        lambda: ByInfo([1, 0, 1]),
        ByMethod,
        InObservation,
        BesideOthers,
    ],
)
def test_masks_are_used_wherever_they_are_given(maker: Any) -> None:
    env = host(maker, maker)
    assert env.spec.action_mask_size == 3
    rows = played(env)
    for row in rows:
        expected = [[True] * 3 if last else ALLOWED for last in row.last.numpy()]
        np.testing.assert_array_equal(row.action_mask, expected)


def test_a_mask_is_taken_out_of_the_observation() -> None:
    assert host(InObservation).spec.observation_space == BOX
    space = host(BesideOthers).spec.observation_space
    assert space == spaces.Dict({"a": BOX, "b": spaces.Discrete(9)})
    (first, second, *_) = played(host(BesideOthers))
    assert first.observation["b"].numpy().tolist() == [0]
    np.testing.assert_array_equal(second.observation["a"], [[1, 1]])


def test_masks_of_several_choices_are_one() -> None:
    env = host(lambda: ByInfo(([True, False], np.array([1, 1, 0], np.int8))))
    np.testing.assert_array_equal(
        env.reset(seed_of(0))[1].action_mask, [[True, False, True, True, False]]
    )


@pytest.mark.parametrize(
    ("maker", "message"),
    [
        (
            OnlyInSteps,
            'sub-environment 1, episode 1, step 1: has info["action_mask"], but reset had none; '
            "expected one from reset, too, or a method action_masks()",
        ),
        (
            Changing,
            "sub-environment 1, episode 1, step 2: action_mask holds 4 booleans; expected 3, as at "
            "the first reset",
        ),
        (
            lambda: ByInfo([False] * 3),
            "sub-environment 1, step 0: action_mask allows no action",
        ),
    ],
)
def test_a_mask_that_cannot_be_used_is_named(maker: Any, message: str) -> None:
    fine = ByInfo if maker is not OnlyInSteps else Own
    env = host(fine, maker)
    with pytest.raises(CommandError) as raised:
        played(env)
    assert str(raised.value) == f"environment Own-v0: {message}"


def test_infos_that_nobody_reads_are_left_alone() -> None:
    env = host(Talking, lambda: Talking(1), lambda: Talking("black"))
    assert env.spec.action_mask_size == 0
    assert len(played(env, 8)) == 9


def _in_processes(makers: list[Any]) -> Any:
    from a2c_tf.envs.host.gymnasium_vector import QuietAsyncVectorEnv

    return QuietAsyncVectorEnv(
        [functools.partial(_masked, maker) for maker in makers], context="forkserver"
    )


def _masked(maker: Any) -> Any:
    from a2c_tf.envs.host.action_masks import with_masks

    return with_masks(maker())
