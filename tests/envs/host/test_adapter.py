"""gymnasium's vector environments behind our contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import strategies as st
from support.contract import EnvironmentContract
from support.rollouts import assert_in_spec, rollout, seed_of, unrolled
from support.scripted import Episode, scripted_vector

from a2c_tf.config import EnvConfig
from a2c_tf.envs import registry
from a2c_tf.envs.base import Environment
from a2c_tf.envs.host import arrays
from a2c_tf.envs.host.adapter import HostEnvironment
from a2c_tf.errors import ConfigError
from a2c_tf.types import TimeStep

TERMINATED, TRUNCATED, BOTH = (True, False), (False, True), (True, True)
FOREVER = Episode(99, *TRUNCATED)
ENDLESS = [[FOREVER], [FOREVER]]


def make_gymnasium(env_id: str, num_envs: int, **settings: Any) -> Environment:
    config = EnvConfig(id=env_id, backend="gymnasium", num_envs=num_envs, **settings)
    return registry.make(config)


class TestVectorEntryPointContract(EnvironmentContract):
    def make(self, num_envs: int, **settings: Any) -> Environment:
        return make_gymnasium("CartPole-v1", num_envs, **settings)

    def is_first(self, observation: np.ndarray) -> bool:
        return bool(np.all(np.abs(observation) <= 0.05))


class TestSyncVectorContract(EnvironmentContract):
    """Acrobot has no vector entry point of its own."""

    # a random policy swings it up too rarely to wait for
    test_termination_at_the_limit_has_discount_0 = None

    def make(self, num_envs: int, max_episode_steps: int = 15) -> Environment:
        return make_gymnasium("Acrobot-v1", num_envs, max_episode_steps=max_episode_steps)

    def is_first(self, observation: np.ndarray) -> bool:
        cos_1, sin_1, cos_2, sin_2, *velocities = observation
        coordinates = [np.arctan2(sin_1, cos_1), np.arctan2(sin_2, cos_2), *velocities]
        return bool(np.all(np.abs(coordinates) <= 0.1 + 1e-6))  # the angles were rounded


@pytest.mark.process
class TestAsyncVectorContract(EnvironmentContract):
    """CartPole by processes of its own and shared memory."""

    def make(self, num_envs: int, **settings: Any) -> Environment:
        return make_gymnasium("CartPole-v1", num_envs, vectorization="async", **settings)

    def is_first(self, observation: np.ndarray) -> bool:
        return bool(np.all(np.abs(observation) <= 0.05))


def adapted(vector_env: SyncVectorEnv) -> HostEnvironment:
    """Scripted environments whose scripts and counts of resets begin here.

    Making it resets them once, since nothing but a reset shows whether there are action masks.
    """
    env = HostEnvironment(lambda: vector_env, "Scripted-v0", "gymnasium")
    for sub_env in vector_env.envs:
        assert sub_env.resets == 1
        sub_env.resets = 0
    return env


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(rollout, id="eager"),
        pytest.param(lambda env, actions: rollout(env, actions, variant=tf.function), id="graph"),
        pytest.param(unrolled, id="unrolled"),
    ],
)
def test_a_script_gives_these_arrays(run: Callable[..., TimeStep]) -> None:
    scripts = [
        [Episode(2, *TERMINATED), Episode(3, *TRUNCATED), FOREVER],
        [Episode(1, *BOTH), Episode(4, *TERMINATED), FOREVER],
    ]
    vector_env = scripted_vector(scripts)
    actions = np.array([[1, 1], [2, 2], [3, 3], [4, 4], [5, 5], [6, 6], [7, 7]], np.int32)
    stream = run(adapted(vector_env), actions)
    episodes = [[1, 1], [1, 1], [1, 2], [2, 2], [2, 2], [2, 2], [2, 2], [3, 3]]
    steps = [[0, 0], [1, 1], [2, 0], [0, 1], [1, 2], [2, 3], [3, 4], [0, 0]]
    rewards = [[0, 0], [1, 1], [2, 0], [0, 3], [4, 4], [5, 5], [6, 6], [0, 0]]
    discounts = [[1, 1], [1, 0], [0, 1], [1, 1], [1, 1], [1, 1], [1, 0], [1, 1]]
    lasts = [[0, 0], [0, 1], [1, 0], [0, 0], [0, 0], [0, 0], [1, 1], [0, 0]]
    np.testing.assert_array_equal(stream.observation[..., 0], episodes)
    np.testing.assert_array_equal(stream.observation[..., 1], steps)
    np.testing.assert_array_equal(stream.reward, rewards)
    np.testing.assert_array_equal(stream.discount, discounts)
    np.testing.assert_array_equal(stream.last, lasts)
    assert [env.resets for env in vector_env.envs] == [3, 3]


def play(script: Sequence[Episode], actions: Sequence[int]) -> list[tuple[Any, ...]]:
    """What one scripted environment gives, worked out step by step."""
    rows: list[tuple[Any, ...]] = [((1, 0), 0, 1, False)]
    episode, step, last = 1, 0, False
    for action in actions:
        if last:
            episode, step, last = episode + 1, 0, False
            rows.append(((episode, 0), 0, 1, False))
            continue
        step += 1
        length, terminated, _ = script[episode - 1]
        last = step == length
        rows.append(((episode, step), action, 0 if last and terminated else 1, last))
    return rows


EPISODES = st.builds(
    lambda length, ending: Episode(length, *ending),
    st.integers(1, 4),
    st.sampled_from([TERMINATED, TRUNCATED, BOTH]),
)
SCRIPTS = st.lists(st.lists(EPISODES, min_size=6, max_size=6), min_size=1, max_size=3)


@hypothesis.given(SCRIPTS, st.randoms(use_true_random=False))
@hypothesis.settings(derandomize=True, deadline=None, max_examples=50)
def test_no_reset_is_lost_or_doubled(scripts: list[list[Episode]], random: Any) -> None:
    vector_env = scripted_vector(scripts)
    env = adapted(vector_env)
    actions = np.array([[random.randrange(10) for _ in scripts] for _ in range(12)], np.int32)
    stream = rollout(env, actions)
    for i, script in enumerate(scripts):
        rows = play(script, actions[:, i].tolist())
        assert stream.action_mask == ()
        for leaf, expected in zip(stream[:4], zip(*rows, strict=True), strict=True):
            np.testing.assert_array_equal(leaf[:, i], expected)
    resets = [sub_env.resets for sub_env in vector_env.envs]
    np.testing.assert_array_equal(resets, 1 + stream.last[:-1].sum(axis=0))


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.DISABLED])
def test_another_autoreset_mode_is_refused_by_name(mode: AutoresetMode) -> None:
    vector_env = scripted_vector(ENDLESS, autoreset_mode=mode)
    with pytest.raises(ValueError, match=rf"Scripted-v0 declares.*{mode.name}.*NEXT_STEP"):
        HostEnvironment(lambda: vector_env, "Scripted-v0", "gymnasium")


def test_no_declared_autoreset_mode_is_refused() -> None:
    vector_env = scripted_vector(ENDLESS)
    del vector_env.metadata["autoreset_mode"]
    with pytest.raises(ValueError, match="Scripted-v0 declares autoreset mode None"):
        HostEnvironment(lambda: vector_env, "Scripted-v0", "gymnasium")


def test_an_observation_that_no_network_takes_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"Tuple\(.*is not supported.*FlattenObservation"):
        make_gymnasium("Blackjack-v1", 2)


def aligned_zeros(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Memory that TensorFlow takes over as it is: it copies arrays that are not so aligned."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(dtype).reshape(shape)


def test_observations_are_copied() -> None:
    vector_env = scripted_vector(ENDLESS, copy=False)
    vector_env._observations = aligned_zeros((2, 2), np.int16)
    env = HostEnvironment(lambda: vector_env, "Scripted-v0", "gymnasium")
    stream = rollout(env, np.zeros([5, 2], np.int32), variant=tf.function)
    np.testing.assert_array_equal(stream.observation[:, 0, 1], np.arange(6))


@pytest.mark.parametrize("dtype", [np.uint8, np.bool_, np.float32, np.int64])
@pytest.mark.parametrize("shape", [(), (3,), (2, 4, 84, 84)])
def test_the_copy_is_where_tensorflow_takes_it_as_it_is(dtype: Any, shape: Any) -> None:
    array = np.asarray(np.arange(np.prod(shape, dtype=int)).reshape(shape), dtype)
    copies = [arrays.aligned_copy(array, dtype) for _ in range(8)]
    for copy in copies:
        np.testing.assert_array_equal(copy, array, strict=True)
        assert copy.ctypes.data % 64 == 0 and not np.shares_memory(copy, array)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16, np.float64])
def test_the_observations_dtype_is_kept(dtype: Any) -> None:
    env = HostEnvironment(lambda: scripted_vector(ENDLESS, dtype), "Scripted-v0", "gymnasium")
    state, time_step = env.reset(seed_of(0))
    assert_in_spec(time_step, env.spec)
    _, time_step = env.step(state, tf.constant([0, 0]))
    assert_in_spec(time_step, env.spec)


def test_a_discrete_observation_has_no_axes_of_its_own() -> None:
    env = make_gymnasium("FrozenLake-v1", 3)
    state, time_step = env.reset(seed_of(0))
    assert_in_spec(time_step, env.spec)
    _, time_step = env.step(state, tf.constant([0, 0, 0]))
    assert_in_spec(time_step, env.spec)


def test_actions_may_be_vectors() -> None:
    env = make_gymnasium("Pendulum-v1", 2)
    state, _ = env.reset(seed_of(0))
    _, still = env.step(state, tf.zeros([2, 1]))
    state, _ = env.reset(seed_of(0))
    _, pushed = env.step(state, tf.constant([[2.0], [0.0]]))
    assert pushed.observation.numpy()[0, 2] != still.observation.numpy()[0, 2]
    np.testing.assert_array_equal(pushed.observation[1], still.observation[1])


def test_the_spec_is_that_of_one_environment() -> None:
    spec = make_gymnasium("Acrobot-v1", 2).spec
    reference = gymnasium.make("Acrobot-v1")
    assert spec.observation_space == reference.observation_space
    assert spec.action_space == reference.action_space
    assert spec.max_episode_steps == 500
    assert (spec.id, spec.backend, spec.num_envs) == ("Acrobot-v1", "gymnasium", 2)
