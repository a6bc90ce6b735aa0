"""The A2C loss, a pure function of what the network put out."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from a2c_tf.distributions import Distribution, apply_mask
from a2c_tf.returns import lambda_returns
from a2c_tf.types import Metrics, Trajectory


class LossWeights(NamedTuple):
    """The scalars of the loss, and how it estimates advantages."""

    gamma: float
    """γ, discount a step."""
    lambda_: float
    """λ of the λ-returns: 1 for n-step returns and Monte Carlo, 0 for one-step TD errors."""
    value_coef: float
    entropy_coef: float | tf.Tensor
    bootstrap_truncated: bool = True
    """whether a truncated episode's return goes on with the value of its last observation."""
    normalize_advantage: bool = False
    """whether the policy term takes (A - mean) / std of the batch for A."""
    clip_reward: bool = False
    """whether the sign of each reward stands for it."""


def a2c_loss(
    distribution: Distribution,
    parameters: tf.Tensor,
    value: tf.Tensor,
    bootstrap_value: tf.Tensor,
    trajectory: Trajectory,
    weights: LossWeights,
) -> tuple[tf.Tensor, Metrics]:
    """The loss of synchronous advantage actor-critic (Mnih et al., 2016, with means for sums):

        L = mean[-A_t · log π(a_t|o_t)] + c_v · mean[(G_t - v_t)²] - c_e · mean[H(π(·|o_t))]

    with G the λ-return, A_t = G_t - v_t held constant, and means over the rows with mask 1.

    Args:
      distribution: the family that `parameters` belong to.
      parameters: policy at o_0 .. o_{T-1}, `[T, B, P]`.
      value: value head at o_0 .. o_{T-1}, `[T, B]`.
      bootstrap_value: value head at o_T, `[B]`; no gradient flows into it.
      trajectory: actions and their masks, rewards, discounts and mask.
      weights: the scalars of the loss.

    Returns:
      The scalar loss, and its parts as scalars.
    """
    returns = _targets(value, bootstrap_value, trajectory, weights)  # [T, B]
    error = returns - value
    parameters = apply_mask(distribution, parameters, trajectory.action_mask)
    log_prob = distribution.log_prob(parameters, trajectory.action)
    advantage = tf.stop_gradient(error)
    if weights.normalize_advantage:
        advantage = _normalized(advantage, trajectory.mask)
    policy_loss = masked_mean(-advantage * log_prob, trajectory.mask)
    value_loss = masked_mean(tf.square(error), trajectory.mask)
    entropy = masked_mean(distribution.entropy(parameters), trajectory.mask)
    seen = tf.stop_gradient(value)  # a root has no slope at 0
    loss = policy_loss + weights.value_coef * value_loss - weights.entropy_coef * entropy
    return loss, {
        "loss/policy": policy_loss,
        "loss/value": value_loss,
        "policy/entropy": entropy,
        "value/explained_variance": _explained_variance(value_loss, returns, trajectory.mask),
        "value/mean": masked_mean(seen, trajectory.mask),
        "value/rms": tf.sqrt(masked_mean(tf.square(seen), trajectory.mask)),
    }


def _targets(
    value: tf.Tensor, bootstrap_value: tf.Tensor, trajectory: Trajectory, weights: LossWeights
) -> tf.Tensor:
    """λ-returns over a stream of episodes, `[T, B]`, constant to the gradient.

    At an episode's end λ is 0, so the return bootstraps from the true last observation, which
    the next row holds, and nothing of the next episode enters.
    """
    goes_on = tf.cast(~trajectory.last, value.dtype)
    discount = trajectory.discount * (1.0 if weights.bootstrap_truncated else goes_on)
    reward = tf.sign(trajectory.reward) if weights.clip_reward else trajectory.reward
    return tf.stop_gradient(
        lambda_returns(
            r_t=reward,
            discount_t=weights.gamma * discount,
            v_t=tf.concat([value[1:], bootstrap_value[tf.newaxis]], axis=0),
            lambda_t=weights.lambda_ * goes_on,
        )
    )


def _normalized(advantage: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Mean 0 and standard deviation 1 over the rows with mask 1."""
    centred = advantage - masked_mean(advantage, mask)
    return centred / (tf.sqrt(masked_mean(tf.square(centred), mask)) + 1e-8)


def masked_mean(x: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Σ mask·x / Σ mask, a scalar, and 0 where nothing counts."""
    return tf.math.divide_no_nan(tf.reduce_sum(mask * x), tf.reduce_sum(mask))


def _explained_variance(value_loss: tf.Tensor, returns: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """1 - mean[(G - v)²] / Var[G]: 1 is a perfect critic, 0 no better than a constant."""
    variance = masked_mean(tf.square(returns - masked_mean(returns, mask)), mask)
    return 1.0 - tf.math.divide_no_nan(value_loss, variance)
