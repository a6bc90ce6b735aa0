"""What holds for every environment; its test inherits this and says how to make it.

class TestCatch(GraphEnvironmentContract):
    def make(self, num_envs, **settings):
        return Catch(num_envs, **settings)

    def is_first(self, observation):
        return observation[0].any()
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from a2c_tf.envs.base import Environment, GraphEnvironment
from a2c_tf.types import TimeStep
from support.rollouts import (
    Variant,
    assert_in_spec,
    assert_same,
    assert_shapes,
    eager,
    graph,
    random_actions,
    rollout,
    seed_of,
    xla,
)


class EnvironmentContract:
    """NEXT_STEP autoreset, shapes and dtypes, seeds, truncation against termination."""

    num_envs: int = 8
    """of a batch."""
    tolerance: float = 0.0
    """by how much observations may differ between eager, `tf.function` and XLA."""
    steps: int = 40
    """long enough for a random policy to end an episode."""
    limit: int = 5
    """too short for an episode to terminate."""
    starts_vary: bool = True
    """whether an episode can start in more than one way."""
    quickest: Variant = staticmethod(eager)
    """how environments are stepped where it does not matter."""

    def make(self, num_envs: int, **settings: Any) -> Environment:
        raise NotImplementedError

    def is_first(self, observation: np.ndarray) -> bool:
        """Whether an episode can start with `observation` `[*obs]`."""
        raise NotImplementedError

    def test_spec_says_what_was_made(self) -> None:
        spec = self.make(3, max_episode_steps=self.limit).spec
        assert (spec.num_envs, spec.max_episode_steps) == (3, self.limit)
        assert len(spec.action_meanings) in (0, getattr(spec.action_space, "n", 0))

    def test_reset_starts_an_episode_in_every_environment(self) -> None:
        env = self.make(self.num_envs)
        _, time_step = env.reset(seed_of(0))
        assert_in_spec(time_step, env.spec)
        assert np.all(time_step.reward == 0)
        assert np.all(time_step.discount == 1)
        assert not np.any(time_step.last)
        assert all(self.is_first(observation) for observation in time_step.observation.numpy())

    def test_steps_stay_in_the_spec(self) -> None:
        env = self.make(self.num_envs)
        step, (state, _) = self.quickest(env.step), env.reset(seed_of(0))
        for action in random_actions(env.spec, self.steps):
            state, time_step = step(state, tf.constant(action))
            assert_in_spec(time_step, env.spec)

    def test_shapes_are_known_when_traced(self) -> None:
        env = self.make(self.num_envs)
        action = tf.constant(random_actions(env.spec, 1)[0])

        @tf.function
        def traced() -> None:
            state, time_step = env.reset(seed_of(0))
            assert_shapes(time_step, env.spec)
            state, time_step = env.step(state, action)
            assert_shapes(time_step, env.spec)

        traced()

    def test_discount_is_0_only_where_an_episode_ends(self) -> None:
        stream = self._stream()
        assert set(np.unique(stream.discount)) <= {0.0, 1.0}
        assert np.all(stream.last[stream.discount == 0])

    def test_the_step_after_the_last_starts_an_episode(self) -> None:
        stream = self._stream()
        resetting = stream.last[:-1]  # the step after row t resets
        assert resetting.any()
        assert np.all(stream.reward[1:][resetting] == 0)
        assert np.all(stream.discount[1:][resetting] == 1)
        assert not np.any(stream.last[1:][resetting])
        assert all(self.is_first(observation) for observation in stream.observation[1:][resetting])

    def test_the_step_after_the_last_ignores_the_action(self) -> None:
        env = self.make(self.num_envs)
        actions = random_actions(env.spec, self.steps)
        stream = self._rollout(env, actions)
        resetting = stream.last[:-1]
        others = random_actions(env.spec, self.steps, seed=1)
        assert np.any(others[resetting] != actions[resetting])
        actions[resetting] = others[resetting]
        assert_same(self._rollout(self.make(self.num_envs), actions), stream)

    def test_a_seed_names_a_stream(self) -> None:
        env = self.make(self.num_envs)
        actions = random_actions(env.spec, self.steps)
        first = self._rollout(env, actions, seed=1)
        assert_same(self._rollout(env, actions, seed=1), first)
        another = self._rollout(env, actions, seed=2)
        assert np.any(another.observation != first.observation)

    def test_a_graph_gives_the_same_stream(self) -> None:
        actions = random_actions(self.make(self.num_envs).spec, self.steps)
        stream = rollout(self.make(self.num_envs), actions, variant=tf.function)
        assert_same(stream, self._stream(), self.tolerance)

    def test_environments_of_a_batch_start_differently(self) -> None:
        stream = self._stream()
        starts = [stream.observation[0], stream.observation[1:][stream.last[:-1]]]
        for observations in starts:
            distinct = {observation.tobytes() for observation in observations}
            assert (len(distinct) > 1) == self.starts_vary

    def test_truncation_is_last_with_discount_1(self) -> None:
        env = self.make(self.num_envs, max_episode_steps=self.limit)
        stream = self._rollout(env, random_actions(env.spec, self.steps))
        # a reset costs a step, so that every self.limit + 1 steps an episode is cut
        expected = np.arange(self.steps + 1) % (self.limit + 1) == self.limit
        np.testing.assert_array_equal(stream.last, np.tile(expected[:, None], self.num_envs))
        assert np.all(stream.discount == 1)

    def test_termination_at_the_limit_has_discount_0(self) -> None:
        terminated = self._stream().discount == 0
        first = int(terminated.any(axis=1).argmax())  # the first row in which one terminates
        assert first > self.limit
        env = self.make(self.num_envs, max_episode_steps=first)
        stream = rollout(env, random_actions(env.spec, self.steps)[:first])
        np.testing.assert_array_equal(stream.discount[first] == 0, terminated[first])
        assert not stream.last[:first].any()
        assert stream.last[first].all()

    def _stream(self) -> TimeStep:
        return eager_stream(type(self))

    def _rollout(self, env: Environment, actions: np.ndarray, seed: int = 0) -> TimeStep:
        return rollout(env, actions, seed, self.quickest)


@functools.cache
def eager_stream(contract: type[EnvironmentContract]) -> TimeStep:
    """What random actions give."""
    env = contract().make(contract.num_envs)
    stream = rollout(env, random_actions(env.spec, contract.steps))
    for leaf in tf.nest.flatten(stream):
        leaf.flags.writeable = False
    return stream


class GraphEnvironmentContract(EnvironmentContract):
    """Beyond that: XLA, purity, environments that do not touch each other, sticky actions."""

    quickest = staticmethod(graph)

    def make(self, num_envs: int, **settings: Any) -> GraphEnvironment:
        raise NotImplementedError

    @pytest.mark.slow
    def test_xla_gives_the_same_stream(self) -> None:
        actions = random_actions(self.make(self.num_envs).spec, self.steps)
        stream = rollout(self.make(self.num_envs), actions, variant=xla)
        assert_same(stream, self._stream(), self.tolerance)

    def test_a_state_and_an_action_have_one_outcome(self) -> None:
        env = self.make(self.num_envs)
        actions = [tf.constant(action) for action in random_actions(env.spec, self.steps)]
        states, outcomes = [env.reset(seed_of(0))[0]], []
        for action in actions:
            outcomes.append(env.step(states[-1], action))
            states.append(outcomes[-1][0])
        for state, action, outcome in reversed(list(zip(states, actions, outcomes, strict=False))):
            assert_same(env.step(state, action), outcome)

    def test_the_step_after_the_last_has_one_outcome_for_all_actions(self) -> None:
        env = self.make(self.num_envs, max_episode_steps=self.limit)
        step, (state, _) = self.quickest(env.step), env.reset(seed_of(0))
        for action in random_actions(env.spec, self.limit):
            state, _ = step(state, tf.constant(action))
        assert np.all(state.last)
        a, b, *_ = random_actions(env.spec, 4)
        assert np.any(a != b)
        assert_same(step(state, tf.constant(a)), step(state, tf.constant(b)))

    def test_environments_do_not_touch_each_other(self) -> None:
        env = self.make(self.num_envs)
        actions = random_actions(env.spec, self.steps)
        stream = self._rollout(env, actions)
        actions[:, 0] = random_actions(env.spec, self.steps, seed=1)[:, 0]
        changed = self._rollout(env, actions)
        leaves = (tf.nest.flatten(time_steps) for time_steps in (changed, stream))
        for leaf, expected in zip(*leaves, strict=True):
            np.testing.assert_array_equal(leaf[:, 1:], expected[:, 1:])
        assert np.any(changed.observation[:, 0] != stream.observation[:, 0])

    def test_a_sticky_step_executes_the_action_before(self) -> None:
        env = self.make(4 * self.num_envs, sticky_action_probability=0.25)
        step, (state, time_step) = self.quickest(env.step), env.reset(seed_of(0))
        assert not np.any(state.last_action)
        repeats = []
        for action in random_actions(env.spec, self.steps):
            after, outcome = step(state, tf.constant(action))
            executed, before = after.last_action.numpy(), state.last_action.numpy()
            assert executed.shape == action.shape
            repeated = same_action(executed, before)
            assert np.all(repeated | same_action(executed, action))
            assert np.all(repeated[time_step.last])  # the memory outlives a reset
            free = ~time_step.last.numpy() & ~same_action(action, before)
            repeats.append(repeated[free])
            # where request and memory agree, stickiness changes nothing: so game and reward
            # must follow the executed action
            agreeing = state._replace(last_action=after.last_action)
            assert_same(step(agreeing, after.last_action), (after, outcome))
            state, time_step = after, outcome
        assert_frequency(np.concatenate(repeats), 0.25)


def same_action(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Which environments have one action in both, `[B]`; an action may be an array."""
    return (a == b).reshape(len(a), -1).all(axis=1)


def assert_frequency(happened: np.ndarray, probability: float) -> None:
    """Within 4 standard deviations of a binomial's mean."""
    deviation = np.sqrt(probability * (1 - probability) / happened.size)
    assert abs(happened.mean() - probability) <= 4 * deviation
