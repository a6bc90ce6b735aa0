"""What crosses a boundary: one NamedTuple each, time-major.

A field that an environment or a policy does not need is `()`, which holds no tensors and costs
nothing. Observations of a `Dict` space are dicts of tensors, wherever one tensor is spoken of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import gymnasium
import numpy as np
import tensorflow as tf

Metrics = Mapping[str, tf.Tensor]
Compiler = Callable[[Callable[..., Any]], Callable[..., Any]]
"""A function -> the same one, compiled."""
CoreState: TypeAlias = tf.Tensor | tuple[()]
"""`[B, S]` float32, all that a recurrent policy remembers; `()`: it is memoryless."""
ActionMask: TypeAlias = tf.Tensor | tuple[()]
"""`[..., B, M]` bool, the choices that are allowed; `()`: all of them, always."""

Activations: TypeAlias = tuple[Any, ...]
"""What the acting pass saves for the gradient; `()`: nothing, and the pass is made again."""


class MetricNames(NamedTuple):
    """The names of the metrics of an update, as `metrics.jsonl` and TensorBoard have them."""

    policy_loss: str = "loss/policy"
    value_loss: str = "loss/value"
    entropy: str = "policy/entropy"
    explained_variance: str = "value/explained_variance"
    value_mean: str = "value/mean"
    value_rms: str = "value/rms"
    gradient_norm: str = "grad/global_norm"
    clipped: str = "grad/clipped"
    learning_rate: str = "learning_rate"
    entropy_coef: str = "entropy_coef"


METRICS = MetricNames()


class EnvSpec(NamedTuple):
    """The description of a batched environment, known before it is stepped."""

    id: str
    """gymnasium's id, such as `CartPole-v1`."""
    backend: str
    """`graph` where TensorFlow computes the environment, else the host library's name."""
    num_envs: int
    """B, how many environments are stepped together."""
    observation_space: gymnasium.Space
    """of a single environment."""
    action_space: gymnasium.Space
    """of a single environment."""
    action_meanings: tuple[str, ...] = ()
    """a name for each discrete action; empty where the environment has none."""
    max_episode_steps: int | None = None
    """steps after which an episode is truncated; None: never."""
    action_mask_size: int = 0
    """M, booleans of an action mask; 0: the environment has no masks."""

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """The shape of one observation; () where it is a number, or a dict."""
        return self.observation_space.shape or ()

    @property
    def action_shape(self) -> tuple[int, ...]:
        """The shape of one action; () where actions are numbered."""
        return self.action_space.shape or ()


class TimeStep(NamedTuple):
    """What B agents receive on arriving in a state."""

    observation: tf.Tensor
    """`[B, *obs]` in the environment's own dtype; at an episode's end the true last one."""
    reward: tf.Tensor
    """`[B]` float32, of arriving here."""
    discount: tf.Tensor
    """`[B]` float32: 0 exactly where the episode terminated, else 1; γ is not in it."""
    last: tf.Tensor
    """`[B]` bool: the episode ended here, terminated or truncated."""
    action_mask: ActionMask = ()
    """`[B, M]`, of the actions to be taken here."""


class StepOutput(NamedTuple):
    """The network's outputs at one time step of B environments."""

    parameters: tf.Tensor
    """`[B, P]`, of the action distribution."""
    value: tf.Tensor
    """`[B]`."""
    core_state: CoreState
    """after the step."""
    activations: Activations = ()
    """saved for the learner."""


class Trajectory(NamedTuple):
    """T steps of B environments; row t is the transition o_t --a_t--> o_{t+1}."""

    observation: tf.Tensor
    """`[T+1, B, *obs]`; o_T serves the bootstrap alone."""
    action: tf.Tensor
    """`[T, B, ...]`."""
    reward: tf.Tensor
    """`[T, B]` float32."""
    discount: tf.Tensor
    """`[T, B]` float32: 0 where o_{t+1} is terminal, else 1."""
    mask: tf.Tensor
    """`[T, B]` float32: 0 where the action was spent on an autoreset."""
    last: tf.Tensor
    """`[T, B]` bool: the episode ended at o_{t+1}, terminated or truncated."""
    action_mask: ActionMask = ()
    """`[T, B, M]`, at o_0 .. o_{T-1}."""
    core_state: CoreState = ()
    """`[B, S]`, of the policy before o_0."""
    activations: Activations = ()
    """`[T, B, ...]` each, saved at o_0 .. o_{T-1} under the weights that the update starts from."""


class UnrollState(NamedTuple):
    """What one unroll passes on to the next."""

    env_state: Any
    """the environment's own state."""
    time_step: TimeStep
    """the latest time step."""
    seed: tf.Tensor
    """`[2]` int32, key and counter of the action noise."""
    core_state: CoreState
    """`[B, S]`, of the policy before that time step."""
    episode_return: tf.Tensor
    """`[B]` float32, undiscounted, of the episode under way."""
    episode_length: tf.Tensor
    """`[B]` int32, steps of the episode under way."""


class EpisodeStatistics(NamedTuple):
    """Sums over the episodes that ended, so that those of several unrolls add."""

    episodes: tf.Tensor
    """scalar float32, number of episodes."""
    return_sum: tf.Tensor
    """scalar float32, of their undiscounted returns."""
    length_sum: tf.Tensor
    """scalar float32, of their lengths in steps."""


class ObservedSteps(NamedTuple):
    """Steps of B sub-environments, in the order in which they were met; N of many."""

    arrays: tuple[np.ndarray, ...]
    """`[N, B, ...]` each, in the order of `spaces.parts`."""
    last: np.ndarray
    """`[N, B]` bool, an episode ended there."""
    action_mask: np.ndarray | None
    """`[N, B, M]` bool; None: the environment has no masks."""


class Counters(NamedTuple):
    """The progress of a run."""

    env_steps: int = 0
    updates: int = 0
    episodes: int = 0
    time_s: float = 0.0
