"""The same episodes under gymnasium's two ways of resetting give the same losses and gradients.

Ours is NEXT_STEP: a row is spent on each reset, and masked. Under SAME_STEP there is no such row;
the observation after an episode's end is the next one's first, the true last one comes beside it,
and a truncated episode's reward takes in its value (as Stable-Baselines3 does it). The reference
here is written for SAME_STEP alone, environment by environment.
"""

from __future__ import annotations

from typing import NamedTuple

import hypothesis
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from support.streams import OBSERVATION_SIZE, random_ends, segments, trajectory_of

from a2c_tf.distributions import Categorical
from a2c_tf.losses import LossConfig, a2c_loss
from a2c_tf.networks import forward
from a2c_tf.types import Trajectory

ACTIONS = 4
SETTINGS = hypothesis.settings(deadline=None, derandomize=True, max_examples=25)
NAMES = ("loss/policy", "loss/value", "policy/entropy")


class SameStep(NamedTuple):
    """One environment's rows without those of resets; `following` and `final` `[N, ...]`."""

    observation: tf.Tensor
    action: tf.Tensor
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    following: tf.Tensor
    """the observation returned: of the next episode where this one has ended."""
    final: tf.Tensor
    """the true last observation, where the episode has ended."""


def same_step(trajectory: Trajectory, b: int) -> SameStep:
    """What a SAME_STEP environment would have returned on the same episodes."""
    mask = trajectory.mask[:, b].numpy().astype(bool)
    rows = np.flatnonzero(mask)
    observation = trajectory.observation[:, b].numpy()
    last, discount = trajectory.last[:, b].numpy(), trajectory.discount[:, b].numpy()
    # the row of the reset returned the next episode's first observation
    after = [t + 2 if last[t] and t + 2 < len(observation) else t + 1 for t in rows]
    return SameStep(
        observation=tf.constant(observation[rows]),
        action=tf.gather(trajectory.action[:, b], rows),
        reward=trajectory.reward[:, b].numpy()[rows],
        terminated=(discount == 0)[rows],
        truncated=(last & (discount == 1))[rows],
        following=tf.constant(observation[after]),
        final=tf.constant(observation[rows + 1]),
    )


def reference_sums(
    model: keras.Model, stream: SameStep, gamma: float, lambda_: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Σ of the policy, value and entropy terms of one environment."""
    output = model(stream.observation)
    value, log_probs = output["value"], tf.nn.log_softmax(output["policy"])
    v = value.numpy()
    v_following, v_final = (model(x)["value"].numpy() for x in (stream.following, stream.final))
    done = stream.terminated | stream.truncated
    reward = stream.reward + gamma * stream.truncated * v_final
    advantage, following = np.zeros_like(v), 0.0
    for t in reversed(range(len(v))):
        delta = reward[t] + gamma * (1 - done[t]) * v_following[t] - v[t]
        following = delta + gamma * lambda_ * (1 - done[t]) * following
        advantage[t] = following
    chosen = tf.gather(log_probs, stream.action, batch_dims=1)
    return (
        tf.reduce_sum(-advantage * chosen),
        tf.reduce_sum(tf.square(advantage + v - value)),
        -tf.reduce_sum(tf.exp(log_probs) * log_probs),
    )


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    x = observation = keras.Input((OBSERVATION_SIZE,), dtype="float64")
    x = keras.layers.Dense(8, "tanh", dtype="float64")(x)
    policy = keras.layers.Dense(ACTIONS, dtype="float64")(x)
    value = keras.layers.Reshape((), dtype="float64")(keras.layers.Dense(1, dtype="float64")(x))
    return keras.Model(observation, {"policy": policy, "value": value})


@SETTINGS
@hypothesis.given(
    seed=st.integers(0, 100_000),
    length=st.integers(2, 9),
    lambda_=st.sampled_from([0.0, 0.7, 1.0]),
)
def test_next_step_and_same_step_agree(model, seed, length, lambda_):
    rng = np.random.default_rng(seed)
    ends = random_ends(rng, length, 4)
    hypothesis.assume(not ends.last[:-1].all())
    trajectory = trajectory_of(rng, ends, rng.integers(0, ACTIONS, (length, 4)))
    weights = LossConfig(gamma=0.9, lambda_=lambda_, value_coef=0.5, entropy_coef=0.01)
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        output = forward.apply_to_trajectory(model, trajectory)
        loss, metrics = a2c_loss(Categorical(ACTIONS), *output, trajectory, weights)
    with tf.GradientTape() as reference_tape:
        streams = [
            same_step(trajectory, b) for b in range(4) if trajectory.mask[:, b].numpy().any()
        ]
        sums = [reference_sums(model, stream, 0.9, lambda_) for stream in streams]
        count = sum(len(stream.reward) for stream in streams)
        terms = [tf.add_n(term) / count for term in zip(*sums, strict=True)]
        reference = terms[0] + 0.5 * terms[1] - 0.01 * terms[2]
    np.testing.assert_allclose([metrics[n] for n in NAMES], terms, rtol=1e-10, atol=1e-12)
    for ours, theirs in zip(
        tape.gradient(loss, variables), reference_tape.gradient(reference, variables), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_the_streams_hold_what_matters():
    """Terminations, truncations, and resets on the first and on the last row."""
    ends = [random_ends(np.random.default_rng(seed), 6, 4) for seed in range(25)]
    for flag in (
        [e.terminated.any() and e.truncated.any() for e in ends],
        [e.last[0].any() for e in ends],
        [e.truncated[-1].any() for e in ends],
        [any(len(segments(e.last[:, b])) > 2 for b in range(4)) for e in ends],
    ):
        assert any(flag)
