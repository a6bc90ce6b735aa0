"""Sub-environments stand still after the episodes that they are asked for."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from gymnasium.vector import SyncVectorEnv
from support.rollouts import seed_of
from support.scripted import Episode, Scripted

from a2c_tf.envs.host.adapter import HostEnvironment
from a2c_tf.envs.host.episode_quota import QUOTA, EpisodeQuota

LENGTHS = (2, 3)


def scripted() -> list[Scripted]:
    return [Scripted([Episode(length, True, False)]) for length in LENGTHS]


@pytest.mark.parametrize("quotas", [[1, 2], [0, 1], [2, 0], None])
def test_no_episode_beyond_the_quota_is_played(quotas: list[int] | None) -> None:
    games = scripted()
    makers = [lambda i=i: EpisodeQuota(games[i], i) for i in range(2)]
    env = HostEnvironment(lambda: SyncVectorEnv(makers), "Scripted-v0", "gymnasium")
    env.limit_episodes(quotas)
    state, _ = env.reset(seed_of(0))
    ended = np.zeros(2, int)
    for _ in range(12):
        state, time_step = env.step(state, tf.constant([1, 1]))
        ended += time_step.last.numpy()
    # the first reset is the one that looks for masks; 12 steps are 4 and 3 episodes with resets
    expected = [4, 3] if quotas is None else quotas
    assert ended.tolist() == expected
    if quotas is not None:
        assert [game.resets - 1 for game in games] == expected
    env.limit_episodes(None)
    state, time_step = env.reset(seed_of(0))
    assert time_step.observation.numpy()[:, 1].tolist() == [0, 0]
    _, time_step = env.step(state, tf.constant([1, 1]))
    assert time_step.observation.numpy()[:, 1].tolist() == [1, 1]


def test_one_that_stands_still_repeats_its_end_without_reward() -> None:
    env = EpisodeQuota(scripted()[0], 0)
    env.reset(options={QUOTA: [1]})
    env.step(3)
    last = env.step(3)
    assert last[1:3] == (3.0, True)
    for _ in range(3):
        observation, info = env.reset()
        assert info == {}
        np.testing.assert_array_equal(observation, last[0])
        observation, *others = env.step(3)
        np.testing.assert_array_equal(observation, last[0])
        assert others == [0.0, False, False, {}]
