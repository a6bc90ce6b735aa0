"""Evaluation: which episodes count, and that greedy ones come out the same again."""

from __future__ import annotations

from typing import NamedTuple

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from support.acting import actor_step_of

from a2c_tf import config, unroll
from a2c_tf.agent import Agent, load_agent
from a2c_tf.config import Config
from a2c_tf.distributions import Categorical
from a2c_tf.envs.base import GraphEnvironment
from a2c_tf.evaluation import eval_step, evaluator, tally
from a2c_tf.evaluation.tally import Evaluation
from a2c_tf.runs import checkpoints
from a2c_tf.runs.run_dir import RunDir
from a2c_tf.types import EnvSpec, StepOutput, UnrollState

NEVER = 10**9


class Clocks(NamedTuple):
    """How long each episode has run, `[B]` int32."""

    ticks: tf.Tensor


class Clockwork(GraphEnvironment[Clocks]):
    """Environment i ends every episode after `lengths[i]` steps of reward `rewards[i]` each."""

    def __init__(self, lengths: list[int], rewards: list[float]) -> None:
        self.lengths, self.rewards = tf.constant(lengths), tf.constant(rewards)
        self.spec = EnvSpec(
            id="Clockwork-v0",
            backend="graph",
            num_envs=len(lengths),
            observation_space=gymnasium.spaces.Box(0, np.inf, (1,), np.float32),
            action_space=gymnasium.spaces.Discrete(2),
        )

    def initial(self, noise: tf.Tensor) -> Clocks:
        return Clocks(tf.zeros_like(self.lengths))

    def transition(
        self, game: Clocks, action: tf.Tensor, noise: tf.Tensor
    ) -> tuple[Clocks, tf.Tensor, tf.Tensor]:
        ticks = game.ticks + 1
        return Clocks(ticks), self.rewards, ticks >= self.lengths

    def observe(self, game: Clocks) -> tf.Tensor:
        return tf.cast(game.ticks, tf.float32)[:, tf.newaxis]


def make_evaluator(env: Clockwork) -> evaluator.Evaluator:
    num_envs = env.spec.num_envs
    actor_step = actor_step_of(env, Categorical(2), deterministic=True)
    output = StepOutput(tf.zeros([num_envs, 2]), tf.zeros([num_envs]), ())

    def start(seed: int) -> UnrollState:
        word = tf.constant([seed, 0])
        return unroll.initial_state(env, word, word)

    return evaluator.Evaluator(env, start, lambda state, _: actor_step(state, output)[0])


def evaluate(lengths: list[int], rewards: list[float], episodes: int) -> Evaluation:
    return make_evaluator(Clockwork(lengths, rewards)).evaluate(episodes, seed=0)


def test_short_episodes_do_not_crowd_out_long_ones() -> None:
    played = evaluate([1, 10, 90], [1.0, 1.0, 1.0], episodes=6)
    assert sorted(played.returns) == [1, 1, 10, 10, 90, 90]
    assert played.summary()["mean"] == pytest.approx(101 / 3)  # of the first six to end: 2.5


def test_episodes_that_do_not_divide_go_to_the_first_environments() -> None:
    played = evaluate([2, 3, 4], [1.0, 10.0, 100.0], episodes=7)
    assert played.returns.tolist() == [2, 2, 2, 30, 30, 400, 400]
    assert played.lengths.tolist() == [2, 2, 2, 3, 3, 4, 4]


def test_episodes_may_span_several_calls() -> None:
    calls = eval_step.STEPS_PER_CALL
    played = evaluate([2 * calls + 1, calls, calls - 1], [0.5, 1.0, 1.0], episodes=4)
    assert played.lengths.tolist() == [2 * calls + 1] * 2 + [calls, calls - 1]
    assert played.returns.tolist() == [calls + 0.5] * 2 + [calls, calls - 1]


def test_an_episode_without_end_is_cut_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "MAX_STEPS", 300)
    played = evaluate([7, NEVER], [1.0, 2.0], episodes=2)
    assert played.lengths.tolist() == [7, 300]
    assert played.returns.tolist() == [7.0, 600.0]
    assert (played.cut, played.summary()["cut"]) == (1, 1)


