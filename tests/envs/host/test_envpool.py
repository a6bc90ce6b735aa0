"""EnvPool's environments behind our contract."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from support.contract import EnvironmentContract
from support.rollouts import random_actions, rollout, seed_of

from a2c_tf.config import EnvConfig
from a2c_tf.envs import registry
from a2c_tf.envs.base import Environment
from a2c_tf.envs.classic_control.cartpole import CartPole, CartPoleState
from a2c_tf.errors import ConfigError


def make(env_id: str, num_envs: int, **settings: Any) -> Environment:
    config = EnvConfig(id=env_id, backend="envpool", num_envs=num_envs, **settings)
    return registry.make(config)


class TestCartPoleContract(EnvironmentContract):
    # EnvPool calls what ends at its limit truncated, though it terminated too
    test_termination_at_the_limit_has_discount_0 = None

    def make(self, num_envs: int, **settings: Any) -> Environment:
        return make("CartPole-v1", num_envs, **settings)

    def is_first(self, observation: np.ndarray) -> bool:
        return bool(np.all(np.abs(observation) <= 0.05))


@pytest.mark.parametrize("backend", ["envpool", "gymnasium"])
def test_cartpole_is_that_of_the_graph(backend: str) -> None:
    """From the same start and by the same actions, the same steps, to float32's rounding."""
    host = registry.make(EnvConfig(id="CartPole-v1", backend=backend, num_envs=1))
    actions = random_actions(host.spec, 30)
    stream = rollout(host, actions)
    end = int(np.flatnonzero(stream.last[:, 0])[0])
    graph = CartPole(1)
    assert graph.spec._replace(backend=backend, action_meanings=()) == host.spec
    state, _ = graph.reset(seed_of(0))
    state = state._replace(game=CartPoleState(*stream.observation[0].T))
    for t in range(end):
        state, step = graph.step(state, tf.constant(actions[t]))
        np.testing.assert_allclose(step.observation, stream.observation[t + 1], atol=1e-6)
        assert (step.reward, step.last) == (stream.reward[t + 1], stream.last[t + 1])
        assert step.discount == stream.discount[t + 1]


def test_what_ends_exactly_at_its_limit_is_truncated_here_and_terminated_elsewhere() -> None:
    """A known difference: EnvPool does not tell that it terminated, too."""
    free = rollout(make("CartPole-v1", 1), np.zeros((30, 1), np.int32))
    limit = int(np.flatnonzero(free.last[:, 0])[0])
    assert free.discount[limit, 0] == 0
    cut = rollout(make("CartPole-v1", 1, max_episode_steps=limit), np.zeros((30, 1), np.int32))
    assert int(np.flatnonzero(cut.last[:, 0])[0]) == limit
    assert cut.discount[limit, 0] == 1


def test_an_atari_game_is_not_taken_with_a_recipe_of_its_own() -> None:
    with pytest.raises(ConfigError, match=r"Pong-v5: an Atari game; name it ALE/Pong-v5"):
        registry.make(EnvConfig(id="Pong-v5", num_envs=1))


def test_what_cannot_draw_itself_is_drawn_by_gymnasium() -> None:
    env = registry.make_drawable(EnvConfig(id="FrozenLake-v1", backend="envpool", num_envs=1))
    assert env.spec.backend == "gymnasium" and env.renders


def test_a_pool_takes_its_seed_from_each_reset() -> None:
    env = make("LunarLander-v3", 2)
    actions = random_actions(env.spec, 10)
    first = rollout(env, actions, seed=1)
    np.testing.assert_array_equal(rollout(env, actions, seed=1).observation, first.observation)
    assert (rollout(env, actions, seed=2).observation != first.observation).any()


def test_continuous_actions_arrive() -> None:
    env = make("Pendulum-v1", 2)
    pushed, pulled = (
        rollout(env, np.full((1, 2, 1), torque, np.float32)).observation for torque in (2.0, -2.0)
    )
    np.testing.assert_array_equal(pushed[0], pulled[0])
    difference = 2 * 3 * 2.0 * 0.05  # of angular velocity: 3·u/(m·l²)·dt for u of either sign
    np.testing.assert_allclose(pushed[1, :, 2] - pulled[1, :, 2], difference, rtol=1e-5)
