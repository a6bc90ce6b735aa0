"""The update, and K of them in one compiled call."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.acting import actor_step_of

from a2c_tf.acceleration.compilation import choose_compilation, uncompiled, xla
from a2c_tf.agent import make_agent, make_seeds
from a2c_tf.config import Config
from a2c_tf.envs import registry
from a2c_tf.evaluation.evaluator import make_evaluator
from a2c_tf.learner import Learner
from a2c_tf.losses import a2c_loss
from a2c_tf.training import assembly
from a2c_tf.training.hyperparameters import make_loss_config
from a2c_tf.types import METRICS, Trajectory
from a2c_tf.unroll import unroll

UNROLL = 2  # the fewer steps, the sooner compiled
CARTPOLE = {
    "env": {"id": "CartPole-v1", "num_envs": 8},
    "network": {"torso": "mlp", "hidden": [16], "activation": "tanh"},
    "a2c": {"unroll_length": UNROLL, "gae_lambda": 0.9},
    "optimizer": {"learning_rate": 1e-2},
}
BREAKOUT = {
    "env": {"id": "MinAtar/Breakout-v1", "num_envs": 8},
    "network": {"hidden": [32]},
    "a2c": {"unroll_length": UNROLL},
}


class Training:
    """Everything of a run but its files."""

    def __init__(self, tree: dict[str, Any], compile_: str = "auto") -> None:
        self.config = Config.model_validate({**tree, "run": {"compile": compile_}})
        self.env = registry.make(self.config.env)
        self.agent = make_agent(self.env.spec, self.config)
        self.learner, self.step, _ = assembly.make_training(self.env, self.agent, self.config)
        self.state = self.agent.start(self.env, make_seeds(0))

    def call(self, updates: int) -> dict[str, float]:
        self.state, report = self.step(self.state, tf.constant(updates))
        assert not report.diagnostics  # nobody asked for it
        self.statistics = report.statistics
        return {name: float(value) for name, value in report.metrics.items()}

    def unroll(self) -> Trajectory:
        actor_step = actor_step_of(self.env, self.agent.distribution)
        self.state, trajectory, _ = unroll(actor_step, self.agent.policy, self.state, 5)
        return trajectory

    def weights(self) -> list[np.ndarray]:
        return [weight.numpy() for weight in self.agent.model.weights]


@pytest.mark.slow
@pytest.mark.parametrize("tree", [CARTPOLE, BREAKOUT], ids=["cartpole", "breakout"])
def test_xla_and_mixed_learn_the_same(tree):
    whole, mixed = Training(tree, "xla"), Training(tree, "mixed")
    of_whole, of_mixed = whole.call(5), mixed.call(5)
    assert of_whole.keys() == of_mixed.keys() == set(METRICS)
    for name in METRICS:
        assert of_whole[name] == pytest.approx(of_mixed[name], rel=2e-3, abs=1e-4), name
    for a, b in zip(whole.weights(), mixed.weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.slow
def test_k_updates_in_one_call_are_k_calls():
    together, apart = Training(CARTPOLE), Training(CARTPOLE)
    mean = together.call(6)
    each = [apart.call(1) for _ in range(6)]
    for a, b in zip(together.weights(), apart.weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for name in METRICS:
        assert mean[name] == pytest.approx(np.mean([m[name] for m in each]), rel=1e-5)
    assert int(together.learner.updates) == 6
    assert int(together.learner.env_steps) == int(apart.learner.env_steps)


@pytest.mark.slow
def test_counters_leave_out_the_rows_of_autoresets():
    training = Training(CARTPOLE)
    training.call(100)
    rows, episodes = 100 * UNROLL * 8, int(training.statistics.episodes)
    steps = int(training.learner.env_steps)
    unfinished = int((training.state.time_step.last.numpy()).sum())
    assert episodes > 0 and steps == rows - (episodes - unfinished)


def test_an_update_is_the_gradient_step_written_out():
    """Forward, loss, clipping and RMSprop again, plainly and eagerly, from the same start."""
    training = Training(CARTPOLE)
    config, trajectory = training.config, training.unroll()
    plain = keras.models.clone_model(training.agent.model)
    plain.set_weights(training.agent.model.get_weights())
    expected = _plain_update(plain, trajectory, training)
    metrics = training.learner.update(trajectory)
    for actual, wanted in zip(training.weights(), expected, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-5, atol=1e-7)
    assert float(metrics["grad/clipped"]) == 1
    assert float(metrics["learning_rate"]) == pytest.approx(config.optimizer.learning_rate)


def _plain_update(model: keras.Model, trajectory: Trajectory, training: Training) -> list:
    a2c, optimizer = training.config.a2c, training.config.optimizer
    with tf.GradientTape() as tape:
        outputs = [model(observation) for observation in trajectory.observation]
        parameters = tf.stack([output["policy"] for output in outputs[:-1]])
        value = tf.stack([output["value"] for output in outputs])
        weights = make_loss_config(training.config)
        distribution = training.agent.distribution
        loss, _ = a2c_loss(distribution, parameters, value[:-1], value[-1], trajectory, weights)
    gradients = [g.numpy() for g in tape.gradient(loss, model.trainable_weights)]
    norm = np.sqrt(sum((g.astype(np.float64) ** 2).sum() for g in gradients))
    assert norm > a2c.max_grad_norm, "the clipping must be at work"
    stepped = []
    for weight, gradient in zip(model.get_weights(), gradients, strict=True):
        clipped = gradient * a2c.max_grad_norm / norm
        mean_square = optimizer.rho + (1 - optimizer.rho) * clipped**2
        step = optimizer.learning_rate * clipped / np.sqrt(mean_square + optimizer.epsilon)
        stepped.append(weight - step)
    return stepped


def test_rows_that_are_all_masked_change_nothing():
    training = Training(CARTPOLE)
    trajectory = training.unroll()
    everything = tf.zeros_like(trajectory.mask)
    before = training.weights()
    training.learner.update(trajectory._replace(mask=everything))
    for a, b in zip(before, training.weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_leaves_the_weights(bad):
    training = Training(CARTPOLE)
    trajectory = training.unroll()
    before = training.weights()
    metrics = training.learner.update(trajectory._replace(reward=trajectory.reward + bad))
    assert not np.isfinite(metrics["grad/global_norm"])
    for a, b in zip(before, training.weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_learning_rate_follows_the_schedule():
    tree = {**CARTPOLE, "optimizer": {"learning_rate": 0.01, "schedule": {"shape": "linear"}}}
    training = Training(tree)
    training.learner.env_steps.assign(training.config.run.total_steps // 4)
    metrics = training.learner.update(training.unroll())
    assert float(metrics["learning_rate"]) == pytest.approx(0.0075)
    assert float(training.learner.optimizer.learning_rate) == pytest.approx(0.0075)


@pytest.mark.slow
def test_it_learns():
    """CartPole pays 1 a step: an untrained agent lasts about 20 steps."""
    training = Training({**CARTPOLE, "a2c": {"unroll_length": 5, "gae_lambda": 0.9}})
    training.call(3000)
    evaluator = make_evaluator(training.agent, training.config, 20, deterministic=True)
    result = evaluator.evaluate(20, seed=5)
    assert result.returns.mean() > 150


@pytest.mark.parametrize(
    ("setting", "graph_native", "convolutional", "whole"),
    [
        ("auto", True, False, True),
        ("auto", True, True, False),
        ("xla", True, True, True),
        ("mixed", True, False, False),
        ("auto", False, False, False),
    ],
)
def test_what_xla_compiles(setting, graph_native, convolutional, whole):
    compilation = choose_compilation(setting, graph_native, convolutional)
    assert compilation.is_whole == whole
    assert (compilation.actor_step is uncompiled) == (whole or not graph_native)
    assert (compilation.choose_action is xla) == (not graph_native)


def test_xla_cannot_hold_an_environment_of_the_host():
    with pytest.raises(ValueError, match="compile=xla"):
        choose_compilation("xla", in_graph=False, convolutional=False)


def test_the_learner_builds_its_optimizer():
    training = Training(CARTPOLE)
    assert isinstance(training.learner, Learner)
    slots = len(training.learner.optimizer.variables)
    assert slots == 2 + len(training.agent.model.trainable_weights)
