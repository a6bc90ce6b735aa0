"""Returns, the targets of the critic.

The λ-return holds the others as its limits: λ = 1 is the n-step return to the end of the unroll,
λ = 0 the one-step TD target, and λ-return minus value is GAE(λ) (Schulman et al., 2016).
"""

from __future__ import annotations

import tensorflow as tf


def lambda_returns(
    r_t: tf.Tensor, discount_t: tf.Tensor, v_t: tf.Tensor, lambda_t: tf.Tensor
) -> tf.Tensor:
    """Computes λ-returns backwards from G_T = v_T.

        G_{t-1} = r_t + γ_t · [(1 - λ_t) · v_t + λ_t · G_t]

    (Sutton and Barto, 2018, equation 12.18; the argument names are those of rlax.)

    Args:
      r_t: rewards for t in [1, T], `[T, B]`.
      discount_t: discounts γ_t, 0 where the episode terminated, `[T, B]`.
      v_t: values of the states arrived in, `[T, B]`.
      lambda_t: mixing parameters; 0 cuts the trace where an episode ends, `[T, B]`.

    Returns:
      G_{t-1} for t in [1, T], `[T, B]`.

    Raises:
      ValueError: where the shapes differ, or are not `[T, B]`.
    """
    for name, tensor in (("discount_t", discount_t), ("v_t", v_t), ("lambda_t", lambda_t)):
        if tensor.shape != r_t.shape or r_t.shape.rank != 2:
            raise ValueError(
                f"{name} has shape {tensor.shape} and r_t {r_t.shape}: expected the same [T, B]"
            )
    returns: list[tf.Tensor] = []
    next_return = v_t[-1]  # [B]
    for t in reversed(range(r_t.shape[0])):
        mixed = (1 - lambda_t[t]) * v_t[t] + lambda_t[t] * next_return
        next_return = r_t[t] + discount_t[t] * mixed
        returns.append(next_return)
    return tf.stack(returns[::-1])  # [T, B]
