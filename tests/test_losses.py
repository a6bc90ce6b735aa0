"""The A2C loss against a slow truth, episode by episode, and against PPO's form."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from a2c_tf.distributions import Categorical
from a2c_tf.losses import LossConfig, a2c_loss
from a2c_tf.types import Trajectory

T, B, ACTIONS = 8, 5, 3
WEIGHTS = LossConfig(gamma=0.95, lambda_=0.8, value_coef=0.5, entropy_coef=0.01)
SETTINGS = hypothesis.settings(deadline=None, derandomize=True, max_examples=50)


class Stream:
    """A random stream of episodes as the environment contract delivers it, and network outputs."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.last = np.zeros((T + 1, B), bool)
        self.last[0] = rng.random(B) < 0.3
        terminated = np.zeros((T + 1, B), bool)
        for t in range(1, T + 1):
            ends = (rng.random(B) < 0.35) & ~self.last[t - 1]
            self.last[t] = ends
            terminated[t] = ends & (rng.random(B) < 0.5)
        self.mask = 1.0 - self.last[:-1]
        self.reward = rng.normal(size=(T, B)) * self.mask
        self.discount = 1.0 - terminated[1:]
        self.action = rng.integers(0, ACTIONS, (T, B))
        self.logits = rng.normal(size=(T, B, ACTIONS))
        self.value = rng.normal(size=(T + 1, B))

    def loss(self, dtype: tf.DType = tf.float64, weights: LossConfig = WEIGHTS):
        return a2c_loss(*self.arguments(dtype), weights)

    def arguments(self, dtype: tf.DType = tf.float64):
        """All that the loss takes but the weights."""
        logits, value, bootstrap, reward, discount, mask = (
            tf.constant(x, dtype)
            for x in (
                self.logits,
                self.value[:-1],
                self.value[-1],
                self.reward,
                self.discount,
                self.mask,
            )
        )
        observation = tf.zeros([T + 1, B])
        action = tf.constant(self.action, tf.int32)
        last = tf.constant(self.last[1:])
        trajectory = Trajectory(observation, action, reward, discount, mask, last)
        return Categorical(ACTIONS), logits, value, bootstrap, trajectory


def episodes(last: np.ndarray) -> list[range]:
    """The rows [start, end) of one environment's stream that belong to one episode each."""
    rows, start = [], 0
    for t in range(T):
        if last[t]:
            start = t + 1
        elif last[t + 1] or t == T - 1:
            rows.append(range(start, t + 1))
            start = t + 1
    return rows


def slow_advantages(stream: Stream, weights: LossConfig) -> np.ndarray:
    """Generalised advantages, each episode's rows treated alone; 0 on masked rows."""
    advantage = np.zeros((T, B))
    for b in range(B):
        for episode in episodes(stream.last[:, b]):
            following = 0.0
            for t in reversed(episode):
                v, v_next = stream.value[t, b], stream.value[t + 1, b]
                delta = stream.reward[t, b] + weights.gamma * stream.discount[t, b] * v_next - v
                following = delta + weights.gamma * weights.lambda_ * following
                advantage[t, b] = following
    return advantage


def slow_terms(stream: Stream, weights: LossConfig) -> dict[str, float]:
    """The terms of the loss, row by row."""
    advantage = slow_advantages(stream, weights)
    policy, value, entropy, rows = 0.0, 0.0, 0.0, 0
    total, squares = 0.0, 0.0
    for t, b in np.argwhere(stream.mask):
        p = np.exp(stream.logits[t, b]) / np.exp(stream.logits[t, b]).sum()
        policy -= advantage[t, b] * np.log(p[stream.action[t, b]])
        value += advantage[t, b] ** 2
        entropy -= (p * np.log(p)).sum()
        total += stream.value[t, b]
        squares += stream.value[t, b] ** 2
        rows += 1
    rows = max(rows, 1)
    return {
        "loss/policy": policy / rows,
        "loss/value": value / rows,
        "policy/entropy": entropy / rows,
        "value/mean": total / rows,
        "value/rms": np.sqrt(squares / rows),
    }


