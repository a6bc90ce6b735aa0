"""The network in shards: the numbers, the gradients and the training of the whole batch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from support import ROOT
from support.networks import make

from a2c_tf import networks
from a2c_tf.acceleration import sharding
from a2c_tf.acceleration.activation_reuse import ActivationReuse
from a2c_tf.acceleration.sharding import DEFAULT_THREADS, ONE_THREAD, Threads
from a2c_tf.agent import make_agent, make_seeds
from a2c_tf.config import Config, NetworkConfig
from a2c_tf.envs import registry
from a2c_tf.evaluation import evaluator
from a2c_tf.networks import forward
from a2c_tf.training import assembly
from a2c_tf.types import EnvSpec, StepOutput, Trajectory

SECONDS = 120  # a bound against hanging, not a measurement
STEPS, ENVS = 3, 8


def random(*shape: int) -> tf.Tensor:
    return tf.random.stateless_normal(shape, [1, len(shape)])


def trajectory_of(observation: Any, core_state: Any = (), activations: Any = ()) -> Trajectory:
    """`observation` has leading `[T+1, B]`; an episode ends in the middle of two environments."""
    last = np.zeros([STEPS, ENVS], np.bool_)
    last[1, 2] = last[0, 6] = True
    mask = np.ones([STEPS, ENVS], np.float32)
    mask[1:] = 1.0 - last[:-1]
    return Trajectory(
        observation=observation,
        action=tf.zeros([STEPS, ENVS], tf.int32),
        reward=random(STEPS, ENVS),
        discount=tf.ones([STEPS, ENVS]),
        mask=tf.constant(mask),
        last=tf.constant(last),
        core_state=core_state,
        activations=activations,
    )


def observations(space: gymnasium.Space) -> tf.Tensor:
    space.seed(0)
    rows = [space.sample() for _ in range((STEPS + 1) * ENVS)]
    return tf.reshape(tf.constant(np.stack(rows)), [STEPS + 1, ENVS, *space.shape])


def assert_close(actual: Any, expected: Any) -> None:
    for a, e in zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("num_envs", "threads", "shards"),
    [
        (128, Threads(1, 8), 8),
        (100, Threads(1, 8), 5),
        (32, Threads(1, 4), 2),
        (31, Threads(1, 4), 1),
        (16, Threads(1, 2), 1),
        (128, Threads(1, 1), 1),
        (128, Threads(0, 8), 1),  # operations have several threads of their own
        (128, DEFAULT_THREADS, 1),
    ],
)
def test_as_many_shards_as_there_are_threads_and_environments_for(num_envs, threads, shards):
    assert sharding.count_shards(num_envs, threads) == shards


@pytest.mark.parametrize(("num_envs", "shards"), [(256, 2), (255, 1), (128, 1)])
def test_one_program_has_a_shard_a_core_whatever_the_threads(num_envs, shards, monkeypatch):
    monkeypatch.setattr(sharding, "available_cores", lambda: 2)
    for threads in (DEFAULT_THREADS, ONE_THREAD):
        assert sharding.count_shards(num_envs, threads, whole_xla=True) == shards


def test_cores_are_counted_where_the_system_has_no_affinity(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert sharding.available_cores() == 3
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert sharding.available_cores() == 1


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("axis", [0, 1])
def test_what_is_split_is_joined_again(count, axis):
    tree = {"seen": random(8, 8, 3), "none": (), "chosen": tf.reshape(tf.range(64), [8, 8])}
    parts = sharding.split(tree, count, axis)
    assert [part["seen"].shape[axis] for part in parts] == [8 // count] * count
    joined = sharding.join(parts, axis)
    assert joined["none"] == ()
    for name in ("seen", "chosen"):
        np.testing.assert_array_equal(joined[name], tree[name])
    first = tree["chosen"][: 8 // count] if axis == 0 else tree["chosen"][:, : 8 // count]
    np.testing.assert_array_equal(parts[0]["chosen"], first)


@pytest.mark.parametrize("count", [2, 4])
def test_acting_in_shards_says_what_the_whole_says(count, variant):
    model, _ = make("minatar")
    observation = observations(gymnasium.spaces.Box(0, 1, (10, 10, 4), np.bool_))[0]

    saving = ActivationReuse(model).forward_saving

    def act(observation: tf.Tensor) -> StepOutput:
        return saving(observation, ())

    expected = act(observation)
    in_shards = sharding.shard_policy(lambda seen, _: act(seen), count)
    actual = variant(lambda seen: in_shards(seen, ()))(observation)
    assert_close((actual.parameters, actual.value), (expected.parameters, expected.value))
    assert len(actual.activations) == count
    assert_close(sharding.join(actual.activations, axis=0), expected.activations)


def test_one_shard_is_the_policy_itself():
    assert sharding.shard_policy(forward.apply_policy, 1) is forward.apply_policy


@pytest.mark.parametrize("saves", [False, True])
def test_the_gradient_is_that_of_the_whole(saves, variant):
    model, _ = make("minatar")
    observation = observations(gymnasium.spaces.Box(0, 1, (10, 10, 4), np.bool_))
    reuse = ActivationReuse(model)
    apply = reuse.forward_reusing if saves else forward.apply_to_trajectory

    def gradients(count: int) -> Any:
        policy = sharding.shard_policy(reuse.forward_saving, count)
        saved = [policy(observation[t], ()).activations for t in range(STEPS)]
        activations = tf.nest.map_structure(lambda *x: tf.stack(x), *saved) if saves else ()
        with tf.GradientTape() as tape:
            trajectory = trajectory_of(observation, activations=activations)
            output = sharding.shard_trajectory(apply, count)(model, trajectory)
            score = tf.reduce_sum(tf.square(output.parameters) + tf.sin(output.value)[..., None])
        return output, tape.gradient(score, model.trainable_variables)

    expected, slopes = gradients(1)
    actual, actual_slopes = variant(lambda: gradients(4))()
    assert_close(actual, expected)
    for a, e in zip(actual_slopes, slopes, strict=True):
        assert np.abs(e).max() > 0
        np.testing.assert_allclose(a, e, rtol=1e-4, atol=1e-5 * np.abs(e).max())


@pytest.mark.parametrize("core", ["lstm", "gru"])
def test_a_policy_that_remembers_does_so_in_each_shard(core):
    space = gymnasium.spaces.Dict(
        {
            "near": gymnasium.spaces.Box(-1, 1, (3,), np.float32),
            "far": gymnasium.spaces.Box(-1, 1, (2,), np.float32),
        }
    )
    spec = EnvSpec("Seen-v0", "graph", ENVS, space, gymnasium.spaces.Discrete(3))
    model = networks.make_actor_critic(
        spec, NetworkConfig(torso="mlp", hidden=(8,), core=core, core_size=4), seed=0
    )
    seen = {name: observations(part) for name, part in space.spaces.items()}
    core_state = random(ENVS, model.output["core_state"].shape[-1])
    trajectory = trajectory_of(seen, core_state)
    expected = forward.apply_to_trajectory(model, trajectory)
    in_shards = sharding.shard_trajectory(forward.apply_to_trajectory, 2)
    assert_close(in_shards(model, trajectory), expected)
    met = tf.nest.map_structure(lambda x: x[0], seen)
    act = sharding.shard_policy(lambda *step: forward.apply_policy(model, *step), 2)
    assert_close(act(met, core_state)[:3], forward.apply_policy(model, met, core_state)[:3])


TREES = {
    "activations reused": {"env": {"id": "MinAtar/Breakout-v1", "num_envs": 8}},
    "one program": {
        "env": {"id": "CartPole-v1", "num_envs": 8},
        "network": {"torso": "mlp", "hidden": [16], "normalize_observation": True},
        "a2c": {"unroll_length": 2, "scale_reward": True, "normalize_advantage": True},
        "run": {"inspect_every": 2},
    },
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "parts"), [("activations reused", 2), ("one program", 4)])
def test_training_in_shards_is_training(name, parts, monkeypatch):
    """The same actions, the same episodes, and weights that differ by rounding alone."""

    def train(count: int) -> tuple[list[np.ndarray], Any, Any]:
        monkeypatch.setattr(assembly, "count_shards", lambda *_: count)
        config = Config.model_validate(TREES[name])
        env = registry.make(config.env)
        agent = make_agent(env.spec, config)
        _, step, _ = assembly.make_training(env, agent, config)
        variables = agent.model.trainable_variables
        before = [w.numpy().copy() for w in variables]
        state, report = step(agent.start(env, make_seeds(0)), tf.constant(4))
        moved = [w.numpy() - b for w, b in zip(variables, before, strict=True)]
        return moved, state, report

    (expected, state, report), (moved, parted, parted_report) = train(1), train(parts)
    again = train(parts)
    for a, e in zip(moved, expected, strict=True):
        assert np.abs(e).max() > 1e-6
        np.testing.assert_allclose(a, e, atol=2e-3 * np.abs(e).max())
    for a, e in zip(tf.nest.flatten(parted), tf.nest.flatten(state), strict=True):
        np.testing.assert_array_equal(a, e)  # of actions, too: environments and seeds
    for a, e in zip(tf.nest.flatten(parted_report), tf.nest.flatten(report), strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-3, atol=1e-4)
    for a, b in zip(moved, again[0], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("core", ["none", "gru"])
def test_an_evaluation_in_shards_is_that_evaluation(core, monkeypatch):
    tree = {"env": {"id": "MinAtar/Breakout-v1"}, "network": {"core": core, "core_size": 8}}
    config = Config.model_validate(tree)
    agent = make_agent(registry.make(config.env).spec, config)

    def play(count: int) -> Any:
        monkeypatch.setattr(evaluator, "count_shards", lambda *_: count)
        return evaluator.make_evaluator(agent, config, 8, deterministic=False).evaluate(8, seed=0)

    whole, parted = play(1), play(4)
    assert whole.lengths.std() > 0
    np.testing.assert_array_equal(parted.returns, whole.returns)
    np.testing.assert_array_equal(parted.lengths, whole.lengths)


@pytest.mark.parametrize(
    ("num_envs", "cores", "expected"),
    [(32, 2, True), (31, 2, False), (30, 2, False), (64, 4, True), (64, 1, False), (96, 3, True)],
)
def test_each_core_gets_as_many_environments_as_the_others_and_enough(num_envs, cores, expected):
    assert sharding.is_worthwhile(num_envs, cores, sharding.SMALLEST) == expected


CHOICE = """
import json, os, sys
os.sched_getaffinity = lambda _: {0, 1}
import tensorflow as tf
from a2c_tf.config import Config
from a2c_tf.training import assembly
tree, computed = json.loads(sys.argv[1])
if computed:
    tf.constant(1)
