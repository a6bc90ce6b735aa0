"""What a look at an update measures, against the two gradients taken separately."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from support.acting import actor_step_of

from a2c_tf.agent import make_agent, make_seeds
from a2c_tf.config import Config
from a2c_tf.diagnostics import COUNT, DIAGNOSTICS, Diagnostics
from a2c_tf.envs import registry
from a2c_tf.losses import a2c_loss
from a2c_tf.training import assembly
from a2c_tf.types import Trajectory
from a2c_tf.unroll import unroll

pytestmark = pytest.mark.slow

TREE = {
    "env": {"id": "CartPole-v1", "num_envs": 8},
    "network": {"torso": "mlp", "hidden": [16], "activation": "tanh"},
    "a2c": {"entropy_coef": 0.3, "value_coef": 0.7},
    "optimizer": {"learning_rate": 0.5, "schedule": {"shape": "constant"}},
}


class Training:
    """A learner and a trajectory to learn from."""

    def __init__(self, every: int, compile: str = "auto", **network: Any) -> None:
        tree = {**TREE, "network": {**TREE["network"], **network}}
        run = {"inspect_every": every, "compile": compile}
        self.config = Config.model_validate({**tree, "run": run})
        env = registry.make(self.config.env)
        self.agent = make_agent(env.spec, self.config)
        self.learner, self.step, _ = assembly.make_training(env, self.agent, self.config)
        self.diagnostics = Diagnostics(self.learner, every)
        self.state = self.agent.start(env, make_seeds(0))
        actor_step = actor_step_of(env, self.agent.distribution)
        _, self.trajectory, _ = unroll(actor_step, self.agent.policy, self.state, 5)

    def log_prob(self) -> np.ndarray:
        policy = self.agent.model(tf.reshape(self.trajectory.observation[:-1], [-1, 4]))["policy"]
        action = tf.reshape(self.trajectory.action, [-1])
        return self.agent.distribution.log_prob(policy, action).numpy().astype(np.float64)


def gradient_of(training: Training, trajectory: Trajectory, part: str) -> np.ndarray:
    """Of one part of the loss on the torso, flat."""
    weights = training.learner.loss_config
    weights = {
        "policy": weights._replace(value_coef=0.0),
        "value": weights._replace(entropy_coef=0.0),
    }[part]
    torso = [w for w in training.agent.model.trainable_weights if w.path.startswith("torso")]
    with tf.GradientTape() as tape:
        output = training.agent.model(tf.reshape(trajectory.observation, [-1, 4]))
        logits, value = tf.reshape(output["policy"], [6, 8, 2]), tf.reshape(output["value"], [6, 8])
        arguments = (logits[:-1], value[:-1], value[-1], trajectory, weights)
        loss, metrics = a2c_loss(training.agent.distribution, *arguments)
        loss = loss if part == "policy" else weights.value_coef * metrics["loss/value"]
    return np.concatenate([g.numpy().ravel() for g in tape.gradient(loss, torso)])


@pytest.mark.parametrize("compile", ["xla", "mixed"])
def test_the_pull_of_each_loss_and_the_angle_between_them(compile: str):
    training = Training(every=1, compile=compile)
    policy, value = (gradient_of(training, training.trajectory, p) for p in ("policy", "value"))
    _, seen = training.diagnostics.update(training.trajectory)
    norms = np.linalg.norm(policy), np.linalg.norm(value)
    assert float(seen["torso/policy_gradient"]) == pytest.approx(norms[0], rel=1e-4)
    assert float(seen["torso/value_gradient"]) == pytest.approx(norms[1], rel=1e-4)
    cosine = policy @ value / (norms[0] * norms[1])
    assert float(seen["torso/cosine"]) == pytest.approx(cosine, abs=1e-4)


def test_the_divergence_is_that_of_the_policies_before_and_after():
    training = Training(every=1)
    mask = training.trajectory.mask.numpy().ravel()
    before = training.log_prob()
    _, seen = training.diagnostics.update(training.trajectory)
    log_ratio = training.log_prob() - before
    expected = ((np.exp(log_ratio) - 1 - log_ratio) * mask).sum() / mask.sum()
    assert expected > 1e-6, "the update must have moved the policy"
    assert float(seen["policy/approx_kl"]) == pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize("compile", ["xla", "mixed"])
def test_separate_torsos_share_nothing_that_could_be_pulled(compile: str):
    training = Training(every=1, compile=compile, shared=False)
    _, seen = training.diagnostics.update(training.trajectory)
    assert [float(seen[name]) for name in DIAGNOSTICS[:3]] == [0.0, 0.0, 0.0]


def test_an_inspected_update_is_the_same_update():
    plain, watched = Training(every=0), Training(every=1)
    plain.learner.update(plain.trajectory)
    watched.diagnostics.update(watched.trajectory)
    for a, b in zip(plain.agent.model.weights, watched.agent.model.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_every_so_many_updates_are_inspected():
    training = Training(every=4)
    state, first = training.step(training.state, tf.constant(4))
    assert float(first.diagnostics[COUNT]) == 1.0  # updates 0 to 3
    _, second = training.step(state, tf.constant(9))
    assert float(second.diagnostics[COUNT]) == 3.0  # 4, 8 and 12
    assert set(second.diagnostics) == {*DIAGNOSTICS, COUNT}


def test_what_is_off_leaves_no_trace():
    training = Training(every=0)
    _, report = training.step(training.state, tf.constant(2))
    assert report.diagnostics == {}
    assert Diagnostics(training.learner, 0).zeros() == {}
