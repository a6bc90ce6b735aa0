"""Acting: a scripted environment and policy give the exact trajectory."""

from __future__ import annotations

import functools
from typing import NamedTuple

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from support.acting import actor_step_of
from support.puzzles import Identity, Masked

from a2c_tf import prng
from a2c_tf.acceleration.compilation import uncompiled, xla
from a2c_tf.acceleration.looped_unroll import looped_unroll
from a2c_tf.agent import make_agent, make_seeds
from a2c_tf.config import Config, NetworkConfig
from a2c_tf.distributions import Categorical
from a2c_tf.envs.classic_control.cartpole import CartPole
from a2c_tf.types import Compiler, CoreState, EnvSpec, StepOutput, TimeStep, UnrollState
from a2c_tf.unroll import initial_state, unroll

SEED = tf.constant([3, 0])


class Script(NamedTuple):
    """What arriving at each step of the stream brings, `[steps]` for each of two environments."""

    reward: np.ndarray
    discount: np.ndarray
    last: np.ndarray


# environment 0 terminates on arriving at step 2, environment 1 is truncated at step 3
SCRIPT = Script(
    reward=np.array([[0, 0], [1, 10], [2, 20], [0, 30], [4, 0], [5, 50]], np.float32),
    discount=np.array([[1, 1], [1, 1], [0, 1], [1, 1], [1, 1], [1, 1]], np.float32),
    last=np.array([[0, 0], [0, 0], [1, 0], [0, 1], [0, 0], [0, 0]], bool),
)


class ScriptedEnvironment:
    """Follows the script whatever is done; its observation is the number of the step."""

    spec = EnvSpec(
        id="Scripted-v0",
        backend="graph",
        num_envs=2,
        observation_space=gymnasium.spaces.Box(0, 10, (1,), np.float32),
        action_space=gymnasium.spaces.Discrete(3),
    )

    def reset(self, seed: tf.Tensor) -> tuple[tf.Tensor, TimeStep]:
        return tf.constant(0), self._arrive(tf.constant(0))

    def step(self, state: tf.Tensor, action: tf.Tensor) -> tuple[tf.Tensor, TimeStep]:
        return state + 1, self._arrive(state + 1)

    def _arrive(self, step: tf.Tensor) -> TimeStep:
        observation = tf.constant([[0.0], [100.0]]) + tf.cast(step, tf.float32)
        return TimeStep(observation, *(tf.gather(tf.constant(x), step) for x in SCRIPT))


def says(logits: tf.Tensor, core_state: CoreState = ()) -> StepOutput:
    """What a network says whose value nobody asks for."""
    return StepOutput(logits, tf.zeros([logits.shape[0]]), core_state)


def scripted_policy(observation: tf.Tensor, core_state: CoreState) -> StepOutput:
    """Surely takes the action (step number + environment number) modulo 3."""
    number = tf.cast(observation[:, 0], tf.int32) % 100 + tf.constant([0, 1])
    return says(tf.one_hot(number % 3, 3, on_value=1e4), core_state)


@pytest.fixture(params=[unroll, looped_unroll])
def scripted(request, variant):
    environment = ScriptedEnvironment()
    actor_step = actor_step_of(environment, Categorical(3))
    state = initial_state(environment, SEED, SEED)
    return variant(lambda state: request.param(actor_step, scripted_policy, state, 5)), state


def test_the_trajectory_is_exact(scripted):
    run, state = scripted
    _, trajectory, _ = run(state)
    np.testing.assert_array_equal(trajectory.observation[..., 0], np.arange(6)[:, None] + [0, 100])
    np.testing.assert_array_equal(trajectory.action, [[0, 1], [1, 2], [2, 0], [0, 1], [1, 2]])
    np.testing.assert_array_equal(trajectory.reward, SCRIPT.reward[1:])
    np.testing.assert_array_equal(trajectory.discount, SCRIPT.discount[1:])
    np.testing.assert_array_equal(trajectory.mask, 1.0 - SCRIPT.last[:-1])
    np.testing.assert_array_equal(trajectory.last, SCRIPT.last[1:])
    dtypes = [tf.float32, tf.int32, tf.float32, tf.float32, tf.float32, tf.bool]
    assert [x.dtype for x in trajectory[:6]] == dtypes
    assert (trajectory.action_mask, trajectory.core_state) == ((), ())  # neither has one


def test_the_statistics_are_those_of_the_episodes_that_ended(scripted):
    run, state = scripted
    state, _, statistics = run(state)
    # environment 0: rewards 1 + 2 in 2 steps; environment 1: 10 + 20 + 30 in 3 steps
    assert [float(x) for x in statistics] == [2.0, 63.0, 5.0]
    np.testing.assert_array_equal(state.episode_return, [9.0, 50.0])
    np.testing.assert_array_equal(state.episode_length, [2, 1])


