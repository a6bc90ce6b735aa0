"""What crosses a boundary: one NamedTuple each, time-major.

A field that an environment or a policy does not need is `()`, which holds no tensors and costs
nothing. Observations of a `Dict` space are dicts of tensors, wherever one tensor is spoken of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import gymnasium
import tensorflow as tf

Metrics = Mapping[str, tf.Tensor]
Accelerate = Callable[[Callable[..., Any]], Callable[..., Any]]
"""A pure function -> the same one, compiled."""
CoreState: TypeAlias = tf.Tensor | tuple[()]
"""`[B, S]` float32, all that a recurrent policy remembers; `()`: it is memoryless."""
ActionMask: TypeAlias = tf.Tensor | tuple[()]
"""`[..., B, M]` bool, the choices that are allowed; `()`: all of them, always."""

Kept: TypeAlias = tuple[Any, ...]
"""what layers of the network gave while acting, or one such tuple a shard; `()`: nothing."""


class EnvSpec(NamedTuple):
    """What a batched environment is, known before it is stepped."""

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
    """a name for each discrete action, or empty where the environment has none."""
    max_episode_steps: int | None = None
    """an episode is truncated after so many steps; None: never."""
    action_mask_size: int = 0
    """M, booleans by which each step says what is allowed; 0: it never says."""

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """Of a single environment; () where it is a number, or a dict."""
        return self.observation_space.shape or ()

    @property
    def action_shape(self) -> tuple[int, ...]:
        """Of a single environment; () where actions are numbered."""
        return self.action_space.shape or ()


class TimeStep(NamedTuple):
    """What the agent sees on arriving in a state, for B environments."""

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
    """What the network says on meeting one time step."""

    parameters: tf.Tensor
    """`[B, P]`, of the action distribution."""
    value: tf.Tensor
    """`[B]`."""
    core_state: CoreState
    """after the step."""
    kept: Kept = ()
    """what its layers gave, where the learner is to have it."""


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
    """with which the policy met o_0."""
    kept: Kept = ()
    """`[T, B, ...]` each, at o_0 .. o_{T-1}, of the weights that the update starts from."""


class UnrollState(NamedTuple):
    """What one unroll hands to the next."""

    env_state: Any
    """the environment's own state."""
    time_step: TimeStep
    """where the agent stands."""
    seed: tf.Tensor
    """`[2]` int32, key and counter of the action noise."""
    core_state: CoreState
    """with which the policy meets the time step."""
    episode_return: tf.Tensor
    """`[B]` float32, undiscounted, of the episode under way."""
    episode_length: tf.Tensor
    """`[B]` int32, steps of the episode under way."""


class EpisodeStatistics(NamedTuple):
    """Sums over the episodes that ended, so that those of several unrolls add."""

    episodes: tf.Tensor
    """scalar float32, how many ended."""
    return_sum: tf.Tensor
    """scalar float32, of their undiscounted returns."""
    length_sum: tf.Tensor
    """scalar float32, of their lengths in steps."""


class Counters(NamedTuple):
    """How far a run has come."""

    env_steps: int = 0
    updates: int = 0
    episodes: int = 0
    time_s: float = 0.0
