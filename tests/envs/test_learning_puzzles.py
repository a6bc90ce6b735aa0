"""Every kind of observation and action, masks and memory, learnt by the whole training step.

What is learnt is then exported, and the files pass the gate.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from support.acting import actor_step_of
from support.puzzles import ACTIONS, LENGTH, OBSERVATIONS, Identity, Masked, Recall

from a2c_tf.agent import make_agent, make_seeds
from a2c_tf.config import Config
from a2c_tf.envs import registration, registry
from a2c_tf.evaluation.evaluator import make_evaluator
from a2c_tf.training import assembly
from a2c_tf.types import Counters
from a2c_tf.unroll import unroll
from export import exporting, formats
from export.inference import Inference
from export.manifest import Source
from export.samples import collect_samples, rows_of

pytestmark = pytest.mark.slow


class Learnt:
    """An agent, trained on a puzzle."""

    def __init__(self, puzzle: Any, updates: int, **sections: dict[str, Any]) -> None:
        registration.register("Puzzle-v0", puzzle)
        settings = {
            "network": {"torso": "mlp", "hidden": [32], "activation": "tanh"},
            "a2c": {"unroll_length": 5, "entropy_coef": 0.005, "gae_lambda": 0.9, "gamma": 0.9},
            "optimizer": {"name": "adam", "learning_rate": 5e-3, "schedule": {"shape": "linear"}},
        }
        for name, section in sections.items():
            settings[name] = {**settings[name], **section}
        self.config = Config.model_validate(
            {
                "env": {"id": "Puzzle-v0", "num_envs": 32},
                "run": {"total_steps": updates * 32 * settings["a2c"]["unroll_length"]},
                **settings,
            }
        )
        self.env = registry.make(self.config.env)
        self.agent = make_agent(self.env.spec, self.config)
        _, step, _ = assembly.make_training(self.env, self.agent, self.config)
        self.state = self.agent.start(self.env, make_seeds(0))
        self.state, _ = step(self.state, tf.constant(updates))

    def score(self, deterministic: bool = True) -> float:
        evaluator = make_evaluator(self.agent, self.config, 64, deterministic)
        return float(evaluator.evaluate(64, seed=1).returns.mean())

    def export(self, folder: Path) -> float:
        """The largest difference between the files and the agent."""
        source = Source(self.agent, self.config, Counters(), None)
        return max(exporting.export_agent(source, folder).max_difference.values())


@pytest.fixture(autouse=True)
def no_puzzle_left() -> Any:
    yield
    registration.unregister("Puzzle-v0")


KINDS = [
    ("vector", "box", {"squash_actions": True, "normalize_observation": True}, 600),
    ("bits", "box", {"normalize_observation": True}, 600),
    ("discrete", "multi", {}, 600),
    ("multi", "bits", {}, 600),
    ("dict", "discrete", {}, 250),
    ("first", "discrete", {"torso": "minatar"}, 250),
    ("last", "discrete", {"torso": "minatar"}, 250),
]


@pytest.mark.parametrize(("observation", "action", "network", "updates"), KINDS)
def test_each_kind_of_observation_and_action_is_learnt(
    observation, action, network, updates, tmp_path
):
    puzzle = functools.partial(Identity, observation=observation, action=action)
    learnt = Learnt(
        puzzle, updates, network={"log_std_init": -1.0, **network}, a2c={"unroll_length": 2}
    )
    # a guess has a quarter of it where one action names both bits, and half at most elsewhere
    assert learnt.score() > (0.95 if action == "discrete" else 0.93) * LENGTH
    assert learnt.export(tmp_path / "export") < 1e-5


def test_no_kind_is_left_out():
    observations, actions, *_ = zip(*KINDS, strict=True)
    assert set(observations) == OBSERVATIONS.keys() and set(actions) == ACTIONS.keys()


def test_the_best_action_is_taken_where_it_is_allowed_and_never_else(tmp_path):
    learnt = Learnt(Masked, 300)
    # 1 in half of the steps, 0.5 in the others; a single forbidden action costs 10
    greedy, sampled = learnt.score(), learnt.score(deterministic=False)
    assert 0.7 * LENGTH < greedy < 0.8 * LENGTH and sampled > 0.65 * LENGTH
    actor_step = actor_step_of(learnt.env, learnt.agent.distribution)
    _, trajectory, _ = unroll(actor_step, learnt.agent.policy, learnt.state, 40)
    taken = tf.gather(trajectory.action_mask, trajectory.action, batch_dims=2)
    assert taken.numpy().all()

    inference = Inference(learnt.agent)
    samples = collect_samples(learnt.agent, inference, learnt.config)
    assert learnt.export(tmp_path / "export") < 1e-5
    exported = formats.run_onnx(tmp_path / "export" / "policy.onnx")
    mask = samples.real["action_mask"]
    assert not mask.all()
    output = exported(samples.real)
    assert mask[np.arange(len(mask)), output["action"]].all()
    none_but_first = np.eye(1, 4, dtype=bool).repeat(len(mask), axis=0)
    assert not exported({**samples.real, "action_mask": none_but_first})["action"].any()


@pytest.mark.parametrize("core", ["lstm", "gru"])
def test_what_is_shown_only_once_takes_memory(core, tmp_path):
    network = {"core": core, "core_size": 16}
    learnt = Learnt(Recall, 600, network=network, a2c={"unroll_length": 6})
    assert learnt.score() > 0.95
    assert learnt.export(tmp_path / "export") < 1e-5


def test_without_memory_it_cannot_be_told():
    learnt = Learnt(Recall, 600, a2c={"unroll_length": 6})
    assert abs(learnt.score(deterministic=False)) < 0.4  # 64 fair coins: 3 standard deviations


def test_a_recurrent_file_acts_as_the_agent_did(tmp_path):
    """State fed back step by step, zeroed by `reset` alone where an episode starts."""
    learnt = Learnt(Recall, 20, network={"core": "lstm", "core_size": 8})
    learnt.export(tmp_path / "export")
    runners = [
        formats.run_onnx(tmp_path / "export" / "policy.onnx"),
        formats.run_saved_model(tmp_path / "export" / "saved_model"),
    ]
    samples = collect_samples(learnt.agent, Inference(learnt.agent), learnt.config).real
    reference = Inference(learnt.agent)(samples)
    for run in runners:
        state = np.full((32, 16), 7.0, np.float32)  # of no meaning: the first rows reset
        for t in range(20):
            rows = rows_of(samples, slice(32 * t, 32 * (t + 1)))
            output = run({**rows, "state_in": state})
            state = output["state_out"]
            for name in ("logits", "value"):
                expected = reference[name][32 * t : 32 * (t + 1)]
                np.testing.assert_allclose(output[name], expected, rtol=1e-4, atol=1e-5)
    assert samples["reset"][32:640].any(), "an episode must have started on the way"
