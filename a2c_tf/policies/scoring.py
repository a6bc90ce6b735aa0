"""Episodes that a policy plays through `act`, on environments of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from a2c_tf import config as configs
from a2c_tf.acceleration.compilation import graph
from a2c_tf.envs.base import Environment
from a2c_tf.envs.host.failures import report_errors
from a2c_tf.evaluation.evaluator import eval_seeds, make_eval_env
from a2c_tf.evaluation.tally import Ends, Evaluation, Tally
from a2c_tf.policies.scores import Score, Scores
from a2c_tf.types import TimeStep

if TYPE_CHECKING:
    from a2c_tf.policies.policy import Policy

Choose = Callable[[Any, ArrayLike | None], NDArray[Any]]
"""Observations `[B, *obs]`, masks `[B, M]` -> actions."""


def play_both(policy: Policy, manifest: Mapping[str, Any], episodes: int, seed: int) -> Scores:
    """Plays episodes with greedy actions, and then with sampled ones.

    Args:
      policy: plays, and remembers what it likes.
      manifest: names the environment and its settings.
      episodes: of each kind, the same number of environments and first states as
        `python -m a2c_tf.evaluate` has.
      seed: of environments and actions.

    Returns:
      The scores of both.

    Raises:
      CommandError: where the environment cannot be made, or for what it raises.
    """
    settings = configs.parse(dict(manifest["config"])).env
    rng = np.random.default_rng(seed)
    with (
        closing(make_eval_env(settings, episodes)) as env,
        report_errors(env),
    ):
        greedy = _play(env, policy, lambda o, mask: policy.act(o, action_mask=mask), episodes, seed)
        sampled = _play(
            env, policy, lambda o, mask: policy.act(o, False, rng, mask), episodes, seed
        )
    return Scores(_score(greedy), _score(sampled))


def _play(env: Environment, policy: Policy, choose: Choose, episodes: int, seed: int) -> Evaluation:
    """Returns the episodes of each environment, up to its quota."""
    num_envs = env.spec.num_envs
    tally, step = Tally(num_envs, episodes), graph(env.step)
    state, time_step = graph(env.reset)(eval_seeds(seed).env)
    starts, last = np.ones(num_envs, bool), np.zeros(num_envs, bool)
    returns, lengths = np.zeros(num_envs, np.float32), np.zeros(num_envs, np.int32)
    while not tally.complete:
        policy.reset(starts)
        observation, mask = _in_numpy(time_step)
        action = choose(observation, mask)
        state, time_step = step(state, tf.constant(action))
        # the step of an autoreset starts the count of the next episode
        returns = np.where(last, 0, returns + time_step.reward.numpy())
        lengths = np.where(last, 0, lengths + 1)
        # the row of an autoreset still shows the old episode
        starts, last = last, time_step.last.numpy()
        tally.add(Ends(last[np.newaxis], returns[np.newaxis], lengths[np.newaxis]))
    return Evaluation(np.concatenate(tally.returns), np.concatenate(tally.lengths), tally.cut)


def _in_numpy(time_step: TimeStep) -> tuple[Any, NDArray[np.bool_] | None]:
    observation = tf.nest.map_structure(lambda x: x.numpy(), time_step.observation)
    mask = time_step.action_mask
    return observation, None if isinstance(mask, tuple) else mask.numpy()


def _score(evaluation: Evaluation) -> Score:
    returns = evaluation.returns
    # the deviation of the sample, of which one episode has none
    deviation = float(np.std(returns, ddof=1)) if len(returns) > 1 else float("nan")
    return Score(
        episodes=len(returns),
        mean=float(np.mean(returns)),
        standard_error=deviation / len(returns) ** 0.5,
        std=float(np.std(returns)),
        median=float(np.median(returns)),
        min=float(np.min(returns)),
        max=float(np.max(returns)),
        mean_length=float(np.mean(evaluation.lengths)),
    )
