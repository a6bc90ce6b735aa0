"""The A2C loss, a pure function of the network's outputs and a trajectory."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from a2c_tf.distributions import Distribution, apply_mask
from a2c_tf.returns import lambda_returns
from a2c_tf.types import METRICS, Metrics, Trajectory


class LossConfig(NamedTuple):
    """The scalars of the loss, and how advantages are estimated."""

    gamma: float
    """γ, the discount of a step."""
    lambda_: float
    """λ of the λ-returns: 1 for n-step returns and Monte Carlo, 0 for one-step TD errors."""
    value_coef: float
    entropy_coef: float | tf.Tensor
    bootstrap_truncated: bool = True
    """whether the return of a truncated episode continues with its last observation's value."""
    normalize_advantage: bool = False
    """whether the policy term uses (A - mean) / std of the batch in place of A."""
    clip_reward: bool = False
    """whether each reward is replaced by its sign."""


def a2c_loss(
    distribution: Distribution,
    parameters: tf.Tensor,
    value: tf.Tensor,
    bootstrap_value: tf.Tensor,
    trajectory: Trajectory,
    config: LossConfig,
) -> tuple[tf.Tensor, Metrics]:
    """Computes the loss of synchronous advantage actor-critic.

        L = mean[-A_t · log π(a_t|o_t)] + c_v · mean[(G_t - v_t)²] - c_e · mean[H(π(·|o_t))]

    with G the λ-return, A_t = G_t - v_t held constant, and means over the rows with mask 1 (Mnih
    et al., 2016, with means for sums).

    Args:
      distribution: the family that `parameters` belong to.
      parameters: of the policy at o_0 .. o_{T-1}, `[T, B, P]` float32.
      value: value head at o_0 .. o_{T-1}, `[T, B]` float32.
      bootstrap_value: value head at o_T, `[B]` float32; no gradient flows into it.
      trajectory: actions and their masks, rewards, discounts and mask.
      config: the scalars of the loss.

    Returns:
      The scalar loss, and its parts as scalars by the names of `METRICS`.
    """
    mask = trajectory.mask  # [T, B]
    returns = _targets(value, bootstrap_value, trajectory, config)  # [T, B]
    error = returns - value  # [T, B]
    parameters = apply_mask(distribution, parameters, trajectory.action_mask)
    log_prob = distribution.log_prob(parameters, trajectory.action)  # [T, B]
    advantage = tf.stop_gradient(error)
    if config.normalize_advantage:
        advantage = _normalize(advantage, mask)
    policy_loss = masked_mean(-advantage * log_prob, mask)
    value_loss = masked_mean(tf.square(error), mask)
    entropy = masked_mean(distribution.entropy(parameters), mask)
    loss = policy_loss + config.value_coef * value_loss - config.entropy_coef * entropy
    # sqrt has an infinite gradient at 0: keep this metric out of the tape
    constant_value = tf.stop_gradient(value)
    return loss, {
        METRICS.policy_loss: policy_loss,
        METRICS.value_loss: value_loss,
        METRICS.entropy: entropy,
        METRICS.explained_variance: _explained_variance(value_loss, returns, mask),
        METRICS.value_mean: masked_mean(constant_value, mask),
        METRICS.value_rms: tf.sqrt(masked_mean(tf.square(constant_value), mask)),
    }


def _targets(
    value: tf.Tensor, bootstrap_value: tf.Tensor, trajectory: Trajectory, config: LossConfig
) -> tf.Tensor:
    """Returns λ-returns over a stream of episodes, `[T, B]`, constant to the gradient.

    At an episode's end λ is 0, so the return bootstraps from the true last observation, which
    the next row holds, and nothing of the next episode enters.
    """
    continues = tf.cast(~trajectory.last, value.dtype)  # [T, B]
    discount = trajectory.discount * (1.0 if config.bootstrap_truncated else continues)
    reward = tf.sign(trajectory.reward) if config.clip_reward else trajectory.reward
    return tf.stop_gradient(
        lambda_returns(
            r_t=reward,
            discount_t=config.gamma * discount,
            v_t=tf.concat([value[1:], bootstrap_value[tf.newaxis]], axis=0),  # [T, B]
            lambda_t=config.lambda_ * continues,
        )
    )


def _normalize(advantage: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Returns advantages with mean 0 and standard deviation 1 over the rows with mask 1."""
    centred = advantage - masked_mean(advantage, mask)
    return centred / (tf.sqrt(masked_mean(tf.square(centred), mask)) + 1e-8)


def masked_mean(x: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Returns Σ mask·x / Σ mask, a scalar; 0 where the mask is 0 everywhere."""
    return tf.math.divide_no_nan(tf.reduce_sum(mask * x), tf.reduce_sum(mask))


def _explained_variance(value_loss: tf.Tensor, returns: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Returns 1 - mean[(G - v)²] / Var[G]: 1 is a perfect critic, 0 no better than a constant.

    Where all returns are equal a constant is perfect, and the result 0.
    """
    variance = masked_mean(tf.square(returns - masked_mean(returns, mask)), mask)
    return tf.math.divide_no_nan(variance - value_loss, variance)
