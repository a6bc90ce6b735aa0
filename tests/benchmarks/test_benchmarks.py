"""That the benchmarks count what they say they count, and still run on the package as it is."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from a2c_tf.agent import make_agent
from a2c_tf.config import NetworkConfig
from a2c_tf.envs.host import atari
from a2c_tf.networks import make_actor_critic
from a2c_tf.types import EnvSpec
from benchmarks import flops, workloads
from benchmarks.processes import NETWORK, OURS, Library, WorkerError, started
from benchmarks.results import Limits, Results, WorkloadResult, from_json
from benchmarks.throughput_table import table
from benchmarks.workers import ours


def test_operations_of_the_nature_network():
    space = gymnasium.spaces.Box(0, 255, (84, 84, 4), np.uint8)
    spec = EnvSpec("Images-v0", "graph", 2, space, gymnasium.spaces.Discrete(6))
    model = make_actor_critic(spec, NetworkConfig(torso="nature", hidden=(512,)), 0)
    first = 20 * 20 * 32 * (8 * 8 * 4)
    others = 9 * 9 * 64 * (4 * 4 * 32) + 7 * 7 * 64 * (3 * 3 * 64) + 7 * 7 * 64 * 512 + 512 * 7
    forward = 2 * (first + others)
    # forward to act, weights' and inputs' gradients, half a bootstrap, and a forward to learn
    training = forward + forward + 2 * others + forward // 2
    assert flops.count(model, 2, True) == (forward, training)
    assert flops.count(model, 2, False) == (forward, training + forward)


@pytest.mark.slow
def test_a_loop_of_xla_steps_the_emulators_as_often_as_it_says():
    pytest.importorskip("ale_py")
    config = ours.make_config(workloads.PONG._replace(num_envs=2))
    vector_env = atari.make_ale_vector(config.env)
    env = atari.adapt_ale(vector_env, config.env)
    run = ours.make_stepping(env, make_agent(env.spec, config), config)

    def frames() -> np.ndarray:
        *_, info = vector_env.step(np.zeros(2, np.int64))
        return info["episode_frame_number"].copy()

    before = frames()
    assert run(30) == 60
    np.testing.assert_array_equal(frames() - before, 31 * 4)  # frames() takes a step, too


def test_the_roofline_adds_the_time_of_environment_and_network():
    result = WorkloadResult(workloads.cartpole(32))
    result.rates("a2c_tf", workloads.STEPPING).extend([1e6, 2e6, 9e6])
    result.about["a2c_tf"] = {"operations": {"acting": 1_000, "training": 2_000}}
    limits = Limits({workloads.FLOAT32: [4e9], workloads.BFLOAT16: [8e9]})
    assert result.roofline(workloads.ACTING, limits) == pytest.approx(1 / (0.5e-6 + 0.25e-6))
    assert result.roofline(workloads.TRAINING, limits) == pytest.approx(1e6)
    assert result.roofline(workloads.TRAINING, limits, workloads.BFLOAT16) == pytest.approx(
        1 / 0.75e-6
    )
    assert result.roofline(workloads.STEPPING, limits) is None


def test_the_sum_of_parts_takes_the_emulator_for_atari():
    result = WorkloadResult(workloads.PONG)
    result.rates("network alone", workloads.TRAINING).append(1_000)
    result.rates("a2c_tf", workloads.STEPPING).append(1)
    assert result.sum_of_parts(workloads.TRAINING) is None
    result.rates("emulator alone", workloads.STEPPING).append(4_000)
    assert result.sum_of_parts(workloads.TRAINING) == pytest.approx(800)


def results(rate: float, *measured: workloads.Workload) -> Results:
    found = []
    for workload in measured:
        result = WorkloadResult(workload)
        result.rates("a2c_tf", workloads.STEPPING).append(rate)
        result.about["a2c_tf"] = {"operations": {"acting": 1, "training": 2}}
        found.append(result)
    limits = Limits({workloads.FLOAT32: [rate], workloads.BFLOAT16: [2 * rate]})
    return Results({"processor": "a"}, [], limits, found)


def test_what_is_measured_again_takes_the_place_of_its_older_figures():
    """In a file read back from JSON; the limits of the machine are those of both runs."""
    cartpole, breakout = workloads.cartpole(32), workloads.minatar("Breakout", 128)
    before = from_json(json.loads(json.dumps(results(1.0, cartpole, breakout).as_json())))
    assert before.workloads[0].workload == cartpole
    after = results(5.0, breakout, workloads.PONG).updating(before)
    assert [result.workload for result in after.workloads] == [cartpole, breakout, workloads.PONG]
    assert [result.rates("a2c_tf", workloads.STEPPING) for result in after.workloads] == [
        [1.0],
        [5.0],
        [5.0],
    ]
    assert after.limits.rates == {workloads.FLOAT32: [1.0, 5.0], workloads.BFLOAT16: [2.0, 10.0]}


def test_names_of_the_games_in_gymnax():
    ids = [
        workload.gymnax_id
        for workload in (workloads.cartpole(1), workloads.minatar("Seaquest", 1), workloads.PONG)
    ]
    assert ids == ["CartPole-v1", "Seaquest-MinAtar", None]


def test_tables_are_aligned():
    assert table(("work", "steps/s"), [("Pong", "12"), ("CartPole", "3,000")], 1).splitlines() == [
        "| work     | steps/s |",
        "| -------- | ------: |",
        "| Pong     |      12 |",
        "| CartPole |   3,000 |",
    ]


@pytest.mark.process
def test_a_worker_measures_each_kind_it_was_started_for():
    with started(OURS, workloads.cartpole(8), workloads.KINDS) as worker:
        turns = {kind: worker.measure(kind) for kind in workloads.KINDS}
    assert worker.first_seconds.keys() == worker.start_seconds.keys() == set(workloads.KINDS)
    assert worker.about["operations"]["acting"] == 2 * (4 * 64 + 64 * 64 + 64 * 2 + 64)
    assert all(turn.amount > 0 and turn.rate > 0 for turn in turns.values())


@pytest.mark.process
def test_the_network_alone_takes_the_steps_that_it_counts():
    with started(NETWORK, workloads.minatar("Breakout", 4)) as worker:
        turns = [worker.measure(kind) for kind in NETWORK.kinds]
    assert all(turn.amount > 0 and turn.amount % 4 == 0 for turn in turns)


@pytest.mark.process
def test_a_worker_that_ends_says_why():
    missing = Library("none", "benchmarks.workers.none", Path(sys.executable))
    unknown = workloads.cartpole(8)._replace(env_id="CartPol-v1")
    with (
        pytest.raises(WorkerError, match=r"No module named benchmarks\.workers\.none"),
        started(missing, workloads.cartpole(8), workloads.KINDS),
    ):
        pass
    with (
        pytest.raises(WorkerError, match=r"error: env\.id=CartPol-v1"),
        started(OURS, unknown, workloads.KINDS),
    ):
        pass
