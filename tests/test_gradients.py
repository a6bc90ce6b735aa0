"""Gradients of every term of the loss through the whole network, against central differences.

In float64, torso, core and heads included; what the loss holds constant (advantages and targets)
is held constant in the differences, too, from a slow recursion of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

import gymnasium
import keras
import numpy as np
import pytest
import tensorflow as tf
from support.streams import SPEC, Ends, random_ends, segments, trajectory_of

from a2c_tf import distributions
from a2c_tf.config import NetworkConfig
from a2c_tf.distributions import Distribution
from a2c_tf.losses import LossConfig, a2c_loss
from a2c_tf.networks import actor_critic, cores, forward, make_actor_critic, torsos
from a2c_tf.types import Trajectory

T, B = 6, 3
GAMMA, LAMBDA = 0.9, 0.8
STEP = 1e-5
TERMS = ("loss/policy", "loss/value", "policy/entropy")
SPACES = {
    "discrete": gymnasium.spaces.Discrete(4),
    "multi": gymnasium.spaces.MultiDiscrete([2, 3]),
    "bits": gymnasium.spaces.MultiBinary(3),
    "box": gymnasium.spaces.Box(-2, 2, (2,), np.float64),
    "squashed": gymnasium.spaces.Box(-2, 2, (2,), np.float64),
}
CASES = [
    *((space, "none", True) for space in SPACES),
    ("discrete", "none", False),
    ("discrete", "lstm", True),
    ("box", "gru", False),
]


@pytest.fixture(autouse=True)
def float64(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for module in (actor_critic, cores, torsos):  # which fix their dtype, whatever Keras is set to
        monkeypatch.setattr(module, "DTYPE", "float64")
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


class Case:
    """A small network with random weights, and a random trajectory that it met."""

    def __init__(self, space: str, core: str, shared: bool) -> None:
        rng = np.random.default_rng(0)
        config = NetworkConfig(
            torso="mlp",
            hidden=(5,),
            activation="tanh",
            core=core,
            core_size=3,
            shared=shared,
            squash_actions=space == "squashed",
            normalize_observation=True,
        )
        spec = SPEC._replace(action_space=SPACES[space])
        self.distribution: Distribution = distributions.for_space(
            spec.action_space, config.squash_actions
        )
        self.model = make_actor_critic(spec, config)
        self.variables = self.model.trainable_variables
        for variable in self.variables:
            variable.assign(rng.normal(0, 0.5, variable.shape))
        self.ends = random_ends(rng, T, B)
        core_state = forward.initial_core_state(self.model, B)
        core_size = 0 if isinstance(core_state, tuple) else core_state.shape[-1]
        self.trajectory: Trajectory = trajectory_of(rng, self.ends, np.zeros((T, B)), core_size)
        parameters = forward.apply_to_trajectory(self.model, self.trajectory).parameters
        noise = rng.random((T, B, self.distribution.noise_size)).astype(parameters.dtype.name)
        action = self.distribution.sample(parameters, tf.constant(noise))
        self.trajectory = self.trajectory._replace(action=action)

    def terms(self) -> dict[str, tf.Tensor]:
        output = forward.apply_to_trajectory(self.model, self.trajectory)
        weights = LossConfig(GAMMA, LAMBDA, value_coef=0.5, entropy_coef=0.01)
        return dict(a2c_loss(self.distribution, *output, self.trajectory, weights)[1])

    def differentiable_terms(self, advantage: np.ndarray, target: np.ndarray) -> dict[str, float]:
        """The terms with what is constant handed in."""
        output = forward.apply_to_trajectory(self.model, self.trajectory)
        mask = self.trajectory.mask.numpy()
        log_prob = self.distribution.log_prob(output.parameters, self.trajectory.action).numpy()
        entropy = self.distribution.entropy(output.parameters).numpy()
        rows = {
            "loss/policy": -advantage * log_prob,
            "loss/value": (target - output.value.numpy()) ** 2,
            "policy/entropy": entropy,
        }
        return {name: (row * mask).sum() / mask.sum() for name, row in rows.items()}


def slow_advantages(ends: Ends, trajectory: Trajectory, value: np.ndarray) -> np.ndarray:
    """Generalised advantages with `value` `[T+1, B]`, each episode alone."""
    advantage = np.zeros((T, B))
    for b in range(B):
        for segment in segments(ends.last[:, b]):
            following = 0.0
            for t in reversed(segment):
                v_next = float(trajectory.discount[t, b]) * value[t + 1, b]
                delta = float(trajectory.reward[t, b]) + GAMMA * v_next - value[t, b]
                following = delta + GAMMA * LAMBDA * following
                advantage[t, b] = following
    return advantage


@pytest.mark.parametrize(("space", "core", "shared"), CASES)
def test_every_term_in_random_directions(space, core, shared):
    case = Case(space, core, shared)
    output = forward.apply_to_trajectory(case.model, case.trajectory)
    value = np.concatenate([output.value, output.bootstrap_value[None]])
    advantage = slow_advantages(case.ends, case.trajectory, value)
    target = advantage + value[:-1]
    with tf.GradientTape(persistent=True) as tape:
        terms = case.terms()
    rng = np.random.default_rng(1)
    start = [variable.numpy() for variable in case.variables]
    for _ in range(4):
        direction = [rng.normal(size=variable.shape) for variable in case.variables]
        sides = []
        for sign in (1, -1):
            for variable, x, d in zip(case.variables, start, direction, strict=True):
                variable.assign(x + sign * STEP * d)
            sides.append(case.differentiable_terms(advantage, target))
        for name in TERMS:
            gradients = tape.gradient(terms[name], case.variables)
            pairs = zip(gradients, direction, strict=True)
            analytic = sum(float(np.sum(g * d)) for g, d in pairs if g is not None)
            numeric = (sides[0][name] - sides[1][name]) / (2 * STEP)
            np.testing.assert_allclose(analytic, numeric, rtol=1e-6, atol=1e-8)
