"""What the template adds to a game's rules, on a game that shows each step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from support.rollouts import Variant, rollout, seed_of

from a2c_tf.envs.base import GraphEnvironment

SMALLEST, LARGEST = 2.0**-24, 1 - 2.0**-24
"""of the random numbers"""


class Clock(GraphEnvironment[tf.Tensor]):
    """Counts its steps up to a length of its own; the reward is the index of the action."""

    id = "Clock-v0"
    observation_space = gymnasium.spaces.Box(0, 99, (), np.int32)
    action_space = gymnasium.spaces.Discrete(10)

    def __init__(self, lengths: Sequence[int], *settings: Any, **named: Any) -> None:
        self.lengths = tf.constant(lengths)
        super().__init__(len(lengths), *settings, **named)

    def initial(self, noise: tf.Tensor) -> tf.Tensor:
        return tf.zeros_like(self.lengths)

    def transition(
        self, game: tf.Tensor, action: tf.Tensor, noise: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        return game + 1, tf.cast(action, tf.float32), game + 1 == self.lengths

    def observe(self, game: tf.Tensor) -> tf.Tensor:
        return game


def test_termination_truncation_and_both_give_these_arrays(variant: Variant) -> None:
    env = Clock([2, 9, 3], max_episode_steps=3)  # terminated, truncated, terminated at the limit
    actions = np.repeat(np.arange(1, 9, dtype=np.int32)[:, None], 3, axis=1)
    stream = rollout(env, actions, variant=variant)
    observations = [[0, 1, 2, 0, 1, 2, 0, 1, 2], [0, 1, 2, 3] * 2 + [0], [0, 1, 2, 3] * 2 + [0]]
    rewards = [[0, 1, 2, 0, 4, 5, 0, 7, 8], [0, 1, 2, 3, 0, 5, 6, 7, 0]]
    discounts = [[1, 1, 0] * 3, [1] * 9, [1, 1, 1, 0] * 2 + [1]]
    lasts = [[0, 0, 1] * 3, [0, 0, 0, 1] * 2 + [0], [0, 0, 0, 1] * 2 + [0]]
    np.testing.assert_array_equal(stream.observation.T, observations)
    np.testing.assert_array_equal(stream.reward.T, [rewards[0], rewards[1], rewards[1]])
    np.testing.assert_array_equal(stream.discount.T, discounts)
    np.testing.assert_array_equal(stream.last.T, lasts)


def test_no_limit_never_truncates() -> None:
    stream = rollout(Clock([99]), np.zeros([60, 1], np.int32))
    assert not stream.last.any()


def test_a_game_has_limit_and_stickiness_of_its_own_which_each_environment_may_replace() -> None:
    class Short(Clock):
        default_max_episode_steps, sticky_action_probability = 5, 0.3

    assert Clock([9]).spec.max_episode_steps is None
    assert Clock([9]).sticky_action_probability == 0
    own, others = Short([9]), Short([9], max_episode_steps=7, sticky_action_probability=0.0)
    assert (own.spec.max_episode_steps, own.sticky_action_probability) == (5, 0.3)
    assert (others.spec.max_episode_steps, others.sticky_action_probability) == (7, 0)
    assert rollout(own, np.zeros([6, 1], np.int32)).last[:, 0].tolist() == 5 * [False] + [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("sticky", "noise", "last", "executed"),
    [
        (0.1, 0.05, False, 3),  # repeats
        (0.1, 0.0999, False, 3),
        (0.1, 0.11, False, 7),  # obeys
        (0.1, 0.11, True, 3),  # a reset executes nothing, so the memory stays
        (0.1, 0.05, True, 3),
        (0.0, SMALLEST, False, 7),
        (1.0, LARGEST, False, 3),
    ],
)
def test_a_sticky_step_repeats_below_its_probability(
    sticky: float, noise: float, last: bool, executed: int
) -> None:
    env = Clock([9], sticky_action_probability=sticky)
    state, _ = env.reset(seed_of(0))
    state = state._replace(last_action=tf.constant([3]), last=tf.constant([last]))
    assert env._stick(state, tf.constant([7]), tf.constant([[noise]])).numpy() == [executed]
