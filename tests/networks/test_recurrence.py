"""Recurrent policies: what they remember, across resets, unrolls and learning."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from support.acting import actor_step_of
from support.streams import SPEC, random_ends, segments, trajectory_of

from a2c_tf.agent import Agent, make_agent, make_seeds
from a2c_tf.config import Config, NetworkConfig
from a2c_tf.envs.classic_control.cartpole import CartPole
from a2c_tf.networks import forward, make_actor_critic
from a2c_tf.types import StepOutput
from a2c_tf.unroll import unroll

CORES = pytest.mark.parametrize(
    ("core", "shared"), [("lstm", True), ("gru", True), ("lstm", False), ("gru", False)]
)
UNITS = 4


def network(core: str, shared: bool = True) -> NetworkConfig:
    return NetworkConfig(
        torso="mlp", hidden=(6,), activation="tanh", core=core, core_size=UNITS, shared=shared
    )


def cartpole_agent(core: str, shared: bool, num_envs: int) -> tuple[CartPole, Agent]:
    env = CartPole(num_envs, max_episode_steps=12)
    return env, make_agent(env.spec, Config(network=network(core, shared)))


@CORES
def test_the_state_holds_what_the_cells_remember(core, shared):
    model = make_actor_critic(SPEC, network(core, shared))
    streams, parts = (1 if shared else 2), {"lstm": 2, "gru": 1}[core]
    assert forward.initial_core_state(model, 5).shape == (5, streams * parts * UNITS)


@CORES
def test_each_episode_is_met_as_if_it_were_alone(core, shared):
    """From a zero state, or from that of the unroll, through its last observation's value."""
    model = make_actor_critic(SPEC, network(core, shared))
    rng = np.random.default_rng(2)
    size = forward.initial_core_state(model, 1).shape[-1]
    ends = random_ends(rng, 9, 5)
    trajectory = trajectory_of(rng, ends, np.zeros((9, 5), int), size, tf.float32)
    output = forward.apply_to_trajectory(model, trajectory)
    value = np.concatenate([output.value, output.bootstrap_value[None]])
    checked = 0
    for b in range(5):
        for segment in segments(ends.last[:, b]):
            state = trajectory.core_state[b : b + 1]
            state = state if segment.start == 0 else tf.zeros_like(state)
            for t in [*segment, segment.stop]:
                step = forward.apply_policy(model, trajectory.observation[t, b : b + 1], state)
                state, checked = step.core_state, checked + 1
                np.testing.assert_allclose(value[t, b], step.value[0], rtol=1e-5, atol=1e-6)
                if t < 9:
                    parameters = output.parameters[t, b]
                    np.testing.assert_allclose(parameters, step.parameters[0], 1e-5, 1e-6)
    assert checked > 30


@pytest.mark.slow
@CORES
def test_learning_sees_what_acting_saw(core, shared):
    """The same weights over the same observations: parameters and final state are the same."""
    env, agent = cartpole_agent(core, shared, 6)
    state = agent.start(env, make_seeds(1))
    actor_step = actor_step_of(env, agent.distribution)
    acted = []

    def policy(observation: tf.Tensor, core_state: tf.Tensor) -> StepOutput:
        acted.append(agent.policy(observation, core_state))
        return acted[-1]

    for _ in range(4):  # later unrolls begin in the middle of episodes
        acted.clear()
        state, trajectory, _ = unroll(actor_step, policy, state, 7)
        learnt = forward.apply_to_trajectory(agent.model, trajectory)
        for name in ("parameters", "value"):
            expected = np.stack([getattr(step, name) for step in acted])
            np.testing.assert_allclose(getattr(learnt, name), expected, rtol=1e-5, atol=1e-6)
    assert not trajectory.mask.numpy().all(), "an episode must have ended"


def test_the_state_is_zero_after_the_row_of_a_reset_and_only_there():
    env, agent = cartpole_agent("lstm", True, 6)
    actor_step = actor_step_of(env, agent.distribution)
    state = agent.start(env, make_seeds(3))
    assert not state.core_state.numpy().any()
    resets = 0
    for _ in range(40):
        last = state.time_step.last.numpy()
        state, _ = actor_step(state, agent.policy(state.time_step.observation, state.core_state))
        remembers = state.core_state.numpy().any(axis=1)
        np.testing.assert_array_equal(remembers, ~last)
        resets += last.sum()
    assert resets > 10


@pytest.mark.slow
@CORES
def test_two_unrolls_are_one_twice_as_long(core, shared):
    env, agent = cartpole_agent(core, shared, 4)
    actor_step = actor_step_of(env, agent.distribution)
    state = agent.start(env, make_seeds(5))
    whole_state, whole, _ = unroll(actor_step, agent.policy, state, 30)
    half_state, first, _ = unroll(actor_step, agent.policy, state, 15)
    last_state, second, _ = unroll(actor_step, agent.policy, half_state, 15)
    np.testing.assert_array_equal(whole.action, np.concatenate([first.action, second.action]))
    np.testing.assert_array_equal(whole_state.core_state, last_state.core_state)
    np.testing.assert_array_equal(second.core_state, half_state.core_state)


def test_gradients_reach_back_to_the_first_step_and_not_across_a_reset():
    model = make_actor_critic(SPEC, network("lstm"))
    rng = np.random.default_rng(4)
    ends = random_ends(rng, 6, 2)
    for flags in ends:
        flags[:] = False
    ends.terminated[3, 1] = True  # environment 1 starts anew at row 4
    trajectory = trajectory_of(rng, ends, np.zeros((6, 2), int), 2 * UNITS, tf.float32)
    watched = [trajectory.observation, trajectory.core_state]
    with tf.GradientTape() as tape:
        tape.watch(watched)
        value = tf.reduce_sum(forward.apply_to_trajectory(model, trajectory).value[5])
    of_observation, of_state = tape.gradient(value, watched)
    reached = np.abs(tf.convert_to_tensor(of_observation)).sum(axis=-1) > 0  # [T+1, B]
    np.testing.assert_array_equal(reached[:, 0], [1, 1, 1, 1, 1, 1, 0])
    np.testing.assert_array_equal(reached[:, 1], [0, 0, 0, 0, 1, 1, 0])
    np.testing.assert_array_equal(np.abs(of_state).sum(axis=-1) > 0, [True, False])