@SETTINGS
@hypothesis.given(seed=st.integers(0, 100_000), lambda_=st.sampled_from([0.0, 0.5, 0.8, 1.0]))
def test_a_stream_of_episodes_is_each_episode_alone(seed, lambda_):
    stream, weights = Stream(seed), WEIGHTS._replace(lambda_=lambda_)
    loss, metrics = stream.loss(weights=weights)
    expected = slow_terms(stream, weights)
    for name, value in expected.items():
        np.testing.assert_allclose(metrics[name], value, rtol=1e-9, atol=1e-12)
    total = (
        expected["loss/policy"]
        + weights.value_coef * expected["loss/value"]
        - weights.entropy_coef * expected["policy/entropy"]
    )
    np.testing.assert_allclose(loss, total, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_float32_in_every_mode(seed, variant):
    stream = Stream(seed)
    arguments = stream.arguments(tf.float32)
    loss, metrics = variant(lambda *x: a2c_loss(arguments[0], *x, WEIGHTS))(*arguments[1:])
    np.testing.assert_allclose(loss, stream.loss()[0], rtol=1e-4, atol=1e-6)
    assert {name: value.dtype for name, value in metrics.items()} == dict.fromkeys(
        metrics, tf.float32
    )


def test_masked_rows_carry_no_gradient_and_no_number():
    stream = Stream(3)
    masked = stream.mask == 0
    assert masked.any()
    _, logits, value, *_ = arguments = stream.arguments()
    with tf.GradientTape() as tape:
        tape.watch([logits, value])
        loss, _ = a2c_loss(*arguments, WEIGHTS)
    for gradient in tape.gradient(loss, [logits, value]):
        assert not gradient.numpy()[masked].any()
        assert gradient.numpy()[~masked].any()
    stream.logits[masked] += 7
    stream.action[masked] = 0
    np.testing.assert_array_equal(stream.loss()[0], loss)


def test_the_value_of_a_masked_row_bootstraps_a_truncated_episode():
    """The row after the last step holds the true last observation, whose value counts."""
    stream = Stream(3)
    truncated = (stream.last[1:] == 1) & (stream.discount == 1) & (stream.mask == 1)
    t, b = np.argwhere(truncated[:-1])[0]
    before = stream.loss()[1]["loss/policy"]
    stream.value[t + 1, b] += 1
    assert abs(float(stream.loss()[1]["loss/policy"] - before)) > 1e-6


def test_the_value_after_a_terminal_step_does_not_count():
    stream = Stream(3)
    t, b = np.argwhere(stream.discount[:-1] == 0)[0]
    before = stream.loss()[0]
    stream.value[t + 1, b] += 1
    np.testing.assert_array_equal(stream.loss()[0], before)


def test_the_policy_gradient_is_softmax_minus_onehot_times_advantage():
    stream, weights = Stream(4), WEIGHTS._replace(value_coef=0.0, entropy_coef=0.0)
    _, logits, *_ = arguments = stream.arguments()
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss, _ = a2c_loss(*arguments, weights)
    onehot = np.eye(ACTIONS)[stream.action]
    softmax = tf.nn.softmax(logits).numpy()
    advantage = slow_advantages(stream, weights)
    rows = stream.mask.sum()
    expected = (softmax - onehot) * (advantage * stream.mask)[..., None] / rows
    np.testing.assert_allclose(tape.gradient(loss, logits), expected, atol=1e-12)


@pytest.mark.parametrize("name", ["loss/policy", "loss/value", "policy/entropy"])
def test_gradients_against_central_differences(name):
    stream = Stream(5)
    _, logits, value, *_ = arguments = stream.arguments()
    array, watched = (stream.value, value) if name == "loss/value" else (stream.logits, logits)
    with tf.GradientTape() as tape:
        tape.watch(watched)
        term = a2c_loss(*arguments, WEIGHTS)[1][name]
    gradient = tape.gradient(term, watched).numpy()
    advantage = slow_advantages(stream, WEIGHTS)
    targets = advantage + stream.value[:-1]
    for index in [np.unravel_index(i, gradient.shape) for i in range(0, gradient.size, 7)]:
        numeric = _derivative(array, index, lambda: _term(name, stream, advantage, targets))
        np.testing.assert_allclose(gradient[index], numeric, rtol=1e-6, atol=1e-9)


def test_ppo_of_one_epoch_and_one_batch_has_our_gradient():
    """Huang et al. (2022, arXiv:2205.09123): the ratio is 1 where the gradient is taken."""
    stream = Stream(6)
    advantage = tf.constant(slow_advantages(stream, WEIGHTS))
    _, logits, value, *_ = arguments = stream.arguments()
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([logits, value])
        ours, _ = a2c_loss(*arguments, WEIGHTS)
        ppo = _ppo_loss(stream, logits, value, advantage)
    for ours_, ppo_ in zip(
        tape.gradient(ours, [logits, value]), tape.gradient(ppo, [logits, value]), strict=True
    ):
        np.testing.assert_allclose(ours_, ppo_, rtol=1e-9, atol=1e-12)


def test_monte_carlo_is_the_sum_of_rewards_wherever_the_episode_ended():
    """Truncated or terminated, nothing is added; only where the unroll cuts it, the value is."""
    stream = Stream(7)
    weights = WEIGHTS._replace(lambda_=1.0, bootstrap_truncated=False)
    expected, rows = 0.0, 0
    for b in range(B):
        for episode in episodes(stream.last[:, b]):
            cut = not stream.last[episode[-1] + 1, b]
            following = stream.value[-1, b] if cut else 0.0
            for t in reversed(episode):
                following = stream.reward[t, b] + weights.gamma * following
                expected += (following - stream.value[t, b]) ** 2
                rows += 1
    truncated = stream.last[1:] & (stream.discount == 1)
    assert truncated.any(), "an episode must be truncated for this to say anything"
    loss = stream.loss(weights=weights)[1]["loss/value"]
    np.testing.assert_allclose(loss, expected / rows)


@pytest.mark.parametrize("bootstrap_truncated", [True, False])
def test_a_discount_of_0_cuts_the_return_though_the_episode_goes_on(bootstrap_truncated):
    """A lost life: what follows does not count, and the row after it is one like all others."""
    stream = Stream(10)
    t, b = np.argwhere((stream.mask[:-1] == 1) & ~stream.last[1:-1])[0]
    stream.discount[t, b] = 0.0
    weights = WEIGHTS._replace(lambda_=1.0, bootstrap_truncated=bootstrap_truncated)
    before = stream.loss(weights=weights)[1]["loss/value"]
    error = (stream.reward[t, b] - stream.value[t, b]) ** 2
    stream.value[t, b] = stream.reward[t, b]  # which is the whole return
    earlier = next(rows for rows in episodes(stream.last[:, b]) if t in rows)[0] < t
    assert not earlier, "an earlier row would see the value change"
    after = stream.loss(weights=weights)[1]["loss/value"]
    np.testing.assert_allclose(before - after, error / stream.mask.sum())


def test_clipped_rewards_are_their_signs():
    stream = Stream(11)
    clipped = stream.loss(weights=WEIGHTS._replace(clip_reward=True))[1]
    assert clipped["loss/value"] != stream.loss()[1]["loss/value"]
    stream.reward = np.sign(stream.reward)
    np.testing.assert_allclose(clipped["loss/value"], slow_terms(stream, WEIGHTS)["loss/value"])


def test_a_normalised_advantage_has_mean_zero_and_deviation_one():
    """With log-probabilities that are linear in the row's weight, the loss shows the advantage."""
    stream, weights = Stream(9), WEIGHTS._replace(normalize_advantage=True)
    advantage = slow_advantages(stream, weights)[stream.mask == 1]
    normalised = np.zeros((T, B))
    normalised[stream.mask == 1] = (advantage - advantage.mean()) / advantage.std()
    expected = _term("loss/policy", stream, normalised, normalised)
    actual = stream.loss(weights=weights)[1]
    np.testing.assert_allclose(actual["loss/policy"], expected, rtol=1e-6)
    plain = stream.loss()[1]
    np.testing.assert_array_equal(actual["loss/value"], plain["loss/value"])


def test_values_that_are_all_0_have_a_gradient(variant):
    """Also where the loss is a function of its own, whose every output is differentiated."""
    stream = Stream(12)
    stream.value[:] = 0.0
    distribution, logits, value, bootstrap, trajectory = stream.arguments()
    loss = variant(
        lambda value: a2c_loss(distribution, logits, value, bootstrap, trajectory, WEIGHTS)
    )
    with tf.GradientTape() as tape:
        tape.watch(value)
        total, _ = loss(value)
    gradient = tape.gradient(total, value).numpy()
    assert np.isfinite(gradient).all() and gradient.any()


def test_explained_variance_of_a_perfect_and_of_a_constant_critic():
    stream = Stream(8)
    stream.last[:], stream.mask[:], stream.discount[:] = False, 1.0, 1.0
    weights = WEIGHTS._replace(lambda_=1.0)
    stream.value[:] = 0.0
    for t in reversed(range(T)):
        stream.value[t] = stream.reward[t] + weights.gamma * stream.value[t + 1]
    assert float(stream.loss(weights=weights)[1]["value/explained_variance"]) == pytest.approx(1)
    stream.value[:-1] = stream.value[:-1].mean()
    assert float(stream.loss(weights=weights)[1]["value/explained_variance"]) == pytest.approx(0)


def test_explained_variance_of_returns_that_are_all_equal_is_0():
    stream = Stream(8)
    stream.last[:], stream.mask[:], stream.discount[:] = False, 1.0, 0.0
    stream.reward[:], stream.value[:] = 1.0, 0.5
    assert float(stream.loss(weights=WEIGHTS)[1]["value/explained_variance"]) == 0.0


def _term(name: str, stream: Stream, advantage: np.ndarray, targets: np.ndarray) -> float:
    """One term of the loss, with advantages and targets held as they are."""
    log_probs = stream.logits - np.log(np.exp(stream.logits).sum(-1, keepdims=True))
    chosen = np.take_along_axis(log_probs, stream.action[..., None], -1)[..., 0]
    rows = {
        "loss/policy": -advantage * chosen,
        "loss/value": (targets - stream.value[:-1]) ** 2,
        "policy/entropy": -(np.exp(log_probs) * log_probs).sum(-1),
    }
    return float((stream.mask * rows[name]).sum() / stream.mask.sum())


def _derivative(array, index, term, step: float = 1e-5) -> float:
    centre = array[index]
    array[index] = centre + step
    above = term()
    array[index] = centre - step
    below = term()
    array[index] = centre
    return (above - below) / (2 * step)


def _ppo_loss(stream, logits, value, advantage) -> tf.Tensor:
    """Schulman et al. (2017), equation 9: clipped ratio, squared error, entropy bonus."""
    distribution, mask = Categorical(ACTIONS), tf.constant(stream.mask)
    action = tf.constant(stream.action, tf.int32)
    log_prob = distribution.log_prob(logits, action)
    ratio = tf.exp(log_prob - tf.stop_gradient(log_prob))
    clipped = tf.clip_by_value(ratio, 0.8, 1.2)
    surrogate = tf.minimum(ratio * advantage, clipped * advantage)
    squared = tf.square(value - tf.stop_gradient(value + advantage))
    terms = -surrogate + WEIGHTS.value_coef * squared
    terms -= WEIGHTS.entropy_coef * distribution.entropy(logits)
    return tf.reduce_sum(mask * terms) / tf.reduce_sum(mask)