def test_the_limit_is_that_of_an_episode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many of them may take longer, and one that ends with it is whole."""
    monkeypatch.setattr(tally, "MAX_STEPS", 130)
    played = evaluate([60, 130, NEVER], [1.0, 1.0, 1.0], episodes=12)
    assert played.lengths.tolist() == [60] * 4 + [130] * 4 + [130]
    assert played.cut == 1


def test_an_evaluation_may_be_interrupted() -> None:
    env = Clockwork([NEVER], [1.0])
    asked = iter([False, False, True])
    with pytest.raises(evaluator.InterruptedEvaluationError):
        make_evaluator(env).evaluate(1, 0, lambda: next(asked))


def test_the_summary_describes_the_returns() -> None:
    played = Evaluation(np.array([1.0, 2.0, 6.0]), np.array([10, 20, 30]))
    assert played.summary() == {
        "episodes": 3,
        "mean": 3.0,
        "std": pytest.approx(np.sqrt(14 / 3)),
        "standard_error": pytest.approx(np.sqrt(7 / 3)),
        "median": 2.0,
        "min": 1.0,
        "max": 6.0,
        "mean_length": 20.0,
    }


@pytest.mark.parametrize(("episodes", "num_envs"), [(1, 1), (100, 100), (128, 128), (1000, 128)])
def test_quotas_stay_small(episodes: int, num_envs: int) -> None:
    assert evaluator.num_envs_for(episodes, in_graph=True, trained_on=8) == num_envs


@pytest.mark.parametrize(("episodes", "num_envs"), [(1, 1), (100, 16)])
def test_the_host_holds_no_more_than_in_training(episodes: int, num_envs: int) -> None:
    assert evaluator.num_envs_for(episodes, in_graph=False, trained_on=16) == num_envs


class Trained(NamedTuple):
    """An agent of a finished run."""

    config: Config
    agent: Agent

    def play(self, episodes: int, deterministic: bool, seed: int) -> list[float]:
        player = evaluator.make_evaluator(self.agent, self.config, episodes, deterministic)
        return player.evaluate(episodes, seed).returns.tolist()


@pytest.fixture(scope="module")
def trained(finished_run: RunDir) -> Trained:
    settings = config.load(str(finished_run.config))
    checkpoint = checkpoints.load_newest(finished_run.checkpoints)
    return Trained(settings, load_agent(settings, checkpoint))


def test_greedy_play_is_the_same_again_and_another_with_another_seed(trained: Trained) -> None:
    first = trained.play(20, deterministic=True, seed=5)
    assert trained.play(20, deterministic=True, seed=5) == first
    assert trained.play(20, deterministic=True, seed=6) != first


def test_sampled_play_is_another_and_the_same_again(trained: Trained) -> None:
    sampled = trained.play(20, deterministic=False, seed=5)
    assert trained.play(20, deterministic=False, seed=5) == sampled
    assert trained.play(20, deterministic=True, seed=5) != sampled


def test_one_evaluator_plays_both_kinds_of_actions(trained: Trained) -> None:
    player = evaluator.make_evaluator(trained.agent, trained.config, 20, deterministic=True)
    for deterministic in (False, True):
        played = player.evaluate(20, 5, deterministic=deterministic).returns.tolist()
        assert played == trained.play(20, deterministic, seed=5)
    assert player.evaluate(20, 5).returns.tolist() == trained.play(20, True, seed=5)
    player.close()


def test_the_progress_of_an_evaluation_is_reported() -> None:
    reports: list[tuple[int, int]] = []
    lengths = [2 * eval_step.STEPS_PER_CALL, 1]
    make_evaluator(Clockwork(lengths, [1.0, 1.0])).evaluate(
        3, 0, report=lambda done, asked: reports.append((done, asked))
    )
    # the second long episode begins a step late, and so ends in a call of its own
    assert reports == [(1, 3), (2, 3), (2, 3), (2, 3), (3, 3)]


def test_playing_changes_no_weight(trained: Trained) -> None:
    before = [weight.numpy() for weight in trained.agent.model.weights]
    trained.play(3, deterministic=False, seed=0)
    for old, weight in zip(before, trained.agent.model.weights, strict=True):
        np.testing.assert_array_equal(old, weight)