@pytest.mark.slow
@pytest.mark.parametrize("environment", [CartPole(64), Masked(64)])
@pytest.mark.parametrize("deterministic", [False, True])
def test_a_compiled_choice_is_the_same(environment, deterministic):
    """As host environments have it, whose steps around it cannot be compiled; masks included."""
    actions = int(environment.spec.action_space.n)
    logits = tf.random.stateless_normal([64, actions], [1, 2])
    state = initial_state(environment, SEED, SEED)

    def acted(compiler: Compiler) -> tf.Tensor:
        actor_step = actor_step_of(
            environment, Categorical(actions), deterministic, compiler=compiler
        )
        return actor_step(state, says(logits))[1].action

    np.testing.assert_array_equal(acted(xla), acted(uncompiled))


def test_two_unrolls_are_one_twice_as_long():
    environment = CartPole(4)
    actor_step = actor_step_of(environment, Categorical(2))
    policy = _leaning_policy
    state = initial_state(environment, SEED, SEED)
    _, whole, _ = unroll(actor_step, policy, state, 40)
    half, first, _ = unroll(actor_step, policy, state, 20)
    _, second, _ = unroll(actor_step, policy, half, 20)
    assert whole.mask.numpy().min() == 0, "an episode must end for this to say anything"
    np.testing.assert_array_equal(whole.action, np.concatenate([first.action, second.action]))
    np.testing.assert_array_equal(whole.observation[:21], first.observation)
    np.testing.assert_array_equal(whole.observation[20:], second.observation)


@pytest.mark.slow
@pytest.mark.parametrize("make", [Masked, functools.partial(Identity, observation="dict")])
@pytest.mark.parametrize("core", ["none", "gru"])
def test_the_loop_gives_what_is_written_out(make, core):
    environment = make(4)
    network = NetworkConfig(torso="mlp", hidden=(8,), core=core, core_size=4)
    agent = make_agent(environment.spec, Config(network=network))
    actor_step = actor_step_of(environment, agent.distribution)
    state = agent.start(environment, make_seeds(0))
    written_out = unroll(actor_step, agent.policy, state, 20)
    assert written_out[1].mask.numpy().min() == 0, "an episode must end for this to say anything"
    looped = looped_unroll(actor_step, agent.policy, state, 20)
    tf.nest.map_structure(np.testing.assert_array_equal, looped, written_out)


def test_the_row_of_an_autoreset_counts_for_nothing():
    environment = CartPole(4)
    actor_step = actor_step_of(environment, Categorical(2))
    state = initial_state(environment, SEED, SEED)
    _, trajectory, statistics = unroll(actor_step, _leaning_policy, state, 60)
    masked = trajectory.mask.numpy() == 0
    assert masked.any()
    assert (trajectory.reward.numpy()[masked] == 0).all()
    # CartPole pays 1 a step: return and length of every episode agree
    assert float(statistics.return_sum) == float(statistics.length_sum) > 0


def test_greedy_advance_takes_the_mode():
    environment = ScriptedEnvironment()
    actor_step = actor_step_of(environment, Categorical(3), deterministic=True)
    state = initial_state(environment, SEED, SEED)
    _, step = actor_step(state, says(tf.constant([[0.0, 0.1, 0.0], [0.3, 0.1, 0.2]])))
    np.testing.assert_array_equal(step.action, [1, 0])


def test_sampling_uses_new_numbers_at_every_step():
    environment = ScriptedEnvironment()
    actor_step = actor_step_of(environment, Categorical(3))
    state = initial_state(environment, SEED, SEED)
    uniform = tf.zeros([2, 3])
    actions = []
    for _ in range(5):
        state, step = actor_step(state, says(uniform))
        actions.append(step.action.numpy().tolist())
    assert len({tuple(pair) for pair in actions}) > 1
    np.testing.assert_array_equal(state.seed, [3, 5])
    noise = prng.uniform([2, 3], SEED)
    assert actions[0] == Categorical(3).sample(uniform, noise).numpy().tolist()


def test_initial_state_stands_at_the_first_observation():
    state = initial_state(ScriptedEnvironment(), SEED, SEED)
    assert isinstance(state, UnrollState)
    np.testing.assert_array_equal(state.time_step.observation, [[0.0], [100.0]])
    np.testing.assert_array_equal(state.episode_return, [0.0, 0.0])
    assert state.core_state == ()


def _leaning_policy(observation: tf.Tensor, core_state: CoreState) -> StepOutput:
    """Prefers one side, so that episodes end soon."""
    return says(tf.stack([observation[:, 2], 1.0 + observation[:, 0]], axis=-1), core_state)