chosen = assembly.choose_threads(Config.model_validate(tree))
threading = tf.config.threading
print(json.dumps([
    chosen,
    [
        threading.get_intra_op_parallelism_threads(),
        threading.get_inter_op_parallelism_threads(),
    ],
]))
"""
GAME = {"env": {"id": "MinAtar/Breakout-v1", "num_envs": 32}}
CARTPOLE, MLP = {"id": "CartPole-v1"}, {"torso": "mlp"}
IN_SHARDS = Threads(1, 2)


@pytest.mark.parametrize(
    ("tree", "chosen"),
    [
        (GAME, IN_SHARDS),
        ({"env": {**GAME["env"], "num_envs": 16}}, DEFAULT_THREADS),
        ({**GAME, "run": {"compile": "xla"}}, DEFAULT_THREADS),
        ({**GAME, "network": MLP}, DEFAULT_THREADS),
        ({"env": {"id": "ALE/Pong-v5"}, "network": {"torso": "nature"}}, DEFAULT_THREADS),
        ({"env": CARTPOLE, "network": MLP}, ONE_THREAD),
        ({"env": {**CARTPOLE, "num_envs": 128}, "network": MLP}, DEFAULT_THREADS),
        ({"env": {**CARTPOLE, "backend": "gymnasium"}, "network": MLP}, DEFAULT_THREADS),
        ({"env": CARTPOLE, "network": {**MLP, "hidden": [64, 256]}}, DEFAULT_THREADS),
        ({"env": CARTPOLE, "network": {**MLP, "core": "gru"}}, DEFAULT_THREADS),
    ],
)
def test_threads_go_by_what_is_computed(tree, chosen, monkeypatch):
    monkeypatch.setattr(sharding, "available_cores", lambda: 2)
    monkeypatch.setattr(assembly, "apply_threads", lambda threads: threads)
    assert assembly.choose_threads(Config.model_validate(tree)) == chosen


def test_threads_that_could_not_be_set_are_a_warning(caplog):
    """This process has computed already."""
    tf.constant(1)
    assert sharding.apply_threads(Threads(1, 7)) == DEFAULT_THREADS
    (record,) = caplog.records
    assert "1 intra-op and 7 inter-op threads could not be set" in record.message
    assert sharding.apply_threads(DEFAULT_THREADS) == DEFAULT_THREADS
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("tree", "computed", "expected"),
    [(GAME, False, [[1, 2], [1, 2]]), (GAME, True, [[0, 0], [0, 0]])],
)
@pytest.mark.process
def test_threads_are_chosen_before_tensorflow_computes(tree, computed, expected):
    done = subprocess.run(
        [sys.executable, "-c", CHOICE, json.dumps([tree, computed])],
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert json.loads(done.stdout) == expected
