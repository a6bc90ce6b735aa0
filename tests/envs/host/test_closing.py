"""Environments on the host are closed once, by whoever made them, with all their processes."""

from __future__ import annotations

import logging
import os
from typing import Any

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from support.rollouts import seed_of
from support.scripted import Episode, scripted_vector

from a2c_tf.agent import load_agent, make_agent
from a2c_tf.config import Config, EnvConfig
from a2c_tf.envs import registry
from a2c_tf.envs.catch import Catch
from a2c_tf.envs.host.adapter import HostEnvironment
from a2c_tf.envs.host.envpool import EnvPoolVectorEnv
from a2c_tf.envs.host.gymnasium_vector import QuietAsyncVectorEnv
from a2c_tf.errors import CommandError
from a2c_tf.runs import checkpoints
from a2c_tf.runs.checkpoint_files import Checkpoint
from a2c_tf.types import Counters

FOREVER = [[Episode(99, False, True)]] * 2


class Dying(gymnasium.Env):
    """Ends its process in the second step."""

    observation_space = gymnasium.spaces.Box(0, 1, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)
    steps = 0

    def reset(
        self, *, seed: int | None = None, options: Any = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        return np.zeros(1, np.float32), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        if self.steps == 2:
            os._exit(3)
        return np.zeros(1, np.float32), 0.0, False, False, {}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[HostEnvironment]:
    """Every host environment that is made from now on."""
    made: list[HostEnvironment] = []
    start = HostEnvironment.__init__

    def noted(self: HostEnvironment, *arguments: Any, **settings: Any) -> None:
        made.append(self)
        start(self, *arguments, **settings)

    monkeypatch.setattr(HostEnvironment, "__init__", noted)
    return made


def test_the_vector_environment_is_closed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[VectorEnv] = []
    monkeypatch.setattr(SyncVectorEnv, "close", lambda self: calls.append(self))
    env = HostEnvironment(lambda: scripted_vector(FOREVER), "Scripted-v0", "gymnasium")
    assert not calls
    env.close()
    env.close()
    assert len(calls) == 1


def test_one_that_cannot_be_adapted_is_closed() -> None:
    vector_env = scripted_vector(FOREVER, autoreset_mode=AutoresetMode.DISABLED)
    with pytest.raises(ValueError, match="NEXT_STEP"):
        HostEnvironment(lambda: vector_env, "Scripted-v0", "gymnasium")
    assert all(env.closed for env in vector_env.envs)


def test_a_close_that_raises_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(self: VectorEnv) -> None:
        raise OSError("the door is locked")

    monkeypatch.setattr(SyncVectorEnv, "close", refuse)
    with caplog.at_level(logging.WARNING):
        HostEnvironment(lambda: scripted_vector(FOREVER), "Scripted-v0", "gymnasium").close()
    assert caplog.messages == [
        "environment Scripted-v0: close() raised OSError: the door is locked"
    ]


@pytest.mark.process
def test_workers_end_with_their_environment() -> None:
    config = EnvConfig(id="CartPole-v1", num_envs=2, backend="gymnasium", vectorization="async")
    env = registry.make(config)
    workers = env._vector_env.processes
    assert all(worker.is_alive() for worker in workers)
    env.close()
    assert [worker.exitcode for worker in workers] == [0, 0]  # asked to end, not killed
    env.close()


@pytest.mark.process
def test_the_workers_beside_a_lost_one_end_too() -> None:
    vector_env = QuietAsyncVectorEnv([Dying, Dying], context="forkserver")
    env = HostEnvironment(lambda: vector_env, "Dying-v0", "gymnasium", may_mask=False)
    state, _ = env.reset(seed_of(0))
    state, _ = env.step(state, tf.constant([0, 0]))
    with pytest.raises(CommandError, match="a process of its sub-environments has ended"):
        env.step(state, tf.constant([0, 0]))
    env.close()
    assert not any(worker.is_alive() for worker in vector_env.processes)


def test_a_pool_is_closed_when_another_takes_its_place() -> None:
    vector_env = EnvPoolVectorEnv(EnvConfig(id="CartPole-v1", num_envs=2), {})
    first = vector_env._pool
    vector_env.reset(seed=1)
    assert first.closed and not vector_env._pool.closed
    vector_env.close()
    assert vector_env._pool.closed


@pytest.mark.parametrize(
    ("env_id", "backend"),
    [
        ("CartPole-v1", "gymnasium"),
        ("ALE/Pong-v5", "ale"),
        ("ALE/Pong-v5", "gymnasium"),
        ("CartPole-v1", "envpool"),
    ],
)
def test_a_spec_is_read_from_one_environment_that_is_closed(
    env_id: str, backend: str, made: list[HostEnvironment]
) -> None:
    config = EnvConfig(id=env_id, backend=backend, num_envs=5)
    spec = registry.make_spec(config)
    (one,) = made
    assert one.spec.num_envs == 1 and one.closed
    env = registry.make(config)
    assert spec == env.spec and spec.num_envs == 5
    env.close()
    assert made[-1].closed


def test_the_spec_of_the_graph_is_read_without_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Catch, "initial", None)
    spec = registry.make_spec(EnvConfig(id="Catch-v0", num_envs=7, max_episode_steps=3))
    assert (spec.num_envs, spec.max_episode_steps, spec.id) == (7, 3, "Catch-v0")


def test_an_agent_is_loaded_with_one_environment(made: list[HostEnvironment]) -> None:
    config = Config.model_validate(
        {
            "env": {"id": "CartPole-v1", "backend": "gymnasium", "num_envs": 4},
            "network": {"torso": "mlp", "hidden": [4]},
        }
    )
    trained = make_agent(registry.make_spec(config.env), config)
    weights = checkpoints.named(trained.model.weights)
    made.clear()
    agent = load_agent(config, Checkpoint(Counters(), weights, {}, {}, None))
    (one,) = made
    assert one.closed and one.spec.num_envs == 1
    assert agent.spec.num_envs == 4
    for weight, expected in zip(agent.model.weights, trained.model.weights, strict=True):
        np.testing.assert_array_equal(weight, expected)


@pytest.mark.parametrize(
    ("env_id", "backend", "drawing"),
    [
        ("CartPole-v1", "gymnasium", "gymnasium"),
        ("CartPole-v1", "envpool", "gymnasium"),
        ("Catcher-v0", "gymnasium", "gymnasium"),
    ],
)
def test_one_that_is_replaced_to_be_drawn_is_closed(
    env_id: str,
    backend: str,
    drawing: str,
    made: list[HostEnvironment],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = gymnasium.envs.registration.EnvSpec("Catcher-v0", entry_point=Dying)
    monkeypatch.setitem(gymnasium.registry, "Catcher-v0", spec)
    drawable = registry.make_drawable(EnvConfig(id=env_id, backend=backend, num_envs=1))
    assert drawable.spec.backend == drawing
    assert [env for env in made if not env.closed] == [drawable]
    drawable.close()
